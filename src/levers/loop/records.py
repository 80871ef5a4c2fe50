"""What a run leaves behind: the steps with their figures, and everything a report needs to tell the story."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from levers.diagnosis.records import Diagnosis
from levers.ledger import Record
from levers.plan.records import Attempt, Plan
from levers.stack.records import Stack
from levers.task.records import Partition
from levers.trial.records import Comparison, Trial

Verdict = Literal["start", "accepted", "rejected"]

SEED = 0  # of every bootstrap, permutation, sample and training run


class Measured(Record):
    """One stack's trials. A partition that was not opened for this stack is None."""

    dev: Trial
    test: Trial | None = None
    edge: Trial | None = None


class Opening(Record):
    """One opening of the held-out test cases: at which step, for which stack, and why."""

    step: int
    stack: str
    reason: str


class Step(Record):
    """One turn of the loop. Step 0 is the start: the plain prompt.

    `before` is the diagnosis and plan that led here; comparisons are against the stack the step started from.
    `reach` compares both stacks on dev with all given that the lever does not bring: what other levers could gain.
    `p_value` is the paired permutation test's on the score over dev, or exact McNemar's on passes where only they rise,
    Holm-adjusted over the tries so far (`tries`); for a pull that saves, the larger of the margin tests' on both.
    """

    number: int
    lever: str
    settings: dict[str, Any] = Field(default_factory=dict)
    stack: Stack
    measured: Measured
    diagnosis: Diagnosis | None = None
    plan: Plan | None = None
    dev_pass: Comparison | None = None
    dev_score: Comparison | None = None
    test_pass: Comparison | None = None
    test_score: Comparison | None = None
    edge_pass: Comparison | None = None
    reach: Comparison | None = None
    p_value: float | None = None
    tries: int = 0
    verdict: Verdict
    why: str
    changed: str = ""
    material: str = ""
    notes: tuple[str, ...] = ()


class Target(Record):
    """A target against what the final stack reached on test; `provenance` says where the reached figure is from."""

    name: str
    wanted: float
    reached: float | None
    met: bool
    unit: str
    provenance: str


class Run(Record):
    """A finished run. `after` and `closing` are the last diagnosis and plan: what still fails, and why it stopped."""

    id: str
    task: str
    name: str
    model: str
    seed: int
    levers_version: str
    steps: tuple[Step, ...]
    openings: tuple[Opening, ...]
    stack: Stack
    final: Measured
    after: Diagnosis
    closing: Plan
    targets: tuple[Target, ...]
    targets_met: bool
    stopped: str
    seconds: float
    report: str

    def trial(self, partition: Partition) -> Trial | None:
        """Return the final stack's trial over that partition."""
        found: Trial | None = getattr(self.final, partition)
        return found

    def attempts_on(self, stack: str) -> tuple[Attempt, ...]:
        """Return the pulls that were made on the way to the final stack; of no other stack does the run know them."""
        return attempts(self.steps) if stack == self.stack.digest else ()


def attempts(steps: Sequence[Step]) -> tuple[Attempt, ...]:
    """Return the pulls that steps made, each on the stack that its plan was for."""
    return tuple(
        Attempt(
            stack=step.plan.stack,
            lever=step.lever,
            settings=step.settings,
            accepted=step.verdict == "accepted",
            why=step.why,
        )
        for step in steps
        if step.plan
    )
