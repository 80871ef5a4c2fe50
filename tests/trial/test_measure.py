import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.economics.usage import Usage
from levers.errors import LeversError
from levers.stack.records import Answer, StepTrace
from levers.trial import Trial, grader_names, judge, latencies, question, run_trial, summarise

from .make import a_case, a_spec, a_task, answering

CASES = [a_case("yes", id="a"), a_case("no", id="b"), a_case("maybe", id="c"), a_case("never", id="d")]
REPLIES = {"a": "Yes.", "b": "yes", "c": "maybe", "d": "never"}


def test_a_trial_sums_up_its_outcomes():
    task = a_task(CASES)
    trial = run_trial(
        task, CASES, answering(REPLIES), stack="sha256-1", cost_of=lambda usage: usage.input * 0.01, cost_source="book"
    )
    assert [outcome.passed for outcome in trial.outcomes] == [True, False, True, True]
    assert (trial.quality, trial.score) == (0.75, 0.75)
    assert trial.interval.low < 0.75 < trial.interval.high
    assert trial.usage == Usage(input=40, output=4)
    assert trial.cost_per_answer == pytest.approx(0.1)
    assert (trial.cost_source, trial.stack, trial.task, trial.partition) == ("book", "sha256-1", task.digest, "dev")
    assert {name: each.p50_ms for name, each in trial.latency.items()} == {
        "retrieve": 1000,
        "generate": 2000,
        "total": 3000,
    }
    assert Trial.model_validate_json(trial.model_dump_json()) == trial


def test_without_a_price_there_is_no_cost():
    trial = run_trial(a_task(CASES), CASES, answering(REPLIES), stack="s")
    assert (trial.cost_per_answer, trial.cost_source) == (None, "unknown")


def test_progress_is_told_and_many_cases_go_in_batches():
    cases = [a_case("yes", id=str(index)) for index in range(70)]
    asked, told = [], []
    replies = answering({case.id: "yes" for case in cases})

    def answerer(questions):
        asked.append(len(questions))
        return replies(questions)

    trial = run_trial(a_task(cases), cases, answerer, stack="s", on_progress=lambda *at: told.append(at))
    assert (asked, told) == ([32, 32, 6], [(32, 70), (64, 70), (70, 70)])
    assert trial.quality == 1


def test_a_question_never_carries_what_is_expected():
    case = a_case("secret", evidence=("d.md#s",)).model_copy(update={"user": "ana"})
    assert question(case).user == "ana"
    assert "secret" not in question(case).model_dump_json()
    assert "d.md" not in question(case).model_dump_json()


def test_a_case_passes_when_all_that_is_scored_passes():
    task = a_task(CASES, a_spec("contains"), a_spec("f1"), a_spec("citation"))
    whole = judge(task, CASES[0], Answer(id="a", text="yes"))
    half = judge(task, CASES[0], Answer(id="a", text="yes it is so"))
    assert (whole.passed, whole.score) == (True, 1.0)
    assert half.passed is False
    assert half.score == pytest.approx((1 + 0.4) / 2)


def test_what_nobody_could_grade_is_no_pass():
    outcome = judge(a_task(CASES, a_spec("citation")), CASES[0], Answer(id="a", text="yes"))
    assert (outcome.passed, outcome.score) == (False, 0.0)
    assert outcome.grades[0].credit is None


def test_graders_of_one_name_are_told_apart():
    specs = [a_spec("regex", pattern="a"), a_spec("regex", pattern="b"), a_spec("exact")]
    assert grader_names(specs) == ["regex", "regex #2", "exact"]
    outcome = judge(a_task(CASES, *specs), CASES[0], Answer(id="a", text="a"))
    assert outcome.grade("regex").passed and not outcome.grade("regex #2").passed


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([], "at least one case"),
        ([a_case("x"), a_case("x")], "same id"),
        ([a_case("x"), a_case("x", id="2", partition="test")], "one partition"),
    ],
)
def test_cases_that_make_no_trial(cases, message):
    with pytest.raises(LeversError, match=message):
        run_trial(a_task(CASES), cases, answering({}), stack="s")


def test_an_answerer_must_answer_what_it_was_asked():
    with pytest.raises(LeversError, match="another order"):
        run_trial(a_task(CASES), CASES, lambda qs: answering(REPLIES)(qs)[::-1], stack="s")
    with pytest.raises(LeversError, match="3 of 4"):
        run_trial(a_task(CASES), CASES, lambda qs: answering(REPLIES)(qs)[:3], stack="s")


def test_outcomes_must_be_those_of_the_cases():
    trial = run_trial(a_task(CASES), CASES, answering(REPLIES), stack="s")
    assert summarise(a_task(CASES), CASES, trial.outcomes, stack="s") == trial
    with pytest.raises(LeversError, match="not those"):
        summarise(a_task(CASES), CASES, trial.outcomes[1:], stack="s")


def test_a_step_taken_twice_counts_with_its_sum_and_only_where_it_was_taken():
    twice = Answer(id="a", text="", steps=(StepTrace(name="g", seconds=1), StepTrace(name="g", seconds=2)))
    found = latencies([twice, Answer(id="b", text="")])
    assert (found["g"].p50_ms, found["total"].p50_ms) == (3000, 1500)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_percentiles_lie_within_what_was_measured(seconds):
    answers = [Answer(id=str(i), text="", steps=(StepTrace(name="g", seconds=s),)) for i, s in enumerate(seconds)]
    found = latencies(answers)["total"]
    assert min(seconds) * 1000 - 1e-6 <= found.p50_ms <= found.p95_ms + 1e-6 <= max(seconds) * 1000 + 1e-5
