"""Quotes side by side, the next move, and why the others lose."""

from levers.plan.choose import choose, first_year
from levers.plan.records import Attempt, Effort, GateCheck, Option, Plan, Quote

__all__ = ["Attempt", "Effort", "GateCheck", "Option", "Plan", "Quote", "choose", "first_year"]
