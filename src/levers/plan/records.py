"""A quote says what a lever would gain and cost before it is pulled; a plan sets the quotes side by side."""

from typing import Any, Literal

from pydantic import Field

from levers.economics import CostFigure
from levers.ledger import Record
from levers.trial.records import Interval
from levers.tuning.pilot import Piloted

Effort = Literal["minutes", "hours", "days to weeks", "weeks"]
EFFORTS: tuple[Effort, ...] = ("minutes", "hours", "days to weeks", "weeks")
Verdict = Literal["next", "later", "no"]


class GateCheck(Record):
    """A data gate or guard set against what the project has: at least `need`, or `at_most` so many.

    `open`: `usual` is no limit. One that is not met blocks the lever, or with `blocks` False is told only.
    """

    goal: str
    have: int
    need: int
    usual: int
    unit: str
    met: bool
    source: str
    open: bool = False
    at_most: bool = False
    blocks: bool = True


class Quote(Record):
    """What a lever would bring and cost if it were pulled now.

    `gain` (pass share) and `score_gain` (mean credit) are the headroom measured by the lever's probes: the most that a
    perfect product could bring. `unlocks` is the share of cases that need it, alone or beside other needs.
    `forecast` and `score_forecast` are where the pull may come out on dev, with 95 %: the headroom, less what the
    probes were seen to harm, and for levers that teach more than any probe hands over what else that may cure.
    `one_time` is USD before the first answer, `per_answer` USD per answer with it (None where no price is
    known for the model), `latency_ms` what it adds.
    `settings` is the pull that is quoted; `blocked` says why it cannot be pulled now, empty when it can.
    `pilot` is what pilots of this lever on this stack measured, None where none were made.
    `saves` (USD per answer, at most) makes it a lever that saves: quality shall stay, cost shall fall.
    """

    lever: str
    answers: str
    gain: float
    interval: Interval
    score_gain: float
    score_interval: Interval
    unlocks: float
    one_time: CostFigure
    per_answer: CostFigure | None
    latency_ms: CostFigure
    gates: tuple[GateCheck, ...] = ()
    effort: Effort = "minutes"
    freshness: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    blocked: str = ""
    saves: CostFigure | None = None
    pilot: Piloted | None = None
    forecast: Interval | None = None
    score_forecast: Interval | None = None


class Option(Record):
    """A quote with the plan's word on it."""

    quote: Quote
    verdict: Verdict
    why: str


class Plan(Record):
    """The options, the chosen one first, and the name of the lever to pull next (None: nothing pays)."""

    stack: str
    options: tuple[Option, ...]
    next: str | None

    @property
    def chosen(self) -> Quote | None:
        """The quote to pull next."""
        return next((option.quote for option in self.options if option.verdict == "next"), None)


class Attempt(Record):
    """A pull that was made: on which stack, with which settings, whether it was kept, and why (not)."""

    stack: str
    lever: str
    settings: dict[str, Any]
    accepted: bool
    why: str
