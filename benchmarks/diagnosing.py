"""`levers diagnose` on 200 failing cases, answered by pocket: its time, and that of a rerun.

    python -m benchmarks diagnosing

The project is the shipped example with 200 of its cases in dev, all of which the plain prompt fails. Each run is the
command in a process of its own, with all cores and the start of Python counted. The limits are goals: 180 seconds for
the first, 5 for the second, which replays.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import levers
from benchmarks import Row, Skipped
from levers.model.pocket import weights_path
from levers.task import PARTITIONS

CASES = 200
FIRST, AGAIN = 180.0, 5.0


def measure() -> list[Row]:
    """Diagnose twice."""
    if not (weights_path() / "model.safetensors").is_file():
        raise Skipped("pocket's weights are not here")
    with tempfile.TemporaryDirectory() as folder:
        project = levers.init(Path(folder) / "support")
        to_dev(project)
        first, found = _timed(project)
        again, same = _timed(project)
    if (found["needs"], found["headroom"]) != (same["needs"], same["headroom"]):
        raise AssertionError("a rerun says something else")
    what = f"levers diagnose, {found['failures']} failing cases, pocket"
    named = ", ".join(f"{name} {share['cases']}" for name, share in found["needs"].items())
    return [
        Row("diagnosing", what, first, "the goal", FIRST, "s", named),
        Row("diagnosing", f"{what}, again", again, "the goal", AGAIN, "s", "the same needs and headroom, replayed"),
    ]


def to_dev(project: Path) -> None:
    """Move so many cases to dev as shall fail; the others are test."""
    golden = project / "golden.jsonl"
    cases = [json.loads(line) for line in golden.read_text(encoding="utf-8").splitlines()]
    cases.sort(key=lambda case: PARTITIONS.index(case["partition"]))
    moved = [{**case, "partition": "dev" if place < CASES else "test"} for place, case in enumerate(cases)]
    golden.write_text("".join(json.dumps(case, ensure_ascii=False) + "\n" for case in moved), encoding="utf-8")


def _timed(project: Path) -> tuple[float, dict[str, Any]]:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    begun = time.perf_counter()
    command = [sys.executable, "-m", "levers", "diagnose", "--project", str(project), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return time.perf_counter() - begun, json.loads(done.stdout)
