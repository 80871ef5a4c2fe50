"""Latency budgets: each step's p50 and p95, which steps break the target, and what the others may take."""

from collections.abc import Sequence

from pydantic import Field

from levers.economics.price import Provenance, weakest
from levers.economics.reference import latency
from levers.ledger import Record

# S2's own pipeline: 900 ms on average and 2,400 ms at p95. Used where a source gives only a median.
TAIL = 2400 / 900


class StepTime(Record):
    """How long one step of answering takes: ms at the median and at the 95th percentile, and where both come from."""

    name: str
    p50: float = Field(ge=0, allow_inf_nan=False)
    p95: float = Field(ge=0, allow_inf_nan=False)
    provenance: Provenance
    source: str


class StepBudget(Record):
    """A step against its share of the target: what it takes, what it may take, and whether it breaks the target."""

    step: StepTime
    share: float
    budget: float
    breaks: bool


class LatencyBudget(Record):
    """The steps against a target for p95 in ms.

    `p95` is the measured total where there is one, else an estimate: the steps' own p95 added up, which the whole may
    exceed. `met` says whether it is within the target. The steps that break it are the fewest, slowest first, without
    which the rest would fit; `to_save` is what must go in ms.
    """

    target: float
    p50: float
    p95: float
    measured_total: bool
    met: bool
    to_save: float
    steps: tuple[StepBudget, ...]
    provenance: Provenance


def latency_budget(steps: Sequence[StepTime], target: float, total: StepTime | None = None) -> LatencyBudget:
    """Set steps against a target in ms. `total` is the measured whole; without it the sum of p95s is taken."""
    worst = sum(step.p95 for step in steps)
    p95 = total.p95 if total else worst
    over = max(0.0, p95 - target)
    breaking: set[int] = set()
    left = p95
    for place in sorted(range(len(steps)), key=lambda index: (-steps[index].p95, index)):
        if left <= target:
            break
        breaking.add(place)
        left -= steps[place].p95
    rows = tuple(
        StepBudget(
            step=step,
            share=step.p95 / worst if worst else 0.0,
            budget=target * step.p95 / worst if worst else target,
            breaks=place in breaking,
        )
        for place, step in enumerate(steps)
    )
    return LatencyBudget(
        target=target,
        p50=total.p50 if total else sum(step.p50 for step in steps),
        p95=p95,
        measured_total=total is not None,
        met=p95 <= target,
        to_save=over,
        steps=rows,
        provenance=weakest([step.provenance for step in (*steps, *((total,) if total else ()))]),
    )


def reference_step(name: str, label: str = "", end: float = 1.0) -> StepTime:
    """Return a step from the field's figures: the point `end` (0 low, 1 high) of its p50 range, p95 by S2's tail."""
    found = latency(name)
    p50 = found.low + (found.high - found.low) * end
    source = f"{found.source}: {found.name}, {found.low:g} to {found.high:g} ms p50; p95 by S2's tail, 2,400 to 900"
    return StepTime(name=label or name, p50=p50, p95=p50 * TAIL, provenance="assumed", source=source)


def prompt_overhead(tokens: int) -> StepTime:
    """Return what a system prompt of so many tokens adds: in proportion to S2's 200 ms p50 and 400 ms p95 for 4,000."""
    p50, p95 = (
        latency(name).low for name in ("system prompt of 4,000 tokens, added", "system prompt of 4,000 tokens, p95")
    )
    source = "S2: 4,000 tokens add about 200 ms at p50 and 400 ms at p95; taken in proportion"
    if tokens == 4000:
        source = "S2: about 200 ms at p50 and 400 ms at p95"
    share = tokens / 4000
    label = f"system prompt of {tokens:,} tokens"
    return StepTime(name=label, p50=p50 * share, p95=p95 * share, provenance="assumed", source=source)
