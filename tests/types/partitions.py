"""Read by mypy, not run: held-out cases cannot reach diagnosis or levers. An ignore that is not needed is an error."""

from levers.diagnosis import diagnose
from levers.diagnosis.climb import climb
from levers.diagnosis.runs import Runs
from levers.lever import Situation
from levers.loop import Project
from levers.trial import as_dev


def dev_may_be_looked_at(project: Project, runs: Runs, situation: Situation) -> None:
    start, bench = project.start(), project.bench
    climb(runs.run, bench.task.partition("dev"))
    diagnose(bench, start, as_dev(bench.trial(start, "dev", "")))
    situation.bench.outcomes(start, situation.bench.task.partition("dev"), "")


def test_and_edge_may_not(project: Project, runs: Runs, situation: Situation) -> None:
    start, bench = project.start(), project.bench
    climb(runs.run, bench.task.partition("test"))  # type: ignore[arg-type]
    climb(runs.run, bench.task.cases)  # type: ignore[arg-type]
    diagnose(bench, start, bench.trial(start, "edge", ""))  # type: ignore[arg-type]


def levers_have_none_at_all(project: Project, runs: Runs, situation: Situation) -> None:
    own, task = situation.bench, situation.bench.task
    task.partition("test")  # type: ignore[arg-type]
    runs.bench.task.partition("edge")  # type: ignore[arg-type]
    own.trial(situation.stack, "test", "")  # type: ignore[arg-type]
    own.outcomes(situation.stack, project.task.partition("test"), "")  # type: ignore[arg-type]
    Situation(project.bench, project.workshop, situation.stack, situation.trial, situation.diagnosis)  # type: ignore[arg-type]
