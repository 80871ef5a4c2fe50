"""Forecast against outcome, step by step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.diagnosis import CaseDiagnosis, Diagnosis
from levers.diagnosis.records import Tried
from levers.economics import CostFigure
from levers.loop.forecast import Forecast, _why, forecasts
from levers.loop.records import Measured, Step
from levers.plan import Option, Plan, Quote
from levers.stack import Answer, ModelRef, Stack
from levers.trial import Comparison, Interval, Outcome, Trial

NOTHING = CostFigure(value=0.0, provenance="assumed", source="none")


def a_quote(lever: str, gain: float, low: float, high: float) -> Quote:
    interval = Interval(low=low, high=high)
    return Quote(
        lever=lever,
        answers="format",
        gain=gain,
        interval=interval,
        score_gain=gain / 2,
        score_interval=Interval(low=low / 2, high=high / 2),
        unlocks=gain,
        one_time=NOTHING,
        per_answer=NOTHING,
        latency_ms=NOTHING,
    )


def a_step(number: int, quote: Quote, came: float, lever: str | None = None) -> Step:
    comparison = Comparison.model_construct(difference=came, interval=Interval(low=came - 0.05, high=came + 0.05))
    plan = Plan(stack="s", options=(Option(quote=quote, verdict="next", why=""),), next=quote.lever)
    stack = Stack(model=ModelRef(id=f"pulled {number}"))
    told = {"plan": plan, "stack": stack, "dev_pass": comparison, "dev_score": comparison}
    return Step.model_construct(number=number, lever=lever or quote.lever, **told)


START = Step.model_construct(number=0, lever="start", plan=None, dev_pass=None, dev_score=None)


def test_a_run_tells_how_good_its_forecasts_were() -> None:
    steps = [
        START,
        a_step(1, a_quote("structure", 0.2, 0.1, 0.3), 0.15),
        a_step(2, a_quote("retrieve", 0.4, 0.3, 0.5), 0.1),
        a_step(3, a_quote("examples", 0.0, 0.0, 0.02), 0.2),
    ]
    found = forecasts(steps)
    assert found is not None
    assert [each.hit for each in found.steps] == ["within", "short", "beyond"]
    assert [each.overlap for each in found.steps] == [True, False, False]
    assert [each.share for each in found.steps] == [pytest.approx(0.75), pytest.approx(0.25), None]
    assert (found.within, found.short, found.beyond) == (1, 1, 1)
    assert found.mean_error == pytest.approx((0.05 + 0.3 + 0.2) / 3)
    assert found.share_within.low < 1 / 3 < found.share_within.high
    by_credit = forecasts(steps, "score")
    assert by_credit is not None and [each.hit for each in by_credit.steps] == ["within", "short", "beyond"]


def test_a_run_without_pulls_has_no_forecasts() -> None:
    assert forecasts([START]) is None
    assert forecasts([a_step(1, a_quote("structure", 0.2, 0.1, 0.3), 0.1, lever="other")]) is None


@given(st.floats(0, 1), st.floats(0, 0.3), st.floats(0, 0.3), st.floats(-1, 1))
def test_every_forecast_has_one_verdict(gain: float, below: float, above: float, came: float) -> None:
    found = forecasts([a_step(1, a_quote("structure", gain, gain - below, gain + above), came)])
    assert found is not None and found.within + found.short + found.beyond == 1
    assert (found.steps[0].hit == "within") == (gain - below - 1e-12 <= came <= gain + above + 1e-12)


def measured(signs: str) -> Measured:
    """One outcome a sign: `+` passes, `-` fails, `?` could not be scored."""
    outcomes = tuple(
        Outcome(
            case=str(place),
            passed=sign == "+",
            score=0.0,
            grades=(),
            answer=Answer(id="a", text=""),
            scored=sign != "?",
        )
        for place, sign in enumerate(signs)
    )
    return Measured.model_construct(dev=Trial.model_construct(outcomes=outcomes))


def test_a_case_that_could_not_be_scored_is_neither_missed_nor_lost_nor_extra() -> None:
    tried = (Tried(probes=("format",), passed=True, score=1.0, answer=""),)
    cured = tuple(CaseDiagnosis(case=str(place), needs=(), tried=tried) for place in range(3))
    start = Stack(model=ModelRef(id="m"))
    found = Diagnosis(stack=start.digest, measured=8, failures=4, needs={}, cases=cured, headroom=())

    def told(before: str, now: str) -> Forecast:
        first = START.model_copy(update={"stack": start, "measured": measured(before)})
        step = a_step(1, a_quote("structure", 0.9, 0.8, 1.0), 0.1)
        step = step.model_copy(update={"stack": start, "measured": measured(now), "diagnosis": found})
        made = forecasts([first, step])
        assert made is not None
        return made.steps[0]

    one = told("----++??", "+-?+-?+-")
    assert (one.kept, one.missed, one.lost, one.extra) == (1, 1, 1, 1)
    none = told("----++??", "??????++")
    assert (none.kept, none.missed, none.lost, none.extra) == (0, 0, 0, 0)
    assert none.why == "the product does less than its probe"


def test_a_step_without_cured_cases_does_not_count_them() -> None:
    assert _why({"kept": 0, "missed": 0, "lost": 0}) == "the product does less than its probe"
    assert _why({"kept": 0, "missed": 0, "lost": 2}).endswith("probe: 2 that passed before were lost")
    assert _why({"kept": 1, "missed": 2, "lost": 0}).endswith("probe: of 3 cases that its probe cured the pull cured 1")


def test_what_could_not_be_pulled_says_nothing_of_its_forecast() -> None:
    step = a_step(1, a_quote("structure", 0.9, 0.8, 1.0), 0.1)
    assert forecasts([START, step]) is not None
    plan = step.plan.model_copy(update={"stack": step.stack.digest})
    assert forecasts([START, step.model_copy(update={"plan": plan})]) is None
