"""The verdict on a pull whose gain is all of one document."""

from levers.loop.records import Measured
from levers.loop.verdict import Judged, Opener, against_edge, judge, refuse
from levers.stack import Answer
from levers.trial import Outcome, Trial, compare
from levers.trial.records import Interval


def trial(passes: list[bool], sources: list[str]) -> Trial:
    outcomes = tuple(
        Outcome(case=str(at), passed=ok, score=float(ok), grades=(), answer=Answer(id=str(at), text=""), source=source)
        for at, (ok, source) in enumerate(zip(passes, sources, strict=True))
    )
    return Trial.model_construct(task="t", stack="s", partition="dev", outcomes=outcomes, quality=0.0)


def judged(sources: list[str]) -> Judged:
    before, after = trial([False] * 20, sources), trial([at < 10 for at in range(20)], sources)
    opener = Opener(
        reach=lambda: None,
        before_test=lambda: before,
        after_test=lambda: after,
        before_edge=lambda: None,
        after_edge=lambda: None,
    )
    return judge(Measured.model_construct(dev=before), after, [], None, opener)


def test_a_gain_of_ten_documents_is_kept_and_the_same_of_one_is_not() -> None:
    alone = judged([str(at) for at in range(20)])
    assert alone.accepted and alone.p_value < 0.05
    shared = judged(["one" if at < 10 else str(at % 2) for at in range(20)])
    assert not shared.accepted and shared.p_value > 0.05 and "not decisive on dev" in shared.why
    assert shared.dev_score.interval != Interval(low=0, high=0)
    assert "these cases could show 1.000" in shared.why
    alike = judged(["one" if at % 2 else "two" for at in range(20)])  # five of ten gained in both
    assert not alike.accepted and round(alike.p_value or 0, 2) == 0.14


def test_a_loss_in_two_documents_still_blocks() -> None:
    """Two sources never make a difference decisive, which must not open the door to a pull that loses half."""
    sources = ["one" if at < 10 else "two" for at in range(20)]
    before, after = trial([True] * 20, sources), trial([at == 0 or 10 <= at < 18 for at in range(20)], sources)
    assert not compare(before, after).decisive
    better = [str(at) for at in range(20)]
    low, high = trial([False] * 20, better), trial([True] * 20, better)
    blocked = Opener(
        reach=lambda: compare(before, after),
        before_test=lambda: low,
        after_test=lambda: high,
        before_edge=lambda: None,
        after_edge=lambda: None,
    )
    found = judge(Measured.model_construct(dev=low), high, [], None, blocked)
    assert not found.accepted and "blocks other levers" in found.why
    worse_edge = blocked._replace(reach=lambda: None, before_edge=lambda: before, after_edge=lambda: after)
    found = judge(Measured.model_construct(dev=low), high, [], None, worse_edge)
    assert not found.accepted and "edge is worse" in found.why


def test_passes_bought_with_more_credit_elsewhere_are_named_and_rejected() -> None:
    before, after = trial([False] * 20, [""] * 20), trial([at < 2 for at in range(20)], [""] * 20)
    half = tuple(each.model_copy(update={"score": 0.5}) for each in before.outcomes)
    untouched = Opener(*(lambda: None for _ in Opener._fields))  # type: ignore[arg-type]
    partly = Measured.model_construct(dev=before.model_copy(update={"outcomes": half}))
    found = judge(partly, after, [], None, untouched)
    assert not found.accepted
    assert found.why == "dev is not better: 2 cases gained, 0 lost, but -0.400 mean credit"


def test_what_a_pull_already_says_against_itself_needs_no_comparison_on_test() -> None:
    before, after = trial([False] * 20, [""] * 20), trial([True] * 20, [""] * 20)
    found = refuse(before, after, [0.2], "worse at refusals")
    assert not found.accepted and found.why == "worse at refusals" and found.dev_pass.gained == 20
    assert found.measured.test is None and found.test_pass is None


def test_edge_is_held_against_the_start_on_the_cases_that_both_scored() -> None:
    """A case that could not be scored is neither a loss nor, where it would have failed, a cover for one."""
    start = trial([True, True, False, False], ["a", "b", "c", "d"])

    def unscored(passes: list[bool], *lost: int) -> Trial:
        whole = trial(passes, ["a", "b", "c", "d"])
        outcomes = [each.model_copy(update={"scored": at not in lost}) for at, each in enumerate(whole.outcomes)]
        left = [each.passed for each in outcomes if each.scored]
        return whole.model_copy(update={"outcomes": tuple(outcomes), "quality": sum(left) / len(left)})

    for now, says in (
        (unscored([True, False, False, False], 1), ""),
        (unscored([True, False, False, False], 2, 3), "edge fell below the start: 0.500 against 1.000"),
    ):
        assert against_edge(compare(start, now), now, start) == says
