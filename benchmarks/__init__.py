"""Small, honest benchmarks: each figure stands beside a named limit or peer, measured in the same run.

    python -m benchmarks                 a table
    python -m benchmarks --json          the same as JSON
    python -m benchmarks search trials   only these

Times are medians over repeats, ours and theirs taken in turns, so that a busy machine disturbs both alike.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, what it is set against, both in `unit`; `note` says how to read the ratio.

    `table` holds what does not fit in a line.
    """

    benchmark: str
    what: str
    measured: float
    against: str
    limit: float
    unit: str
    note: str
    table: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the limit's or peer's figure ours is; None of nothing."""
        return self.measured / self.limit if self.limit else None


class Skipped(Exception):
    """A benchmark cannot run here, and why."""


def in_turns(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the median seconds of both, run in turns after one unmeasured run each."""
    ours(), theirs()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for kept, run in zip(times, (ours, theirs), strict=True):
            begun = time.perf_counter()
            run()
            kept.append(time.perf_counter() - begun)
    return median(times[0]), median(times[1])


def data_folder() -> Path:
    """Return the folder of data sets: $LEVERS_DATA, or shared/data beside the checkout."""
    named = os.environ.get("LEVERS_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
