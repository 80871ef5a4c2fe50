"""Read by mypy, not run: held-out cases cannot reach diagnosis. An ignore that is not needed is an error."""

from levers.diagnosis import diagnose
from levers.diagnosis.climb import climb
from levers.diagnosis.runs import Runs
from levers.loop import Project
from levers.trial import as_dev


def dev_may_be_looked_at(project: Project, runs: Runs) -> None:
    start, bench = project.start(), project.bench
    climb(runs, bench.task.partition("dev"))
    diagnose(bench, start, as_dev(bench.trial(start, "dev", "")))


def test_and_edge_may_not(project: Project, runs: Runs) -> None:
    start, bench = project.start(), project.bench
    climb(runs, bench.task.partition("test"))  # type: ignore[arg-type]
    climb(runs, bench.task.cases)  # type: ignore[arg-type]
    diagnose(bench, start, bench.trial(start, "edge", ""))  # type: ignore[arg-type]
