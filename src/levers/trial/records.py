"""A trial is a stack measured over cases, a graded outcome each; a comparison sets two trials side by side."""

from typing import Literal

from levers.economics.usage import Usage
from levers.ledger import Record
from levers.stack.records import Answer
from levers.task.records import Partition


class Grade(Record):
    """One grader's word on one answer. `credit` is 0 to 1; None means not scored (`why` says why), never zero."""

    grader: str
    credit: float | None
    passed: bool | None
    why: str = ""


class Outcome(Record):
    """One case's result: passes when every scored grader passes; `score` is the mean credit of the scored graders."""

    case: str
    passed: bool
    score: float
    grades: tuple[Grade, ...]
    answer: Answer
    cost: float | None = None

    def grade(self, name: str) -> Grade | None:
        """Return the grade of that grader, or None."""
        return next((grade for grade in self.grades if grade.grader == name), None)


class Interval(Record):
    """A 95 % interval."""

    low: float
    high: float


class Latency(Record):
    """Wall milliseconds per answer: median and 95th percentile."""

    p50_ms: float
    p95_ms: float


class Leaks(Record):
    """Access rules over a trial. `attempts` counts the cases whose evidence their user may not read.

    `leaks` names the cases whose prompt or citations held a document that their user may not read: it must be empty.
    """

    attempts: int
    leaks: tuple[str, ...] = ()


class Trial(Record):
    """A stack over one partition of a task: outcomes in case order, and the figures derived from them.

    `quality` is the share of cases that pass, `interval` its Wilson 95 % interval, `score` the mean graded credit.
    `cost_per_answer` is USD, None when no price is known; `latency` is by step name, "total" included. `leaks` is None
    where nobody looked.
    """

    stack: str
    task: str
    partition: Partition
    outcomes: tuple[Outcome, ...]
    quality: float
    interval: Interval
    score: float
    usage: Usage
    cost_per_answer: float | None
    cost_source: str
    latency: dict[str, Latency]
    leaks: Leaks | None = None

    def outcome(self, case: str) -> Outcome:
        """Return the outcome of that case. Raises KeyError when the case was not in the trial."""
        for outcome in self.outcomes:
            if outcome.case == case:
                return outcome
        raise KeyError(case)


class Comparison(Record):
    """Two trials on the same cases: `after` minus `before`.

    For measure "pass" the p-value is exact McNemar's (two-sided), for "score" a paired sign-flip permutation test's;
    intervals are paired bootstrap. `detectable_difference` is the smallest difference these cases could show with
    80 % power at the 5 % level.
    """

    measure: Literal["pass", "score"]
    cases: int
    before: float
    after: float
    difference: float
    interval: Interval
    p_value: float
    gained: int
    lost: int
    decisive: bool
    detectable_difference: float
