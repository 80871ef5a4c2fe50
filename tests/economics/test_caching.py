"""When a cache pays: the break-even by hand, and that it is the very point from which caching costs no more."""

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from levers.economics import Asked, Price, PriceBook, cache_case, expected_hit_rate, prefix_cost
from levers.economics.caching import hit_rate_needed, reuses_needed, traffic_needed

money = st.integers(min_value=0, max_value=10_000).map(lambda value: value / 100)
SONNET = PriceBook.load().price("anthropic/claude-sonnet-4")


def price(plain: float, read: float, write: float) -> Price:
    return Price(model="m", input=plain, cache_read=read, cache_write=write)


def test_a_five_minute_cache_with_a_quarter_premium() -> None:
    """3.00 plain, 0.30 read, 3.75 written: h = 0.75 / 3.45, and one reuse is enough."""
    found = cache_case(SONNET, Asked(prefix=10_000, lifetime=300, answers_per_day=1000))
    assert found.hit_rate_needed == pytest.approx(0.75 / 3.45)
    assert found.reuses_needed == 1
    assert (found.uncached, found.read, found.write) == (0.03, 0.003, 0.0375)
    # 1,000 a day are one every 86.4 s: the gap is below 300 s with probability 1 - exp(-300 / 86.4)
    assert found.hit_rate == pytest.approx(1 - math.exp(-300 / 86.4))
    assert found.pays and found.cost == pytest.approx(0.003 * found.hit_rate + 0.0375 * (1 - found.hit_rate))
    # -ln(1 - h) / 300 s x 86,400 s
    assert found.traffic_needed == pytest.approx(-math.log(1 - 0.75 / 3.45) * 288)


def test_an_hour_at_twice_the_price_needs_two_reuses() -> None:
    dearer = SONNET.model_copy(update={"cache_write": 6.0})
    assert reuses_needed(dearer) == 2  # 6.00 + 2 x 0.30 <= 3 x 3.00, but 6.30 > 6.00
    assert hit_rate_needed(dearer) == pytest.approx(3 / 5.7)


def test_without_a_premium_any_hit_rate_is_enough_and_with_a_dear_read_none_is() -> None:
    assert (hit_rate_needed(price(2.5, 1.25, 2.5)), reuses_needed(price(2.5, 1.25, 2.5))) == (0.0, 0)
    assert (hit_rate_needed(price(1, 2, 3)), reuses_needed(price(1, 2, 3))) == (None, None)


def test_without_traffic_or_rate_nothing_is_claimed() -> None:
    found = cache_case(SONNET, Asked(prefix=2000, lifetime=300))
    assert found.hit_rate is None and found.cost is None and found.pays is None


@settings(deadline=None, max_examples=50)
@given(money, money, money, st.integers(1, 10**6), st.floats(0, 1))
def test_caching_costs_no_more_exactly_from_its_break_even_on(
    plain: float, read: float, write: float, tokens: int, rate: float
) -> None:
    assume(read <= write)
    needed = hit_rate_needed(price(plain, read, write))
    share = Fraction(repr(rate))
    cached = share * Fraction(repr(read)) + (1 - share) * Fraction(repr(write))
    cheaper = cached <= Fraction(repr(plain))
    if needed is None:
        assert not cheaper
    elif rate >= needed:
        assert cheaper
    elif rate < math.nextafter(needed, 0.0):
        assert not cheaper
    if cheaper:
        assert prefix_cost(price(plain, read, write), tokens, rate) <= prefix_cost(
            price(plain, read, write), tokens, None
        )


@settings(deadline=None, max_examples=50)
@given(money, money, money)
def test_reuses_are_the_first_that_pay(plain: float, read: float, write: float) -> None:
    found = reuses_needed(price(plain, read, write))
    cents = [round(each * 100) for each in (plain, read, write)]

    def owed(reads: int) -> int:
        return cents[2] + reads * cents[1] - (reads + 1) * cents[0]

    if found is None:
        assert owed(0) > 0 and owed(10**6) > 0
    else:
        assert owed(found) <= 0 and (found == 0 or owed(found - 1) > 0)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.001, 0.999), st.floats(1, 86_400))
def test_the_traffic_needed_gives_the_rate_needed(rate: float, lifetime: float) -> None:
    traffic = traffic_needed(rate, lifetime)
    assert traffic is not None
    assert expected_hit_rate(traffic, lifetime) == pytest.approx(rate, rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1, 86_400))
def test_more_traffic_never_lowers_the_hit_rate(one: float, more: float, lifetime: float) -> None:
    assert 0 <= expected_hit_rate(one, lifetime) <= expected_hit_rate(one + more, lifetime) <= 1


def test_a_month_saved_is_the_difference_of_two_months() -> None:
    found = cache_case(SONNET, Asked(prefix=8000, lifetime=300, answers_per_day=1000, hit_rate=0.5))
    # plain 0.024, cached 0.5 x 0.0024 + 0.5 x 0.03 = 0.0162, 30,000 answers
    assert found.saved_per_month == pytest.approx(30_000 * (0.024 - 0.0162))
    assert cache_case(SONNET, Asked(prefix=8000, lifetime=300, hit_rate=0.5)).saved_per_month is None
