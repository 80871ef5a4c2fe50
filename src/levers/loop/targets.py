"""Set the task's targets against what a stack reached on test."""

from levers.loop.records import Measured, Target
from levers.task import Targets


def reached(targets: Targets, measured: Measured) -> tuple[Target, ...]:
    """Return each target that can be measured with what was reached; without a test trial nothing is reached."""
    trial = measured.test
    found = [
        Target(
            name="quality",
            wanted=targets.quality,
            reached=trial.quality if trial else None,
            met=trial is not None and trial.quality >= targets.quality,
            unit="share of test cases that pass",
            provenance="measured",
        )
    ]
    if targets.cost_per_answer is not None:
        cost = trial.cost_per_answer if trial else None
        found.append(
            Target(
                name="cost_per_answer",
                wanted=targets.cost_per_answer,
                reached=cost,
                met=cost is not None and cost <= targets.cost_per_answer,
                unit="USD",
                provenance=f"measured usage; price {trial.cost_source}" if trial else "no trial",
            )
        )
    if targets.p95_ms is not None:
        p95 = trial.latency["total"].p95_ms if trial else None
        found.append(
            Target(
                name="p95_ms",
                wanted=targets.p95_ms,
                reached=p95,
                met=p95 is not None and p95 <= targets.p95_ms,
                unit="ms",
                provenance="measured, each answer's share of its batch",
            )
        )
    return tuple(found)
