"""The verbs of levers as functions, for notebooks and scripts; the command line calls the same ones."""

from levers.knowledge.measure import Measured
from levers.loop import Checked, check
from levers.task import init
from levers.verbs.figures import finished, gates, headroom, step_offers, step_times, task_of
from levers.verbs.results import Answered, Indexed, Ledger, Linted, Measurement
from levers.verbs.searching import bench, index, search, watch
from levers.verbs.work import advise, ask, diagnose, import_project, ledger, lint, load, plan, pull, report, run, trial

__all__ = [
    "Answered",
    "Checked",
    "Indexed",
    "Ledger",
    "Linted",
    "Measured",
    "Measurement",
    "advise",
    "ask",
    "bench",
    "check",
    "diagnose",
    "finished",
    "gates",
    "headroom",
    "import_project",
    "index",
    "init",
    "ledger",
    "lint",
    "load",
    "plan",
    "pull",
    "report",
    "run",
    "search",
    "step_offers",
    "step_times",
    "task_of",
    "trial",
    "watch",
]
