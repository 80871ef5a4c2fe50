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


def test_progress_is_told_as_answers_come_in_whatever_order():
    cases = [a_case("yes", id=str(index)) for index in range(70)]
    asked, told = [], []
    replies = answering({case.id: "yes" for case in cases})

    def answerer(questions):
        asked.append(len(questions))
        return reversed(replies(questions))

    trial = run_trial(a_task(cases), cases, answerer, stack="s", on_progress=lambda *at: told.append(at))
    assert asked == [70], "a server is kept full when it is given everything at once"
    assert told == [(done, 70) for done in range(1, 71)]
    assert trial.quality == 1 and [each.case for each in trial.outcomes] == [case.id for case in cases]


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
    assert (outcome.passed, outcome.scored, outcome.failed) == (False, False, False)
    assert outcome.grades[0].credit is None


def test_a_crash_is_a_record_and_never_a_score():
    cases = [a_case("30 days", id=str(n)) for n in range(3)] + [a_case("many", id="3")]
    task = a_task(cases, a_spec("contains"), a_spec("numeric"))
    replies = {"0": "30 days", "1": "30 days", "2": "no", "3": "many"}
    trial = run_trial(task, cases, answering(replies), stack="s")
    crashed = trial.outcome("3")
    assert crashed.grade("numeric").crashed and crashed.grade("contains").passed
    assert (crashed.scored, crashed.passed, crashed.failed) == (False, False, False)
    assert (trial.quality, trial.unscored, trial.score) == (pytest.approx(2 / 3), 1, pytest.approx(2 / 3))
    failing = judge(task, cases[3], Answer(id="3", text="nothing"))
    assert not failing.scored, "were failures kept and passes left out, a lost grader would lower the quality"


def test_a_trial_that_nobody_could_score_is_no_zero():
    cases = [a_case("yes", id="a")]
    with pytest.raises(LeversError, match="no grader could score") as raised:
        run_trial(a_task(cases, a_spec("code")), cases, answering({"a": "yes"}), stack="s")
    assert "names no command" in raised.value.hint


def test_cases_of_one_source_are_counted_together():
    cases = [a_case("yes", id=str(n), evidence=(f"docs/{n // 5}.md#s",)) for n in range(20)]
    replies = {case.id: "yes" if int(case.id) // 5 % 2 else "no" for case in cases}
    trial = run_trial(a_task(cases), cases, answering(replies), stack="s")
    assert (trial.quality, trial.clustered.clusters) == (0.5, 4)
    assert trial.clustered.interval.high - trial.clustered.interval.low > trial.interval.high - trial.interval.low
    tagged = a_case("yes").model_copy(update={"tags": ("hard", "source:faq")})
    assert (tagged.source, cases[0].source, a_case("yes").source) == ("faq", "docs/0.md", "c1")


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
    for wrong, message in (
        (lambda found: [*found, found[0]], "answered already"),
        (lambda found: [found[0].model_copy(update={"id": "x"})], "not asked"),
        (lambda found: found[:3], "3 of 4"),
    ):
        with pytest.raises(LeversError, match=message):
            run_trial(a_task(CASES), CASES, lambda asked, wrong=wrong: wrong(answering(REPLIES)(asked)), stack="s")


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
