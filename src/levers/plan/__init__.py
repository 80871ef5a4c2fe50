"""Quotes side by side, the next move, and why the others lose; and the same decision before there is data."""

from levers.plan.advise import Advice, advise
from levers.plan.choose import choose, first_year
from levers.plan.circumstances import Circumstances
from levers.plan.records import Attempt, Effort, GateCheck, Option, Plan, Quote

__all__ = [
    "Advice",
    "Attempt",
    "Circumstances",
    "Effort",
    "GateCheck",
    "Option",
    "Plan",
    "Quote",
    "advise",
    "choose",
    "first_year",
]
