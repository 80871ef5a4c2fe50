"""What every lever looks at: where the loop stands, and what the project has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from levers.diagnosis import Diagnosis, ProbeName
from levers.errors import LeversError
from levers.knowledge import Index
from levers.ledger import Record
from levers.plan import Attempt, Quote
from levers.stack import Stack
from levers.stack.workshop import ProjectWorkshop
from levers.task.records import Task
from levers.trial.bench import DevBench
from levers.trial.records import DevTrial
from levers.tuning.pilot import SHARES, Piloted


@dataclass(frozen=True)
class Situation:
    """A stack with its dev trial and diagnosis, the bench to measure on, the workshop to build in, the past pulls."""

    bench: DevBench
    workshop: ProjectWorkshop
    stack: Stack
    trial: DevTrial
    diagnosis: Diagnosis
    attempts: tuple[Attempt, ...] = ()
    index: Callable[[], Index | None] = lambda: None

    def __post_init__(self) -> None:
        """Refuse a bench that holds held-out cases, for callers without a type checker."""
        if not isinstance(self.bench, DevBench):
            raise LeversError("levers look at dev cases only", "hand over `bench.dev`")

    @property
    def documents(self) -> Path | None:
        """The documents' folder."""
        return self.bench.task.documents


class Pulled(Record):
    """What a pull made: the better stack (one for each variant tried, best first), what changed, the material used.

    `worse` says what got decisively worse by the lever's own checks: such a stack is not put to use. `refused` says why
    a run's pull came to nothing; the stack is then the one it started from.
    """

    stack: Stack
    changed: str
    material: str
    notes: tuple[str, ...] = ()
    worse: tuple[str, ...] = ()
    refused: str = ""


Material = Literal["documents", "examples"]


class Lever(Protocol):
    """Turns a stack and material into a better stack. `probes` are the probes that stand for it made perfect.

    `settings` is what a pull can be told; `wants` is the material without which no pull is possible.
    """

    name: str
    probes: tuple[ProbeName, ...]
    settings: type[Record]
    wants: tuple[Material, ...]

    def quote(self, situation: Situation) -> Quote:
        """Say what pulling would gain and cost now, and with which settings; touches nothing."""

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Pull with these settings. Raises UserError when the project lacks what the lever needs."""


@runtime_checkable
class Checking(Protocol):
    """A lever that can tell from the task and the stack alone that a pull would be refused."""

    def check(self, task: Task, settings: dict[str, Any], stack: Stack) -> None:
        """Raise UserError for what would stop the pull; asks no model."""


@runtime_checkable
class Piloting(Protocol):
    """A lever that can be tried on growing parts of its material first."""

    def pilot(self, situation: Situation, settings: dict[str, Any], shares: Sequence[float] = SHARES) -> Piloted:
        """Try it on parts, and keep what came of it for the quote."""
