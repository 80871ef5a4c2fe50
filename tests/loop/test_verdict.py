"""The verdict on a pull whose gain is all of one document."""

from levers.loop.records import Measured
from levers.loop.verdict import Judged, Opener, judge
from levers.stack import Answer
from levers.trial import Outcome, Trial
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
