"""Prices, costs, memory, latency and the field's reference figures: pure arithmetic, nothing measured or asked."""

from levers.economics.answers import AnswerCost, AnswerShape, Call, Item, bill, calls_of, routed, shape_problems
from levers.economics.book import PriceBook
from levers.economics.budgets import LatencyBudget, StepTime, latency_budget, prompt_overhead, reference_step
from levers.economics.caching import Asked, CacheCase, cache_case, expected_hit_rate, prefix_cost
from levers.economics.lifetimes import Lifetime, at_lifetime
from levers.economics.memory import Memory, Training, kv_cache, serving_memory, training_memory
from levers.economics.offers import maintenance_weeks, named_offers, read_offer, with_upkeep
from levers.economics.ownership import Offer, Ownership, Upkeep, ownership
from levers.economics.payback import Payback, payback
from levers.economics.price import CostFigure, Origin, Price, Provenance, answer_cost, cost_figure, weakest
from levers.economics.quantities import Reader
from levers.economics.ranges import Range, fixed
from levers.economics.reference import (
    Figure,
    Gate,
    Project,
    cost,
    costs,
    gate,
    gates,
    latencies,
    latency,
    project,
    projects,
    source_title,
    threshold,
    thresholds,
)
from levers.economics.scenarios import Scenario, scenario, scenarios
from levers.economics.services import storage_cost, training_cost
from levers.economics.shapes import Shape, shape, shape_of_config, shapes
from levers.economics.totals import DAYS_PER_MONTH, Breakeven, breakeven, monthly, total_cost
from levers.economics.usage import Usage

__all__ = [
    "DAYS_PER_MONTH",
    "AnswerCost",
    "AnswerShape",
    "Asked",
    "Breakeven",
    "CacheCase",
    "Call",
    "CostFigure",
    "Figure",
    "Gate",
    "Item",
    "LatencyBudget",
    "Memory",
    "Offer",
    "Lifetime",
    "Origin",
    "Ownership",
    "Payback",
    "Price",
    "PriceBook",
    "Project",
    "Provenance",
    "Range",
    "Reader",
    "Scenario",
    "Shape",
    "StepTime",
    "Training",
    "Upkeep",
    "Usage",
    "answer_cost",
    "bill",
    "at_lifetime",
    "breakeven",
    "cache_case",
    "calls_of",
    "cost",
    "cost_figure",
    "costs",
    "expected_hit_rate",
    "fixed",
    "gate",
    "gates",
    "kv_cache",
    "latencies",
    "latency",
    "latency_budget",
    "maintenance_weeks",
    "monthly",
    "named_offers",
    "ownership",
    "payback",
    "prefix_cost",
    "project",
    "projects",
    "prompt_overhead",
    "read_offer",
    "reference_step",
    "routed",
    "scenario",
    "scenarios",
    "serving_memory",
    "shape",
    "shape_of_config",
    "shape_problems",
    "shapes",
    "source_title",
    "storage_cost",
    "threshold",
    "thresholds",
    "total_cost",
    "training_cost",
    "training_memory",
    "weakest",
    "with_upkeep",
]
