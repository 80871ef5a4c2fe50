"""Prices, costs and the field's reference figures: pure arithmetic over usage, nothing measured and nothing asked."""

from levers.economics.book import PriceBook
from levers.economics.price import CostFigure, Origin, Price, Provenance, answer_cost, cost_figure, weakest
from levers.economics.reference import (
    Figure,
    Gate,
    Project,
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
from levers.economics.totals import DAYS_PER_MONTH, Breakeven, breakeven, monthly, total_cost
from levers.economics.usage import Usage

__all__ = [
    "DAYS_PER_MONTH",
    "Breakeven",
    "CostFigure",
    "Figure",
    "Gate",
    "Origin",
    "Price",
    "PriceBook",
    "Project",
    "Provenance",
    "Usage",
    "answer_cost",
    "breakeven",
    "cost_figure",
    "gate",
    "gates",
    "latencies",
    "latency",
    "monthly",
    "project",
    "projects",
    "source_title",
    "threshold",
    "thresholds",
    "total_cost",
    "weakest",
]
