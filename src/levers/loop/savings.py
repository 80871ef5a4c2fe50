"""The verdict on a pull that saves: cheaper as measured, and shown not to be worse by a margin that would matter."""

from levers.lever.room import MARGIN
from levers.loop.records import Measured
from levers.loop.verdict import Judged, Opener, against_edge, fell
from levers.trial import compare, within_margin
from levers.trial.records import Comparison, Trial


def judge_saving(before: Measured, after: Trial, start_edge: Trial | None, open_: Opener) -> Judged:
    """Judge a pull whose quote saves. Test is opened only for a pull that dev keeps.

    The p-value is that of the margin test: how likely so little loss is if the pull were worse by the margin.
    """
    dev_pass, dev_score = compare(before.dev, after, "pass"), compare(before.dev, after, "score")
    margin = within_margin(before.dev, after, MARGIN)
    against = _against_cost(before.dev, after)
    if not against and not margin.not_worse:
        against = (
            f"not shown that dev is no worse by {MARGIN:.0%}: {dev_pass.lost} cases lost, {dev_pass.gained} gained "
            f"(p = {margin.p_worse:.3f}; {margin.required_cases} cases are needed, there are {margin.cases})"
        )
    if against:
        return Judged(False, against, Measured(dev=after), dev_pass, dev_score, margin.p_worse)
    old_test, new_test = open_.before_test(), open_.after_test()
    test_pass, test_score = compare(old_test, new_test, "pass"), compare(old_test, new_test, "score")
    old_edge, new_edge = open_.before_edge(), open_.after_edge()
    edge_pass = compare(old_edge, new_edge, "pass") if old_edge and new_edge else None
    against = _against_test(test_pass) or against_edge(edge_pass, new_edge, start_edge)
    why = against or (
        f"{_saved(before.dev, after)}; dev is not worse by {MARGIN:.0%} ({dev_pass.difference:+.3f} passes, "
        f"p = {margin.p_worse:.3f}); test agrees: {test_pass.difference:+.3f} passes"
    )
    measured = Measured(dev=after, test=new_test, edge=new_edge)
    return Judged(
        not against, why, measured, dev_pass, dev_score, margin.p_worse, None, test_pass, test_score, edge_pass
    )


def _against_cost(before: Trial, after: Trial) -> str:
    if before.cost_per_answer is None or after.cost_per_answer is None:
        return "no price is known, so no saving can be shown"
    if after.cost_per_answer >= before.cost_per_answer:
        return f"it saves nothing: ${after.cost_per_answer:.2g} an answer against ${before.cost_per_answer:.2g}"
    return ""


def _saved(before: Trial, after: Trial) -> str:
    old, new = before.cost_per_answer or 0.0, after.cost_per_answer or 0.0
    return f"${new:.2g} an answer instead of ${old:.2g} ({1 - new / old:.0%} less)" if old else "cheaper"


def _against_test(test: Comparison) -> str:
    if test.difference < -MARGIN or fell(test):
        return f"test does not confirm: {test.lost} cases lost, {test.gained} gained"
    return ""
