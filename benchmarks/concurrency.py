"""A trial against a server that takes 50 ms per answer, 64 at once: how near to the ideal, and to other tools.

The ideal is ⌈cases / 64⌉ · 50 ms. Peers run the same questions against the same server at the same concurrency, in a
process of their own, timed from the first request to the last answer; a peer that is not installed is left out. On two
busy cores the figure is a machine's as much as ours: the row names the CPU time per answer, which is not.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks import Row, Skipped
from benchmarks.serving import slow_server
from levers.errors import MissingExtra
from levers.model import open_model
from levers.stack import ModelRef, Stack, answerer
from levers.task import Task
from levers.task.records import Case, GraderSpec, TaskConfig
from levers.trial import run_trial

DELAY, AT_ONCE, CASES, REPEATS = 0.05, 64, 640, 3
PYTHON = os.environ.get("LEVERS_PEERS", sys.executable)  # peers may live in an environment of their own


class _Desk:
    """A workshop with one hosted model."""

    def __init__(self, base_url: str) -> None:
        from levers.model.hosted import HostedSettings

        settings = HostedSettings(concurrency=AT_ONCE)
        self._model = open_model("openai/m", base_url=base_url, settings=settings)

    def model(self, reference: ModelRef) -> object:
        return self._model

    def finder(self, index: str) -> object:
        raise KeyError(index)


def measure() -> list[Row]:
    """Run the trial, then every peer that is installed."""
    ideal = -(-CASES // AT_ONCE) * DELAY
    try:
        with slow_server(DELAY) as base_url:
            wall, cpu = _ours(base_url)
            rows = [_row("levers", wall, ideal, f"{1000 * cpu / CASES:.2f} ms of CPU per answer")]
            for name, run in PEERS.items():
                found = run(base_url)
                if found is not None:
                    rows.append(_row(name, found, ideal, f"levers took {wall:.2f} s in the same run"))
            return rows
    except (MissingExtra, ImportError) as error:
        raise Skipped(str(error)) from error


def _row(who: str, seconds: float, ideal: float, note: str) -> Row:
    what = f"{who}: {CASES} answers, {AT_ONCE} at once, {DELAY * 1000:.0f} ms each"
    return Row("concurrency", what, seconds, "the ideal", ideal, "s", note)


def _ours(base_url: str) -> tuple[float, float]:
    cases = tuple(Case(id=f"c{n}", input=f"How long, {n}?", expected="30 days", partition="dev") for n in range(CASES))
    config = TaskConfig(name="t", instructions="b.md", golden="g.jsonl", graders=(GraderSpec(kind="exact"),))
    task = Task(root=Path("."), config=config, instructions="Answer.", cases=cases)
    stack, desk = Stack(model=ModelRef(id="openai/m")), _Desk(base_url)
    walls, processor = [], []
    for _ in range(REPEATS + 1):
        begun, used = time.perf_counter(), time.process_time()
        trial = run_trial(task, cases, answerer(stack, desk), stack=stack.digest)
        walls.append(time.perf_counter() - begun)
        processor.append(time.process_time() - used)
        assert trial.quality == 1
    return median(walls[1:]), median(processor[1:])


def _python_peer(package: str, script: str) -> Callable[[str], float | None]:
    def run(base_url: str) -> float | None:
        if subprocess.run([PYTHON, "-c", f"import {package}"], capture_output=True, check=False).returncode:
            return None
        environment = {**os.environ, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "none"}
        values = {"cases": CASES, "at_once": AT_ONCE, "repeats": REPEATS}
        command = [PYTHON, "-c", script, json.dumps(values)]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
        last = ended.stdout.strip().splitlines()[-1:] if ended.returncode == 0 else []
        return float(last[0]) if last else None

    return run


_INSPECT = """
import json, sys, tempfile, time
from statistics import median
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import exact
from inspect_ai.solver import generate
given = json.loads(sys.argv[1])
walls = []
for _ in range(given["repeats"] + 1):
    samples = [Sample(input=f"How long, {n}?", target="30 days") for n in range(given["cases"])]
    task = Task(dataset=MemoryDataset(samples), solver=generate(), scorer=exact())
    with tempfile.TemporaryDirectory() as logs:
        begun = time.perf_counter()
        eval(task, model="openai/m", max_connections=given["at_once"], max_samples=given["at_once"], display="none",
             log_dir=logs, log_samples=False)
        walls.append(time.perf_counter() - begun)
print(median(walls[1:]))
"""

PEERS: dict[str, Callable[[str], float | None]] = {"inspect-ai": _python_peer("inspect_ai", _INSPECT)}
