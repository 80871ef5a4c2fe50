"""What a diagnosis says: the needs of every failing case, found by experiment, and the headroom of every probe."""

from typing import Literal

from levers.ledger import Record
from levers.trial.records import Interval

NeedName = Literal[
    "knowledge",
    "retrieval",
    "instruction",
    "format",
    "tone",
    "consistency",
    "capability",
    "tool",
    "label",
    "unexplained",
]
ProbeName = Literal["format", "knowledge", "instruction", "tone"]
PROBES: tuple[ProbeName, ...] = ("format", "knowledge", "instruction", "tone")


class Need(Record):
    """One thing a case lacked, in what form (`missed`, `buried`, `drowned` for retrieval), and why we say so."""

    name: NeedName
    detail: str = ""
    because: str = ""


class Tried(Record):
    """One re-run of a case with something changed: which probes, what came out."""

    probes: tuple[str, ...]
    passed: bool
    score: float
    answer: str


class CaseDiagnosis(Record):
    """A failing case: its needs, and every experiment that was run on it, in order."""

    case: str
    needs: tuple[Need, ...]
    tried: tuple[Tried, ...]


class NeedShare(Record):
    """How many of all measured cases have a need: count, share, Wilson 95 % interval."""

    cases: int
    share: float
    interval: Interval


class Headroom(Record):
    """What pulling a set of probes perfectly would gain over all measured cases.

    `gain` is in pass share, `score_gain` in mean graded credit, each with a paired bootstrap 95 % interval.
    `unlocks` is the share of cases that need at least one of the probes, alone or beside others.
    """

    probes: tuple[ProbeName, ...]
    gain: float
    interval: Interval
    score_gain: float
    score_interval: Interval
    unlocks: float


class Diagnosis(Record):
    """A diagnosis of one stack on the development cases."""

    stack: str
    measured: int
    failures: int
    needs: dict[str, NeedShare]
    cases: tuple[CaseDiagnosis, ...]
    headroom: tuple[Headroom, ...]

    def headroom_of(self, probes: tuple[ProbeName, ...]) -> Headroom | None:
        """Return the headroom measured for exactly these probes, or None."""
        return next((each for each in self.headroom if set(each.probes) == set(probes)), None)
