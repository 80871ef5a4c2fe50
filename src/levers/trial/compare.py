"""Set two trials side by side on the same cases."""

from collections.abc import Sequence
from typing import Literal

from levers.errors import LeversError
from levers.trial.clusters import detectable_clustered, margin_clustered, shared
from levers.trial.measure import scored
from levers.trial.paired import margin_of_means, margin_of_passes, newcombe_paired
from levers.trial.records import Comparison, Margin, Outcome, Trial
from levers.trial.statistics import (
    ALPHA,
    detectable_difference,
    detectable_mean,
    mcnemar_exact,
    paired_bootstrap,
    permutation_p,
)

Measure = Literal["pass", "score"]


def compare(before: Trial, after: Trial, measure: Measure = "pass", *, seed: int = 0) -> Comparison:
    """Compare pass/fail (exact McNemar) or mean scores (sign-flip permutation), case by case.

    `gained` and `lost` count cases that rose and fell.
    Raises LeversError unless both trials saw the same cases of the same task.
    """
    pairs = _scored(_pairs(before, after))
    left_out = len(before.outcomes) - len(pairs)
    values = [_values(old, new, measure) for old, new in pairs]
    return _compared(measure, values, [old.source for old, _ in pairs], seed, left_out)


def compare_grader(before: Trial, after: Trial, grader: str, *, seed: int = 0) -> Comparison:
    """Compare the share that one grader passes, over the cases it scored in both trials.

    Raises LeversError when there is no such case.
    """
    both = [(old.source, scored(old, grader), scored(new, grader)) for old, new in _pairs(before, after)]
    found = [(source, float(bool(old.passed)), float(bool(new.passed))) for source, old, new in both if old and new]
    if not found:
        known = ", ".join(each.grader for each in before.outcomes[0].grades)
        raise LeversError(f"no case was scored by grader {grader!r} in both trials", f"the graders are {known}")
    values, sources = [(old, new) for _, old, new in found], [source for source, _, _ in found]
    return _compared("pass", values, sources, seed, len(both) - len(found))


def within_margin(before: Trial, after: Trial, margin: float, measure: Measure = "pass") -> Margin:
    """Test whether the later stack is not worse by `margin` (a share of passes, or of mean credit), or even equivalent.

    For stacks that are pulled to be cheaper or faster: distilled, cached, routed. Where cases share a source, the
    sources have to show it too.
    """
    pairs = _scored(_pairs(before, after))
    differences = [new - old for old, new in (_values(old, new, measure) for old, new in pairs)]
    if measure == "score":
        found = margin_of_means(differences, margin)
    else:
        gained, lost = sum(each > 0 for each in differences), sum(each < 0 for each in differences)
        found = margin_of_passes(gained, lost, len(pairs), margin)
    grouped = shared(differences, [old.source for old, _ in pairs])
    return margin_clustered(found, differences, grouped) if grouped else found


def _values(old: Outcome, new: Outcome, measure: Measure) -> tuple[float, float]:
    return (float(old.passed), float(new.passed)) if measure == "pass" else (old.score, new.score)


def _scored(pairs: list[tuple[Outcome, Outcome]]) -> list[tuple[Outcome, Outcome]]:
    kept = [(old, new) for old, new in pairs if old.scored and new.scored]
    if not kept:
        raise LeversError("no case was scored in both trials", "look at the graders: `levers trial` says what broke")
    return kept


def _pairs(before: Trial, after: Trial) -> list[tuple[Outcome, Outcome]]:
    if before.task != after.task:
        raise LeversError("the trials are of different tasks or of different versions of one", "run both trials again")
    later = {outcome.case: outcome for outcome in after.outcomes}
    if len(before.outcomes) != len(after.outcomes) or any(old.case not in later for old in before.outcomes):
        raise LeversError("the trials are over different cases", "compare trials over the same partition")
    return [(old, later[old.case]) for old in before.outcomes]


def _compared(
    measure: Measure, values: Sequence[tuple[float, float]], sources: Sequence[str], seed: int, left_out: int
) -> Comparison:
    n = len(values)
    differences = [new - old for old, new in values]
    gained, lost = sum(each > 0 for each in differences), sum(each < 0 for each in differences)
    if measure == "pass":
        p_value, detectable = mcnemar_exact(gained, lost), detectable_difference(n, (gained + lost) / n)
        both = sum(old > 0 and new > 0 for old, new in values)
        interval = newcombe_paired(both, gained, lost, n - both - gained - lost)
    else:
        p_value, detectable = permutation_p(differences, seed), detectable_mean(differences)
        interval = paired_bootstrap(differences, seed)
    grouped = shared(differences, sources)
    if grouped:
        detectable = max(detectable, detectable_clustered(grouped))
    return Comparison(
        measure=measure,
        cases=n,
        before=sum(old for old, _ in values) / n,
        after=sum(new for _, new in values) / n,
        difference=sum(differences) / n,
        interval=interval,
        p_value=p_value,
        gained=gained,
        lost=lost,
        decisive=max(p_value, grouped.p_value if grouped else 0.0) < ALPHA,
        detectable_difference=detectable,
        clustered=grouped,
        unscored=left_out,
    )
