"""What the verbs return, where no room has a record for it."""

from levers.diagnosis.lint import Finding
from levers.economics import Usage
from levers.errors import Problem
from levers.knowledge import Update
from levers.ledger import Record
from levers.stack import Answer
from levers.trial import Comparison, Margin, Trial


class Measurement(Record):
    """A trial, how it compares with another stack's if one was named, and whether it stays within a margin if asked."""

    trial: Trial
    comparison: Comparison | None = None
    margin: Margin | None = None


class Indexed(Record):
    """An index brought up to date: what it holds, what that took, and what could not be read.

    `lag` is the time in seconds from the last saved change to the index that shows it, None where nothing changed;
    `wanted` is the task's `targets.freshness` in seconds.
    """

    digest: str
    documents: int
    passages: int
    update: Update
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    lag: float | None = None
    wanted: float | None = None
    purged: bool = False

    @property
    def fresh(self) -> bool:
        """Tell whether the change showed as soon as the task wants it."""
        return self.lag is None or self.wanted is None or self.lag <= self.wanted


START = "start"


class Answered(Record):
    """One answer and what it cost in USD; None when no price is known.

    `stack` is the stack that answered: its digest, or `start` for the plain prompt. `unsearched`: the project has
    documents, and this stack shows none of them.
    """

    answer: Answer
    cost: float | None
    usage: Usage
    stack: str = ""
    unsearched: bool = False


class Linted(Record):
    """What lint found in a prompt: findings, what breaks it first; and the file or stack that was linted."""

    prompt: str
    findings: tuple[Finding, ...]

    @property
    def breaks(self) -> bool:
        """Tell whether anything found is wrong whatever else is true."""
        return any(finding.weight == "breaks" for finding in self.findings)


class Ledger(Record):
    """What a project's ledger holds: values kept, USD spent under the cap (None without one), and lines moved."""

    kept: int
    spent: float | None
    cap: float | None
    moved: int | None = None
