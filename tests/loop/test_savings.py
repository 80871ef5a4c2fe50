"""A pull that saves is kept when it is cheaper and shown not to be worse; never for want of a difference."""

import pytest

from levers.economics.usage import Usage
from levers.loop.records import Measured
from levers.loop.savings import judge_saving
from levers.loop.verdict import Opener
from levers.stack import Answer
from levers.task import Partition
from levers.trial.records import Interval, Latency, Outcome, Trial


def trial(passes: list[bool], cost: float | None, partition: Partition = "dev") -> Trial:
    outcomes = tuple(
        Outcome(case=str(at), passed=ok, score=float(ok), grades=(), answer=Answer(id=str(at), text=""))
        for at, ok in enumerate(passes)
    )
    share = sum(passes) / len(passes)
    return Trial(
        stack="s",
        task="t",
        partition=partition,
        outcomes=outcomes,
        quality=share,
        interval=Interval(low=0, high=1),
        score=share,
        usage=Usage(),
        cost_per_answer=cost,
        cost_source="",
        latency={"total": Latency(p50_ms=1, p95_ms=1)},
    )


def opened(before: Trial, after: Trial) -> Opener:
    return Opener(
        reach=lambda: None,
        before_test=lambda: before,
        after_test=lambda: after,
        before_edge=lambda: None,
        after_edge=lambda: None,
    )


def closed() -> Trial:
    raise AssertionError("test was opened")


SHUT = Opener(lambda: None, closed, closed, closed, closed)
MANY = [True] * 80 + [False] * 20


def test_cheaper_and_not_worse_is_kept() -> None:
    after = trial(MANY, 0.5)
    judged = judge_saving(Measured(dev=trial(MANY, 1.0)), after, None, opened(trial(MANY, 1.0, "test"), after))
    assert judged.accepted and judged.p_value < 0.05 and "50% less" in judged.why


@pytest.mark.parametrize(
    ("passes", "cost", "says"),
    [
        (MANY, 1.0, "saves nothing"),
        (MANY, None, "no price"),
        ([*MANY[6:], *[False] * 6], 0.5, "not shown that dev is no worse by 5%: "),
    ],
)
def test_test_stays_shut_for_what_dev_does_not_keep(passes: list[bool], cost: float | None, says: str) -> None:
    judged = judge_saving(Measured(dev=trial(MANY, 1.0)), trial(passes, cost), None, SHUT)
    assert not judged.accepted and says in judged.why


def test_no_difference_over_few_cases_shows_nothing() -> None:
    judged = judge_saving(Measured(dev=trial(MANY[-20:], 1.0)), trial(MANY[-20:], 0.5), None, SHUT)
    assert not judged.accepted and "cases are needed, there are 20" in judged.why


def test_a_loss_on_test_is_a_rejection() -> None:
    after = trial([*MANY[10:], *[False] * 10], 0.5, "test")
    judged = judge_saving(
        Measured(dev=trial(MANY, 1.0)), trial(MANY, 0.5), None, opened(trial(MANY, 1.0, "test"), after)
    )
    assert not judged.accepted and "test does not confirm" in judged.why


def test_credit_that_falls_where_passes_stand_is_a_loss() -> None:
    worse = trial(MANY, 0.5)
    worse = worse.model_copy(
        update={"outcomes": tuple(each.model_copy(update={"score": each.score / 4}) for each in worse.outcomes)}
    )
    judged = judge_saving(Measured(dev=trial(MANY, 1.0)), worse, None, SHUT)
    assert not judged.accepted and "not shown that dev is no worse by 5%: -0.6" in judged.why
    old, new = trial(MANY, 1.0, "test"), worse.model_copy(update={"partition": "test"})
    judged = judge_saving(Measured(dev=trial(MANY, 1.0)), trial(MANY, 0.5), None, opened(old, new))
    assert not judged.accepted and "test does not confirm: -0.6" in judged.why
