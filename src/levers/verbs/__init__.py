"""The verbs of levers as functions, for notebooks and scripts; the command line calls the same ones."""

from levers.knowledge.measure import Measured
from levers.loop import Checked, check
from levers.task import init
from levers.verbs.distilling import Distilled, Distilling, distill, labels, merge, reviewed
from levers.verbs.figures import finished, gates, headroom, step_offers, step_times, task_of
from levers.verbs.hosting import (
    Exported,
    Hosting,
    hosted_cancel,
    hosted_export,
    hosted_fetch,
    hosted_look,
    hosted_start,
)
from levers.verbs.results import Answered, Indexed, Ledger, Linted, Measurement
from levers.verbs.searching import bench, bench_chunkings, index, search, watch
from levers.verbs.work import (
    advise,
    ask,
    diagnose,
    import_project,
    ledger,
    lint,
    load,
    pilot,
    plan,
    pull,
    report,
    run,
    trial,
)

__all__ = [
    "Answered",
    "Checked",
    "Distilled",
    "Distilling",
    "Exported",
    "Hosting",
    "Indexed",
    "Ledger",
    "Linted",
    "Measured",
    "Measurement",
    "advise",
    "ask",
    "bench",
    "bench_chunkings",
    "check",
    "diagnose",
    "distill",
    "finished",
    "gates",
    "headroom",
    "hosted_cancel",
    "hosted_export",
    "hosted_fetch",
    "hosted_look",
    "hosted_start",
    "import_project",
    "index",
    "init",
    "ledger",
    "labels",
    "lint",
    "load",
    "merge",
    "pilot",
    "plan",
    "pull",
    "report",
    "reviewed",
    "run",
    "search",
    "step_offers",
    "step_times",
    "task_of",
    "trial",
    "watch",
]
