"""Set two trials side by side on the same cases."""

from collections.abc import Sequence
from typing import Literal

from levers.errors import LeversError
from levers.trial.measure import scored
from levers.trial.records import Comparison, Outcome, Trial
from levers.trial.statistics import (
    ALPHA,
    detectable_difference,
    detectable_mean,
    mcnemar_exact,
    paired_bootstrap,
    permutation_p,
)


def compare(before: Trial, after: Trial, measure: Literal["pass", "score"] = "pass", *, seed: int = 0) -> Comparison:
    """Compare pass/fail (exact McNemar) or mean scores (sign-flip permutation), case by case.

    `gained` and `lost` count cases that rose and fell.
    Raises LeversError unless both trials saw the same cases of the same task.
    """
    pairs = _pairs(before, after)
    if measure == "pass":
        return _compare_passes([(float(old.passed), float(new.passed)) for old, new in pairs], seed)
    return _compared("score", [(old.score, new.score) for old, new in pairs], seed)


def compare_grader(before: Trial, after: Trial, grader: str, *, seed: int = 0) -> Comparison:
    """Compare the share that one grader passes, over the cases it scored in both trials.

    Raises LeversError when there is no such case.
    """
    both = [(scored(old, grader), scored(new, grader)) for old, new in _pairs(before, after)]
    values = [(float(bool(old.passed)), float(bool(new.passed))) for old, new in both if old and new]
    if not values:
        known = ", ".join(each.grader for each in before.outcomes[0].grades)
        raise LeversError(f"no case was scored by grader {grader!r} in both trials", f"the graders are {known}")
    return _compare_passes(values, seed)


def _pairs(before: Trial, after: Trial) -> list[tuple[Outcome, Outcome]]:
    if before.task != after.task:
        raise LeversError("the trials are of different tasks or of different versions of one", "run both trials again")
    later = {outcome.case: outcome for outcome in after.outcomes}
    if len(before.outcomes) != len(after.outcomes) or any(old.case not in later for old in before.outcomes):
        raise LeversError("the trials are over different cases", "compare trials over the same partition")
    return [(old, later[old.case]) for old in before.outcomes]


def _compare_passes(values: Sequence[tuple[float, float]], seed: int) -> Comparison:
    return _compared("pass", values, seed)


def _compared(measure: Literal["pass", "score"], values: Sequence[tuple[float, float]], seed: int) -> Comparison:
    n = len(values)
    differences = [new - old for old, new in values]
    gained, lost = sum(each > 0 for each in differences), sum(each < 0 for each in differences)
    if measure == "pass":
        p_value, detectable = mcnemar_exact(gained, lost), detectable_difference(n, (gained + lost) / n)
    else:
        p_value, detectable = permutation_p(differences, seed), detectable_mean(differences)
    return Comparison(
        measure=measure,
        cases=n,
        before=sum(old for old, _ in values) / n,
        after=sum(new for _, new in values) / n,
        difference=sum(differences) / n,
        interval=paired_bootstrap(differences, seed),
        p_value=p_value,
        gained=gained,
        lost=lost,
        decisive=p_value < ALPHA,
        detectable_difference=detectable,
    )
