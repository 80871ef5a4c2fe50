import numpy as np
import pytest

from levers.errors import LeversError
from levers.trial import Trial, compare, compare_grader, mcnemar_exact, run_trial, within_margin
from levers.trial.clusters import clustered, margin_clustered
from levers.trial.paired import margin_of_passes

from .make import a_case, a_spec, a_task, answering

CASES = [a_case("30 days", id=str(index)) for index in range(20)]
TASK = a_task(CASES, a_spec("f1"), a_spec("citation"), a_spec("contains"))


def a_trial(right: range, order: int = 1) -> Trial:
    replies = {case.id: "30 days" if int(case.id) in right else "it is thirty 30 days long" for case in CASES}
    return run_trial(TASK, CASES[::order], answering(replies), stack=str(right))


def test_passes_are_compared_case_by_case():
    found = compare(a_trial(range(0, 4)), a_trial(range(2, 16)))
    assert (found.cases, found.gained, found.lost) == (20, 12, 2)
    assert (found.before, found.after, found.difference) == (0.2, 0.7, 0.5)
    assert found.p_value == mcnemar_exact(12, 2)
    assert found.decisive is True
    assert 0 < found.interval.low < 0.5 < found.interval.high < 1
    assert 0.3 < found.detectable_difference < 0.7


def test_the_order_of_cases_does_not_matter():
    assert compare(a_trial(range(0, 4), -1), a_trial(range(2, 16))) == compare(
        a_trial(range(0, 4)), a_trial(range(2, 16))
    )


def test_a_trial_against_itself_shows_nothing():
    for measure in ("pass", "score"):
        found = compare(a_trial(range(5)), a_trial(range(5)), measure)
        assert (found.difference, found.p_value, found.decisive) == (0, 1, False)
        assert found.interval.low <= 0 <= found.interval.high
        assert found.detectable_difference > 0.1
    passes = compare(a_trial(range(5)), a_trial(range(5))).interval
    assert passes.high > 0.05, "that none of 20 cases changed does not show that none ever would"


def test_cases_without_a_score_are_left_out_of_both_sides():
    before, after = a_trial(range(0, 4)), a_trial(range(2, 16))
    lame = after.outcomes[0].model_copy(update={"scored": False, "passed": False})
    found = compare(before, after.model_copy(update={"outcomes": (lame, *after.outcomes[1:])}))
    assert (found.cases, found.unscored, found.lost) == (19, 1, 1)
    none = after.model_copy(update={"outcomes": tuple(o.model_copy(update={"scored": False}) for o in after.outcomes)})
    with pytest.raises(LeversError, match="no case was scored"):
        compare(before, none)


def test_a_margin_asks_whether_the_later_one_is_not_worse():
    before, after = a_trial(range(0, 10)), a_trial(range(0, 9))
    assert within_margin(before, before, 0.2).equivalent
    assert not within_margin(before, after, 0.05).not_worse
    assert within_margin(before, after, 0.3, "score").not_worse
    assert within_margin(before, a_trial(range(0, 18)), 0.1).not_worse


def test_scores_are_compared_by_their_differences():
    before, after = a_trial(range(0, 4)), a_trial(range(2, 16))
    found = compare(before, after, "score")
    # F1 of the wrong reply is 2·2/(6+2) = 1/2, `contains` passes always: a case gains or loses 1/4.
    assert found.difference == pytest.approx((12 - 2) * 0.25 / 20)
    assert (found.before, found.after) == (pytest.approx(before.score), pytest.approx(after.score))
    assert (found.gained, found.lost, found.measure) == (12, 2, "score")
    assert found.p_value == pytest.approx(mcnemar_exact(12, 2), abs=0.006)


def test_one_grader_is_compared_where_it_was_scored():
    before, after = a_trial(range(0, 4)), a_trial(range(2, 16))
    assert compare_grader(before, after, "f1") == compare(before, after)
    assert compare_grader(before, after, "contains").difference == 0
    for name in ("citation", "tone"):
        with pytest.raises(LeversError, match=name):
            compare_grader(before, after, name)


def test_trials_of_other_cases_or_tasks_are_refused():
    fewer = run_trial(TASK, CASES[:19], answering({case.id: "x" for case in CASES}), stack="s")
    with pytest.raises(LeversError, match="different cases"):
        compare(a_trial(range(3)), fewer)
    with pytest.raises(LeversError, match="different tasks"):
        compare(a_trial(range(3)), a_trial(range(3)).model_copy(update={"task": "other"}))


def test_a_swap_turns_the_sign():
    there, back = (
        compare(a_trial(range(0, 4)), a_trial(range(2, 16))),
        compare(a_trial(range(2, 16)), a_trial(range(0, 4))),
    )
    assert back.difference == -there.difference
    assert (back.gained, back.lost, back.p_value) == (there.lost, there.gained, there.p_value)


def grouped(right: range) -> Trial:
    """Twenty cases of three documents: the first ten share one."""
    cases = [
        a_case("30 days", id=str(index), evidence=(f"docs/{'one' if index < 10 else index % 2}.md",))
        for index in range(20)
    ]
    replies = {case.id: "30 days" if int(case.id) in right else "no" for case in cases}
    return run_trial(a_task(cases), cases, answering(replies), stack=str(right))


def test_a_margin_is_shown_by_sources_where_cases_share_them():
    alone, same = a_trial(range(20)), grouped(range(20))
    assert within_margin(alone, alone, 0.2).not_worse and within_margin(alone, alone, 0.2).sources is None
    for measure in ("pass", "score"):
        found = within_margin(same, same, 0.2, measure)
        assert found.sources == 3 and found.p_worse > 0.2 and not found.not_worse
        assert found.required_cases == pytest.approx(within_margin(alone, alone, 0.2).required_cases * 20 / 3, abs=1)
        assert found.interval.low < within_margin(alone, alone, 0.2).interval.low
    worse = within_margin(same, grouped(range(10, 20)), 0.2)  # one document was lost, two were not
    assert worse.p_worse > 0.5 and worse.interval.low < -0.5 < worse.interval.high


def test_a_margin_by_sources_lets_few_through_that_are_worse_by_it():
    generator, passed = np.random.default_rng(3), {"alone": 0, "by source": 0}
    names = np.repeat(np.arange(30), 5).tolist()
    for _ in range(800):
        differences = -np.repeat(generator.random(30) < 0.1, 5).astype(float)  # a document loses all cases or none
        found = margin_of_passes(0, int(-differences.sum()), 150, 0.1)
        passed["alone"] += found.not_worse
        passed["by source"] += margin_clustered(found, differences, clustered(differences, names)).not_worse
    assert passed["alone"] / 800 > 0.15 and passed["by source"] / 800 < 0.06


def test_cases_that_rose_together_because_one_document_did_are_no_proof():
    found = compare(grouped(range(0)), grouped(range(10)))
    assert found.p_value < 0.01 and found.clustered is not None and found.clustered.clusters == 3
    assert found.strict_p == found.clustered.p_value > 0.05 and not found.decisive
    alone = compare(a_trial(range(0)), a_trial(range(10)))
    assert alone.clustered is None and alone.strict_p == alone.p_value and alone.decisive
