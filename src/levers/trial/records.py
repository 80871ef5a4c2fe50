"""A trial is a stack measured over cases, a graded outcome each; a comparison sets two trials side by side."""

from typing import Literal, NewType

from pydantic import Field

from levers.economics.price import Provenance
from levers.economics.usage import Usage
from levers.errors import LeversError
from levers.ledger import Record
from levers.stack.records import Answer
from levers.task.records import Partition


class Grade(Record):
    """One grader's word on one answer. `credit` is 0 to 1; None means not scored (`why` says why), never zero.

    `crashed`: the grader itself broke, which says nothing about the answer. `version` names the grader's code,
    settings and files: grades of the same version may be compared, wherever the answers came from.
    """

    grader: str
    credit: float | None
    passed: bool | None
    why: str = ""
    crashed: bool = False
    version: str = ""


class Outcome(Record):
    """One case's result: passes when every scored grader passes; `score` is the mean credit of the scored graders.

    Not `scored`: no grader could score it, or one of them broke. Such a case is neither a pass nor a failure, so that a
    lost grader bends no figure: all leave it out and say so. `source` is what the case was written from.
    """

    case: str
    passed: bool
    score: float
    grades: tuple[Grade, ...]
    answer: Answer
    cost: float | None = None
    scored: bool = True
    source: str = ""

    @property
    def failed(self) -> bool:
        """Say whether the answer was scored and does not pass."""
        return self.scored and not self.passed

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
    `ruled` tells whether there are rules at all.
    """

    attempts: int
    leaks: tuple[str, ...] = ()
    ruled: bool = False


class Slice(Record):
    """The cases with one tag: how many, and the mean share of their evidence that stood in the prompts."""

    cases: int
    recall: float


class Context(Record):
    """How much of the evidence stood in the prompts (context recall): the last step's word on search.

    Over the `cases` that name sections which their user may read: `recall` is the mean share of a case's sections of
    which a passage was shown, with its bootstrap 95 % interval; `whole` counts the cases that were shown all of theirs.
    `slices` has the same by tag.
    """

    cases: int
    recall: float
    interval: Interval
    whole: int
    slices: dict[str, Slice] = Field(default_factory=dict)


class Clustered(Record):
    """A mean over cases that share sources: `clusters` independent ones, standard error, 95 % interval, p against 0."""

    clusters: int
    mean: float
    error: float
    interval: Interval
    p_value: float


class Repeated(Record):
    """A mean over cases that were each answered `samples` times.

    `between` and `within` are variances: of the cases' own means, and of one answer around its case's mean; `unstable`
    counts the cases whose samples do not agree.
    """

    cases: int
    samples: int
    mean: float
    error: float
    interval: Interval
    between: float
    within: float
    unstable: int


class Margin(Record):
    """Whether a difference (after minus before) stays within a margin that would not matter.

    `p_worse` is the p-value against "worse by the margin or more", `p_better` against "better by it or more";
    `interval` holds 90 %, as two one-sided tests at 5 % do. `required_cases` show it with 80 % power if there is no
    difference. `sources` is how many the cases come from, None where no two share one; then both tests, and the
    interval, are the stricter of the cases' and the sources'.
    """

    measure: Literal["pass", "score"]
    cases: int
    margin: float
    difference: float
    interval: Interval
    p_worse: float
    p_better: float
    required_cases: int
    sources: int | None = None

    @property
    def not_worse(self) -> bool:
        """Non-inferiority: a loss of the margin is ruled out at 5 %, one-sided."""
        return self.p_worse < 0.05

    @property
    def equivalent(self) -> bool:
        """Equivalence: a loss and a gain of the margin are both ruled out at 5 % (two one-sided tests)."""
        return self.not_worse and self.p_better < 0.05


class Agreement(Record):
    """How well a judge agrees with people, on answers that people judged: share, Wilson interval, Cohen's kappa.

    `missed` counts bad answers that the judge let pass, `harsh` good ones that it did not.
    """

    labels: int
    agreement: float
    interval: Interval
    kappa: float
    missed: int
    harsh: int


class GraderNote(Record):
    """What a report says of a grader: its version, and for judges and classifiers how well they agree with people."""

    version: str
    agreement: Agreement | None = None
    note: str = ""


class Trial(Record):
    """A stack over one partition of a task: outcomes in case order, and the figures derived from them.

    `quality` is the share of scored cases that pass, `interval` its Wilson 95 % interval, `score` the mean graded
    credit; `unscored` counts the cases that no figure of quality includes. `clustered` is the pass share with an error
    that knows which cases share a source; None when none do. `graders` say by name what each grader is and how far to
    trust it.
    `cost_per_answer` is USD, None when no price is known; `latency` is by step name, "total" included. `leaks` is None
    where nobody looked, `context` also where no case names evidence.
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
    context: Context | None = None
    unscored: int = 0
    clustered: Clustered | None = None
    graders: dict[str, GraderNote] = Field(default_factory=dict)

    @property
    def price_standing(self) -> Provenance:
        """Where the prices behind the cost come from, as `cost_source` begins; the usage itself is measured."""
        standing = self.cost_source.partition(": ")[0]
        return "price book" if standing == "price book" else "assumed"

    def outcome(self, case: str) -> Outcome:
        """Return the outcome of that case. Raises KeyError when the case was not in the trial."""
        for outcome in self.outcomes:
            if outcome.case == case:
                return outcome
        raise KeyError(case)


DevTrial = NewType("DevTrial", Trial)
"""A trial over dev, the only kind that diagnosis and levers are handed; `as_dev` makes it."""


def as_dev(trial: Trial) -> DevTrial:
    """Vouch that a trial is over dev. Raises LeversError when it is not: levers must not see test or edge cases."""
    if trial.partition != "dev":
        raise LeversError(f"diagnosis and levers look at dev cases only, not at {trial.partition}")
    return DevTrial(trial)


class Comparison(Record):
    """Two trials on the same cases: `after` minus `before`.

    For measure "pass" the p-value is exact McNemar's (two-sided) and the interval Newcombe's for paired shares, for
    "score" a paired sign-flip permutation test's and the BCa bootstrap's. `detectable_difference` is the smallest
    difference these cases could show with 80 % power at the 5 % level. `clustered` is the difference with an error that
    knows which cases share a source; None when none do. `decisive`: both p-values lie under 5 %, where there are two.
    `unscored` cases were left out: one side has no score for them.
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
    clustered: Clustered | None = None
    unscored: int = 0

    @property
    def strict_p(self) -> float:
        """The p-value that verdicts go by: the larger of both where cases share a source."""
        return max(self.p_value, self.clustered.p_value) if self.clustered else self.p_value
