"""The verdict on a pull: dev decisively better, no other lever's gain blocked, test agrees, edge not worse."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from levers.loop.records import Measured
from levers.trial.compare import compare
from levers.trial.records import Comparison, Trial
from levers.trial.statistics import ALPHA, holm


class Judged(NamedTuple):
    """The comparisons that were made, in the order they were made, and what they decide."""

    accepted: bool
    why: str
    measured: Measured
    dev_pass: Comparison
    dev_score: Comparison
    p_value: float
    reach: Comparison | None = None
    test_pass: Comparison | None = None
    test_score: Comparison | None = None
    edge_pass: Comparison | None = None


class Opener(NamedTuple):
    """How to measure the two stacks where they are not measured yet; opening test is recorded by whoever opens.

    `reach` compares the two with everything given that the lever itself does not bring: what other levers could gain.
    """

    reach: Callable[[], Comparison | None]
    before_test: Callable[[], Trial]
    after_test: Callable[[], Trial]
    before_edge: Callable[[], Trial | None]
    after_edge: Callable[[], Trial | None]


def judge(before: Measured, after: Trial, earlier: Sequence[float], start_edge: Trial | None, open_: Opener) -> Judged:
    """Judge a pull. `earlier` are the raw p-values of the tries so far in this run, for Holm's adjustment.
    Where cases share a source, the p-value that knows it counts if it is the larger one.

    Test is opened only for a pull that dev keeps.
    """
    dev_pass, dev_score = compare(before.dev, after, "pass"), compare(before.dev, after, "score")
    p_value = holm([*earlier, deciding(dev_pass, dev_score).strict_p])[-1]
    measured = Measured(dev=after)
    against = _against_dev(dev_pass, dev_score, p_value)
    if against:
        return Judged(False, against, measured, dev_pass, dev_score, p_value)
    reach = open_.reach()
    if against := _against_reach(reach):
        return Judged(False, against, measured, dev_pass, dev_score, p_value, reach)
    old_test, new_test = open_.before_test(), open_.after_test()
    test_pass, test_score = compare(old_test, new_test, "pass"), compare(old_test, new_test, "score")
    old_edge, new_edge = open_.before_edge(), open_.after_edge()
    edge_pass = compare(old_edge, new_edge, "pass") if old_edge and new_edge else None
    measured = Measured(dev=after, test=new_test, edge=new_edge)
    confirming = test_pass if deciding(dev_pass, dev_score) is dev_pass else test_score
    against = _against_test(test_pass, test_score, confirming) or against_edge(edge_pass, new_edge, start_edge)
    sure = "" if confirming.decisive else ", not decisive by itself"
    why = against or (
        f"dev {dev_score.difference:+.3f} credit, {dev_pass.difference:+.3f} passes; "
        f"test agrees: {test_score.difference:+.3f} credit, {test_pass.difference:+.3f} passes "
        f"(p = {confirming.p_value:.4f}{sure})"
    )
    return Judged(not against, why, measured, dev_pass, dev_score, p_value, reach, test_pass, test_score, edge_pass)


def refuse(before: Trial, after: Trial, earlier: Sequence[float], why: str) -> Judged:
    """Reject a pull for what is known of it already: test is not opened."""
    dev_pass, dev_score = compare(before, after, "pass"), compare(before, after, "score")
    p_value = holm([*earlier, deciding(dev_pass, dev_score).strict_p])[-1]
    return Judged(False, why, Measured(dev=after), dev_pass, dev_score, p_value)


def deciding(dev_pass: Comparison, dev_score: Comparison) -> Comparison:
    """Return which comparison on dev decides: that of mean credit, or that of passes where only they rise.

    Passes are what the target asks for, credit shows smaller steps. Where an answer has several parts, a stack that
    does what the brief asks of a case it cannot answer may pass cases and lose credit on others that fail anyway. Both
    tests are two-sided and only a rise is kept, so together they err on at most ALPHA of pulls that change nothing.
    """
    return dev_pass if dev_score.difference <= 0 < dev_pass.difference else dev_score


def fell(comparison: Comparison) -> bool:
    """Tell whether passes or credit are lower by more than chance, each case counted by itself.

    Guards go by this: where cases share a source the larger p-value is the lenient one, and would let a loss through.
    """
    return comparison.difference < 0 and comparison.p_value < ALPHA


def _against_dev(dev_pass: Comparison, dev_score: Comparison, p_value: float) -> str:
    if dev_pass.difference < 0:
        return f"dev is worse: {dev_pass.lost} cases lost, {dev_pass.gained} gained"
    decides = deciding(dev_pass, dev_score)
    credit = f"{dev_score.difference:+.3f} mean credit"
    came = f"{dev_pass.gained} cases gained, {dev_pass.lost} lost, at {credit}" if decides is dev_pass else credit
    if decides.difference <= 0:
        return f"dev is not better: {came}"
    if p_value >= ALPHA:
        return (
            f"not decisive on dev: {came}, p = {p_value:.3f} after Holm; "
            f"these cases could show {decides.detectable_difference:.3f}"
        )
    return ""


def _against_reach(reach: Comparison | None) -> str:
    if reach is None or not fell(reach):
        return ""
    return (
        f"it blocks other levers: with all else given, {reach.lost} cases would fail that passed before, "
        f"{reach.gained} the other way (p = {reach.p_value:.3f})"
    )


def _against_test(test_pass: Comparison, test_score: Comparison, confirming: Comparison) -> str:
    if confirming.difference <= 0 or test_pass.difference < 0:
        return (
            f"test does not confirm: {test_score.difference:+.3f} mean credit, {test_pass.gained} cases gained, "
            f"{test_pass.lost} lost"
        )
    return ""


def against_edge(edge: Comparison | None, now: Trial | None, start: Trial | None) -> str:
    """Say how edge fell: below the start, or decisively below what the step started from; empty when it did not."""
    if edge is None or now is None:
        return ""
    since = compare(start, now) if start is not None else None
    if since is not None and since.difference < 0:
        return f"edge fell below the start: {since.after:.3f} against {since.before:.3f}"
    if fell(edge):
        return f"edge is worse: {edge.lost} cases lost, {edge.gained} gained (p = {edge.p_value:.3f})"
    return ""
