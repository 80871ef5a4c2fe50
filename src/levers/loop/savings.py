"""The verdict on a pull that saves: cheaper as measured, and shown not to be worse by a margin that would matter."""

from collections.abc import Sequence

from levers.lever.room import MARGIN
from levers.loop.records import Measured
from levers.loop.verdict import Judged, Opener, against_edge, fell
from levers.trial import compare, within_margin
from levers.trial.records import Comparison, Margin, Trial


def judge_saving(before: Measured, after: Trial, start_edge: Trial | None, open_: Opener) -> Judged:
    """Judge a pull whose quote saves. Test is opened only for a pull that dev keeps.

    Neither passes nor mean credit may be worse by the margin: where few cases pass, credit alone shows a loss. The
    p-value is the larger of the two margin tests': how likely so little loss is if the pull were worse by the margin.
    """
    dev_pass, dev_score = compare(before.dev, after, "pass"), compare(before.dev, after, "score")
    margins = [within_margin(before.dev, after, MARGIN, measure) for measure in ("pass", "score")]
    p_worse = max(margin.p_worse for margin in margins)
    against = _against_cost(before.dev, after) or _against_dev(dev_pass, dev_score, margins)
    if against:
        return Judged(False, against, Measured(dev=after), dev_pass, dev_score, p_worse)
    old_test, new_test = open_.before_test(), open_.after_test()
    test_pass, test_score = compare(old_test, new_test, "pass"), compare(old_test, new_test, "score")
    old_edge, new_edge = open_.before_edge(), open_.after_edge()
    edge_pass = compare(old_edge, new_edge, "pass") if old_edge and new_edge else None
    against = _against_test(test_pass, test_score) or against_edge(edge_pass, new_edge, start_edge)
    why = against or (
        f"{_saved(before.dev, after)}; dev is not worse by {MARGIN:.0%} ({dev_pass.difference:+.3f} passes, "
        f"{dev_score.difference:+.3f} credit, p = {p_worse:.3f}); test agrees: {test_pass.difference:+.3f} passes"
    )
    measured = Measured(dev=after, test=new_test, edge=new_edge)
    return Judged(not against, why, measured, dev_pass, dev_score, p_worse, None, test_pass, test_score, edge_pass)


def _against_cost(before: Trial, after: Trial) -> str:
    if before.cost_per_answer is None or after.cost_per_answer is None:
        return "no price is known, so no saving can be shown"
    if after.cost_per_answer >= before.cost_per_answer:
        return f"it saves nothing: ${after.cost_per_answer:.2g} an answer against ${before.cost_per_answer:.2g}"
    return ""


def _saved(before: Trial, after: Trial) -> str:
    old, new = before.cost_per_answer or 0.0, after.cost_per_answer or 0.0
    return f"${new:.2g} an answer instead of ${old:.2g} ({1 - new / old:.0%} less)" if old else "cheaper"


def _against_dev(dev_pass: Comparison, dev_score: Comparison, margins: Sequence[Margin]) -> str:
    for margin, lost in zip(margins, (_lost(dev_pass), f"{dev_score.difference:+.3f} mean credit"), strict=True):
        if not margin.not_worse:
            return (
                f"not shown that dev is no worse by {MARGIN:.0%}: {lost} "
                f"(p = {margin.p_worse:.3f}; {margin.required_cases} cases are needed, there are {margin.cases})"
            )
    return ""


def _against_test(test_pass: Comparison, test_score: Comparison) -> str:
    if test_pass.difference < -MARGIN or fell(test_pass):
        return f"test does not confirm: {_lost(test_pass)}"
    if test_score.difference < -MARGIN or fell(test_score):
        return f"test does not confirm: {test_score.difference:+.3f} mean credit"
    return ""


def _lost(passes: Comparison) -> str:
    return f"{passes.lost} cases lost, {passes.gained} gained"
