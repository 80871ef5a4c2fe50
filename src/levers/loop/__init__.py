"""The improvement loop over a project: resumable, every step accepted or rejected with its figures."""

from levers.loop.check import Checked, check
from levers.loop.forecast import Forecast, Forecasts, forecasts
from levers.loop.openings import Opened, opened, record_opening
from levers.loop.project import Project
from levers.loop.records import SEED, Measured, Opening, Run, Step, Target
from levers.loop.run import Loop, OnStep

__all__ = [
    "SEED",
    "Checked",
    "Forecast",
    "Forecasts",
    "Loop",
    "Measured",
    "OnStep",
    "Opened",
    "Opening",
    "Project",
    "Run",
    "Step",
    "Target",
    "check",
    "forecasts",
    "opened",
    "record_opening",
]
