"""Months, totals and break-even: the sources' own scenarios, recomputed, and the laws behind them."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from levers.economics import breakeven, monthly, total_cost

setups = st.integers(min_value=0, max_value=100_000).map(float)
per_answers = st.integers(min_value=0, max_value=10_000).map(lambda value: value / 100_000)


def pairs(amounts: st.SearchStrategy[float]) -> st.SearchStrategy[tuple[float, float]]:
    """Two amounts, the smaller one first."""
    return st.tuples(amounts, amounts).map(lambda ends: (min(ends), max(ends)))


traffics = st.integers(min_value=0, max_value=1_000_000).map(float)


def test_the_prompting_wall() -> None:
    """60K tokens at 2.50 USD per 1M, 10,000 a day: 1,500 USD a day, 45,000 a month (facts, section 8)."""
    assert monthly(60_000 * 2.5 / 1e6, 10_000) == 45_000


@pytest.mark.parametrize(
    ("setup", "per_answer", "infra", "first", "second"),
    [(15_000, 0.015, 500, 75_000, 60_000), (30_000, 0.015, 2_000, 108_000, 78_000),
     (20_000, 0.005, 500, 44_000, 24_000), (50_000, 0.005, 3_000, 104_000, 54_000)],
)  # fmt: skip
def test_first_and_second_year(setup: float, per_answer: float, infra: float, first: float, second: float) -> None:
    """Retrieval and tuning at 10,000 questions a day: what follows from the inputs (facts, section 8)."""
    assert total_cost(setup, per_answer, 10_000, infra) == pytest.approx(first)
    assert total_cost(0, per_answer, 10_000, infra) == pytest.approx(second)


def test_distillation_pays_back_in_days() -> None:
    """20 to 80 thousand USD against 5,000 a day now and 200 to 400 a day after: 4 to 18 days (facts, section 8)."""
    soon = breakeven(0, 5_000 / 500_000, 20_000, 200 / 500_000, 500_000)
    late = breakeven(0, 5_000 / 500_000, 80_000, 400 / 500_000, 500_000)
    assert soon is not None
    assert late is not None
    assert (math.floor(soon.days), math.ceil(late.days)) == (4, 18)
    assert late.answers == math.ceil(80_000 / 0.0092)


def test_never() -> None:
    assert breakeven(0, 0.01, 1, 0.01, 1000) is None  # saves nothing
    assert breakeven(0, 0.01, 1, 0.02, 1000) is None  # loses on every answer
    assert breakeven(10, 0.01, 0, 0.02, 1000) is None  # cheaper to set up, dearer for ever
    assert breakeven(0, 0.01, 1, 0.005, 0) is None  # no traffic


def test_at_once() -> None:
    found = breakeven(10, 0.01, 5, 0.005, 1000)
    assert found is not None
    assert (found.answers, found.days) == (0, 0.0)


def test_a_fixed_cost_is_saved_between_two_answers_too() -> None:
    found = breakeven(0, 0.0, 100, 0.0, 1 / 365, fixed_saved=100)
    assert found is not None
    assert (found.answers, found.days) == (1, pytest.approx(30))


def test_without_traffic_the_fixed_cost_decides() -> None:
    saved = breakeven(0, 0.01, 10, 0.02, 0, fixed_saved=10)
    assert saved is not None
    assert saved.days == pytest.approx(30)
    assert breakeven(10, 0.01, 0, 0.02, 0, fixed_saved=0) is None
    equal = breakeven(100, 0.001, 0, 0.002, 1000, fixed_saved=30)  # as dear a day, cheaper to set up
    assert equal is not None
    assert equal.days == 0


@settings(deadline=None)
@given(pairs(setups), pairs(per_answers), traffics.filter(bool))
def test_breakeven_is_the_first_answer_that_pays(
    ends: tuple[float, float], pers: tuple[float, float], traffic: float
) -> None:
    (now, other), (per_other, per_now) = ends, pers
    found = breakeven(now, per_now, other, per_other, traffic)
    assume(found is not None and found.answers > 0)
    assert found is not None

    def owed(answers: int) -> int:
        """What the other option is still behind, in hundred-thousandths of a dollar, so that the sum is exact."""
        return round((other - now) * 100_000) + answers * (round(per_other * 100_000) - round(per_now * 100_000))

    assert owed(found.answers) <= 0 < owed(found.answers - 1)
    assert found.days == pytest.approx(found.answers / traffic)


@given(setups, per_answers, traffics, st.integers(min_value=0, max_value=60), st.integers(min_value=0, max_value=60))
def test_totals_grow_with_time(setup: float, per_answer: float, traffic: float, months: int, more: int) -> None:
    total = total_cost(setup, per_answer, traffic, 10.0, months)
    assert total_cost(setup, per_answer, traffic, 10.0, months + more) >= total >= setup


@given(per_answers, per_answers, traffics)
def test_months_add_up(one: float, other: float, traffic: float) -> None:
    both = monthly(one, traffic) + monthly(other, traffic)
    assert monthly(one + other, traffic) == pytest.approx(both, rel=1e-9)


@pytest.mark.parametrize("figure", [-1.0, math.nan, math.inf])
def test_nonsense_is_refused_by_name(figure: float) -> None:
    with pytest.raises(ValueError, match="cost_per_answer"):
        monthly(figure, 10)
    with pytest.raises(ValueError, match="months"):
        total_cost(1, 0.1, 10, months=figure)
    with pytest.raises(ValueError, match="setup_other"):
        breakeven(0, 0.1, figure, 0.1, 10)
