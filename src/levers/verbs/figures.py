"""What finished runs and the price book say: for `cost`, `plan` and the report."""

import json
from pathlib import Path
from typing import Any

from levers.diagnosis import Diagnosis
from levers.economics import Offer, StepTime
from levers.economics import gates as known_gates
from levers.errors import Problem, UserError
from levers.lever import LEVERS
from levers.lever.figures import gate_check
from levers.loop import Run
from levers.model import known_reference
from levers.plan import GateCheck
from levers.task import Task
from levers.task import load as load_task
from levers.view.ownership import run_offers

SAVED = "run.json"
LATEST = "latest.json"


def task_of(path: Path | str = ".") -> Task:
    """Read a project folder's task, without its documents. Raises UserError with every problem in its files."""
    return load_task(path, known_reference=known_reference, evidence_required=False)


def finished(path: Path | str = ".", name: str | None = None) -> Run:
    """Return a finished run of a project folder, the latest unless named. Raises UserError where there is none."""
    folder = task_of(path).state / "runs"
    try:
        name = name or json.loads((folder / LATEST).read_text(encoding="utf-8"))["run"]
        return Run.model_validate_json((folder / str(name) / SAVED).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            Problem(file=".levers/runs", found=f"no finished run {name or ''}".strip(), hint="finish one: levers run")
        ) from None


def headroom(diagnosis: Diagnosis) -> dict[str, dict[str, Any]]:
    """Return the headroom by lever: gain and interval in pass share, and in mean credit."""
    found: dict[str, dict[str, Any]] = {}
    for each in LEVERS:
        room = diagnosis.headroom_of(each.probes)
        if room is not None:
            found[each.name] = room.model_dump(mode="json", exclude={"probes"})
    return found


def step_offers(path: Path | str = ".") -> dict[str, Offer]:
    """Return the stacks of a project's latest run as offers, `@0` for the start: what each was measured to cost."""
    return {f"@{number}": offer for number, offer in run_offers(finished(path)).items()}


def step_times(path: Path | str = ".") -> tuple[list[StepTime], StepTime]:
    """Return p50 and p95 of the final stack's steps in a project's latest run, and of the whole answer."""
    trial = finished(path).final.dev
    source = f"measured on {len(trial.outcomes)} dev cases"
    times = {
        name: StepTime(name=name, p50=each.p50_ms, p95=each.p95_ms, provenance="measured", source=source)
        for name, each in trial.latency.items()
    }
    return [each for name, each in times.items() if name != "total"], times["total"]


def gates(have: dict[str, int], path: Path | str | None = None) -> tuple[GateCheck, ...]:
    """Set every data gate beside what there is: by goal, for all goals (""), or what a project holds."""
    held = {"cases": 0, "examples": 0}
    if path is not None:
        task = task_of(path)
        held = {"cases": len(task.cases), "examples": len(task.examples)}
    return tuple(
        gate_check(goal, have.get(goal, have.get("", held.get(each.unit, 0)))) for goal, each in known_gates().items()
    )
