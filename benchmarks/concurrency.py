"""A trial against a server that takes 50 ms per answer, 64 at once: how near to the ideal, and to other tools.

The ideal is ⌈cases / 64⌉ · 50 ms. Peers (`benchmarks.peers`) run the same questions against the same server at the same
concurrency, one after the other; one that is not installed is left out. On a busy machine the wall time is the
machine's as much as ours, so every row names the processor time per answer too, which is not.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks import Row, Skipped
from benchmarks.peers import PEERS
from benchmarks.serving import slow_server
from levers.errors import MissingExtra
from levers.ledger import Replay
from levers.model import Model, Replayed, open_model
from levers.stack import Inline, ModelRef, Shots, Stack, answerer
from levers.task import Task
from levers.task.records import Case, GraderSpec, TaskConfig
from levers.trial import run_trial

DELAY, AT_ONCE, REPEATS = 0.05, 64, 3
CASES = int(os.environ.get("LEVERS_CONCURRENCY_CASES", "1280"))


class _Desk:
    """A workshop with one hosted model, its replies kept in a ledger as a project's are."""

    spared = 0.0

    def __init__(self, base_url: str, ledger: Path) -> None:
        from levers.model.hosted import HostedSettings

        settings = HostedSettings(concurrency=AT_ONCE)
        self._model = Replayed(open_model("openai/m", base_url=base_url, settings=settings), Replay(ledger))

    def model(self, reference: ModelRef) -> Model:
        return self._model

    def finder(self, index: str) -> object:
        raise KeyError(index)

    def inline(self, part: Inline) -> tuple[Inline, str]:
        return part, ""

    def shots(self, part: Shots) -> tuple[Shots, str]:
        return part, ""


def measure() -> list[Row]:
    """Run the trial, then every peer that is installed."""
    ideal = -(-CASES // AT_ONCE) * DELAY
    try:
        with slow_server(DELAY) as base_url:
            ours = _ours(base_url)
            rows = [_row("levers", *ours, ideal)]
            for name, run in PEERS.items():
                try:
                    found = run(base_url, CASES, AT_ONCE)
                except subprocess.CalledProcessError as error:
                    print(f"{name}: left out, it failed: {(error.stderr or '')[-300:]}", file=sys.stderr)
                    continue
                if found is not None:
                    rows.append(_row(name, *found, ideal))
            return rows
    except (MissingExtra, ImportError) as error:
        raise Skipped(str(error)) from error


def _row(who: str, wall: float, cpu: float, ideal: float) -> Row:
    what = f"{who}: {CASES} answers, {AT_ONCE} at once, {DELAY * 1000:.0f} ms each"
    return Row("concurrency", what, wall, "the ideal", ideal, "s", f"{1000 * cpu / CASES:.2f} ms of CPU per answer")


def _ours(base_url: str) -> tuple[float, float]:
    cases = tuple(Case(id=f"c{n}", input=f"How long, {n}?", expected="30 days", partition="dev") for n in range(CASES))
    config = TaskConfig(name="t", instructions="b.md", golden="g.jsonl", graders=(GraderSpec(kind="exact"),))
    task = Task(root=Path("."), config=config, instructions="Answer.", cases=cases)
    stack = Stack(model=ModelRef(id="openai/m"))
    walls, processor = [], []
    for _ in range(REPEATS + 1):
        with tempfile.TemporaryDirectory() as folder:  # a fresh ledger: nothing is replayed
            desk = _Desk(base_url, Path(folder) / "ledger.sqlite")
            begun, used = time.perf_counter(), time.process_time()
            trial = run_trial(task, cases, answerer(stack, desk), stack=stack.digest)
            walls.append(time.perf_counter() - begun)
            processor.append(time.process_time() - used)
        assert trial.quality == 1
    return median(walls[1:]), median(processor[1:])
