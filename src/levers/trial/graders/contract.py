"""The contract of a grader: a case and its answer in, a verdict out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from levers.errors import LeversError
from levers.ledger import Record
from levers.model.contract import Embedder, Model
from levers.stack.records import Answer
from levers.task.records import Case, GraderSpec

Schemas = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Kit:
    """What graders may use beside the case: schemas by file name, the project's folder, models, access rules.

    What is None is not at hand: a grader that needs it cannot score, and says so. `tables` is the project's database;
    `readable` tells whether a user may read a document, or `document#section`.
    """

    schemas: Schemas = field(default_factory=dict)
    root: Path = Path(".")
    open_model: Callable[[str], Model] | None = None
    embedder: Callable[[], Embedder] | None = None
    readable: Callable[[str, str | None], bool] | None = None
    tables: str | None = None
    cache: dict[str, Any] = field(default_factory=dict)

    def model(self, reference: str) -> Model:
        """Open a model. Raises LeversError where none can be opened."""
        if self.open_model is None:
            raise LeversError(f"no model can be opened here, and {reference} is needed")
        return self.open_model(reference)

    def file(self, name: str) -> Path:
        """Return the path of a project's file. Raises LeversError when it is not there."""
        path = self.root / name
        if not path.is_file():
            raise LeversError(f"there is no file {name}")
        return path


class Verdict(Record):
    """What a grader found: `credit` 0 to 1, and whether that passes. Both None: there was nothing to score."""

    credit: float | None
    passed: bool | None
    why: str = ""

    @classmethod
    def of(cls, passed: bool, why: str = "") -> "Verdict":
        """All or nothing; a pass needs no reason."""
        return cls(credit=float(passed), passed=passed, why="" if passed else why)

    @classmethod
    def graded(cls, credit: float, threshold: float, why: str) -> "Verdict":
        """Credit between 0 and 1 that passes from a threshold up."""
        passed = credit >= threshold
        return cls(credit=credit, passed=passed, why="" if passed else why)


Check = Callable[[GraderSpec, str, tuple[str, ...]], Verdict]
"""Compares one text with the accepted texts."""

Grader = Callable[[GraderSpec, Case, Answer, Kit], Verdict]
"""Grades a whole answer. It may raise: `grade` then records that it crashed and that nothing was scored, and why."""

BatchGrader = Callable[[GraderSpec, Sequence[tuple[Case, Answer]], Kit], list[Verdict | Exception]]
"""Grades many answers at once, for graders that ask a model; an exception in a verdict's place is that one's crash."""
