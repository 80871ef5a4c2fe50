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
    "access",
    "unexplained",
]
ProbeName = Literal["format", "knowledge", "instruction", "tone"]
PROBES: tuple[ProbeName, ...] = ("format", "knowledge", "instruction", "tone")


class Need(Record):
    """One thing a case lacked, in what form, and why we say so.

    The forms of retrieval: `missed` (search does not find the evidence), `buried` (it does, below what is shown),
    `middle` (shown, and enough once it stands first), `stale` (an outdated passage won), `drowned` (other passages
    misled).
    """

    name: NeedName
    detail: str = ""
    because: str = ""


class Tried(Record):
    """One re-run of a case with something changed: which probes (or what was done to the passages), what came out."""

    probes: tuple[str, ...]
    passed: bool
    score: float
    answer: str


class CaseDiagnosis(Record):
    """A failing case: its needs, and every experiment that was run on it, in order.

    `ties` are other sets of probes, no larger than the one the needs come from, that made the case pass too.
    """

    case: str
    needs: tuple[Need, ...]
    tried: tuple[Tried, ...]
    ties: tuple[tuple[ProbeName, ...], ...] = ()


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
    """A diagnosis of one stack on the development cases.

    `stopped` says why it ended early, empty when it did not: then some experiments were not run, and headroom that
    could not be measured over all cases is left out. `spent` is USD paid for it, None where nobody counted.
    """

    stack: str
    measured: int
    failures: int
    needs: dict[str, NeedShare]
    cases: tuple[CaseDiagnosis, ...]
    headroom: tuple[Headroom, ...]
    stopped: str = ""
    spent: float | None = None

    def headroom_of(self, probes: tuple[ProbeName, ...]) -> Headroom | None:
        """Return the headroom measured for exactly these probes, or None."""
        return next((each for each in self.headroom if set(each.probes) == set(probes)), None)
