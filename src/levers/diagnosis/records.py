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
    "reasoning",
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
    """How many of all measured cases have a need: count, share, Wilson 95 % interval.

    Where the failing cases were sampled, the count is an estimate too.
    """

    cases: int
    share: float
    interval: Interval


class Headroom(Record):
    """What pulling a set of probes perfectly would gain over all measured cases.

    `gain` is in pass share, `score_gain` in mean graded credit, each with a paired bootstrap 95 % interval.
    `unlocks` is the share of cases that need at least one of the probes, alone or beside others.
    `harm` is the pass share that the probes lose again on cases that pass without them, `score_harm` the mean credit,
    measured on a draw of those: what they give may mislead as well.
    """

    probes: tuple[ProbeName, ...]
    gain: float
    interval: Interval
    score_gain: float
    score_interval: Interval
    unlocks: float
    harm: float = 0.0
    harm_interval: Interval = Interval(low=0.0, high=0.0)
    score_harm: float = 0.0
    score_harm_interval: Interval = Interval(low=0.0, high=0.0)

    @property
    def forecast(self) -> Interval:
        """What a pull may come to in pass share: what the probes gain, less what they harm, with both intervals."""
        return Interval(
            low=self.interval.low - self.harm_interval.high, high=self.interval.high - self.harm_interval.low
        )

    @property
    def score_forecast(self) -> Interval:
        """The same in mean credit."""
        gain, harm = self.score_interval, self.score_harm_interval
        return Interval(low=gain.low - harm.high, high=gain.high - harm.low)


class Interaction(Record):
    """What two sets of probes gain together beyond the sum of what each gains alone, in pass share over all cases.

    Above 0: cases need both, and one lever of the two shows nothing of it. Below: either cures the same cases.
    """

    first: tuple[ProbeName, ...]
    second: tuple[ProbeName, ...]
    together: float
    gain: float
    interval: Interval


class Diagnosis(Record):
    """A diagnosis of one stack on the development cases; `measured` counts those that a grader could score.

    `sampled` is the number of failing cases that were looked at where not all of them were: then `cases` holds those,
    and shares and headroom are estimates for all, with intervals that know it.
    `stopped` says why it ended early, empty when it did not: then some experiments were not run, and headroom that
    could not be measured over all cases is left out; so is headroom where no grader could score an answer. `spent` is
    USD paid for it, None where nobody counted.
    """

    stack: str
    measured: int
    failures: int
    needs: dict[str, NeedShare]
    cases: tuple[CaseDiagnosis, ...]
    headroom: tuple[Headroom, ...]
    stopped: str = ""
    spent: float | None = None
    interactions: tuple[Interaction, ...] = ()
    sampled: int | None = None

    def headroom_of(self, probes: tuple[ProbeName, ...]) -> Headroom | None:
        """Return the headroom measured for exactly these probes, or None."""
        return next((each for each in self.headroom if set(each.probes) == set(probes)), None)
