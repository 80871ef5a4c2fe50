"""The contract of a grader: a case and its answer in, a verdict out."""

from collections.abc import Callable, Mapping
from typing import Any

from levers.ledger import Record
from levers.stack.records import Answer
from levers.task.records import Case, GraderSpec

Schemas = Mapping[str, dict[str, Any]]


class Verdict(Record):
    """What a grader found: `credit` 0 to 1, and whether that passes. Both None: there was nothing to score."""

    credit: float | None
    passed: bool | None
    why: str = ""

    @classmethod
    def of(cls, passed: bool, why: str = "") -> "Verdict":
        """All or nothing; a pass needs no reason."""
        return cls(credit=float(passed), passed=passed, why="" if passed else why)


Check = Callable[[GraderSpec, str, tuple[str, ...]], Verdict]
"""Compares one text with the accepted texts."""

Grader = Callable[[GraderSpec, Case, Answer, Schemas], Verdict]
"""Grades a whole answer. It may raise: `grade` then records that nothing was scored, and why."""
