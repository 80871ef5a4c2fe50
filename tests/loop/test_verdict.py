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


def with_scores(passes: list[bool], scores: list[float]) -> Trial:
    whole = trial(passes, [str(at) for at in range(len(passes))])
    scored = tuple(each.model_copy(update={"score": s}) for each, s in zip(whole.outcomes, scores, strict=True))
    return whole.model_copy(update={"outcomes": scored})


def bought(gained: int, on_test: int) -> Judged:
    """Judge a pull that lifts some of twenty failing cases from half the credit to all and takes it from the others."""
    before = with_scores([False] * 20, [0.5] * 20)
    after, test = (
        with_scores([at < count for at in range(20)], [float(at < count) for at in range(20)])
        for count in (gained, on_test)
    )
    opener = Opener(lambda: None, lambda: before, lambda: test, lambda: None, lambda: None)
    return judge(Measured.model_construct(dev=before), after, [], None, opener)


def test_passes_decide_where_only_they_rise() -> None:
    """What fails anyway may lose its partial credit, where enough cases pass instead: passes are the target."""
    few = bought(2, 2)
    assert not few.accepted and "not decisive on dev: 2 cases gained, 0 lost, at -0.400 mean credit" in few.why
    assert few.p_value == few.dev_pass.p_value == 0.5
    enough = bought(8, 7)
    assert enough.accepted and enough.dev_score.difference < 0 and enough.p_value == enough.dev_pass.p_value
    assert enough.why.startswith("dev -0.100 credit, +0.400 passes; test agrees: -0.150 credit, +0.350 passes (p = 0.0")
    unconfirmed = bought(8, 0)
    assert not unconfirmed.accepted and unconfirmed.why.startswith("test does not confirm: -0.500 mean credit, 0")


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
