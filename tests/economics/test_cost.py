"""What usage costs: hand-computed sums, and the laws that any price list obeys."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from levers.economics import Origin, Price, Provenance, Usage, answer_cost, cost_figure, weakest
from levers.economics.price import BUCKETS, TOKEN_BUCKETS

tokens = st.integers(min_value=0, max_value=10**9)
money = st.decimals(min_value=0, max_value=1000, places=4).map(float)
usages = st.builds(
    Usage,
    input=tokens,
    cache_read=tokens,
    cache_write=tokens,
    output=tokens,
    compute_seconds=st.floats(min_value=0, max_value=1e6),
    calls=st.integers(min_value=0, max_value=100),
)
prices = st.builds(
    Price,
    model=st.just("m"),
    input=money,
    cache_read=money,
    cache_write=money,
    output=money,
    compute_hour=money,
    request=st.none() | money,
)
GPT = Price(model="m", input=2.5, cache_read=1.25, cache_write=3.125, output=10)


def test_four_buckets_by_hand() -> None:
    usage = Usage(input=1000, cache_read=4000, cache_write=800, output=120)
    # 1000 x 2.5 + 4000 x 1.25 + 800 x 3.125 + 120 x 10 = 2500 + 5000 + 2500 + 1200 millionths
    assert answer_cost(usage, GPT) == 0.0112


def test_a_busy_machine_is_paid_by_the_second() -> None:
    assert answer_cost(Usage(input=10**6, compute_seconds=36.0), Price(model="m", compute_hour=0.10)) == 0.001


def test_a_call_is_paid_beside_its_tokens() -> None:
    price = Price(model="m", input=2.5, request=0.001)
    assert answer_cost(Usage(input=1000, calls=2), price) == 0.0045


def test_sums_do_not_drift() -> None:
    """Ten tenths of a dollar are a dollar: binary fractions of decimal prices must not show."""
    assert answer_cost(Usage(input=10), Price(model="m", input=0.1 * 1e6)) == 1.0
    assert answer_cost(Usage(input=3), Price(model="m", input=100_000.0)) == 0.3


@given(usages, usages, prices)
def test_costs_add_up_over_calls(one: Usage, other: Usage, price: Price) -> None:
    together = answer_cost(one + other, price)
    assert math.isclose(together, answer_cost(one, price) + answer_cost(other, price), rel_tol=1e-12, abs_tol=1e-15)


@given(st.lists(usages, max_size=6), prices, st.randoms(use_true_random=False))
def test_order_of_calls_does_not_matter_for_tokens(calls: list[Usage], price: Price, random: object) -> None:
    counted = [call.model_copy(update={"compute_seconds": 0.0}) for call in calls]
    shuffled = list(counted)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert answer_cost(sum(counted, Usage()), price) == answer_cost(sum(shuffled, Usage()), price)


@given(usages, prices, st.sampled_from(TOKEN_BUCKETS), tokens)
def test_more_tokens_never_cost_less(usage: Usage, price: Price, bucket: str, more: int) -> None:
    grown = usage.model_copy(update={bucket: getattr(usage, bucket) + more})
    assert answer_cost(grown, price) >= answer_cost(usage, price)


@given(usages, prices, st.sampled_from(BUCKETS), money)
def test_dearer_prices_never_cost_less(usage: Usage, price: Price, bucket: str, more: float) -> None:
    dearer = price.model_copy(update={bucket: getattr(price, bucket) + more})
    assert answer_cost(usage, dearer) >= answer_cost(usage, price)


@given(usages, prices, st.integers(min_value=0, max_value=1000))
def test_usage_scales(usage: Usage, price: Price, times: int) -> None:
    scaled = Usage(**{name: value * times for name, value in usage.model_dump().items()})
    assert math.isclose(answer_cost(scaled, price), times * answer_cost(usage, price), rel_tol=1e-12, abs_tol=1e-15)


@given(prices)
def test_nothing_used_costs_nothing(price: Price) -> None:
    assert answer_cost(Usage(), price) == 0.0


def test_a_figure_is_as_good_as_the_prices_it_used() -> None:
    listed = Origin(provenance="price book", source="the list", date="2026-05")
    guessed = Origin(provenance="assumed", source="a guess")
    price = GPT.model_copy(update={"origins": {"input": listed, "output": listed, "cache_read": guessed}})
    plain = cost_figure(Usage(input=10, output=5), price)
    cached = cost_figure(Usage(input=10, output=5, cache_read=1), price)
    assert (plain.provenance, plain.source) == ("price book", "the list (2026-05)")
    assert (cached.provenance, cached.source) == ("assumed", "the list (2026-05); a guess")
    assert cached.value == answer_cost(Usage(input=10, output=5, cache_read=1), price)


def test_seconds_of_a_hosted_model_do_not_weaken_its_figure() -> None:
    listed = Origin(provenance="price book", source="the list")
    price = GPT.model_copy(
        update={"origins": {"input": listed, "compute_hour": Origin(provenance="assumed", source="x")}}
    )
    assert cost_figure(Usage(input=1, compute_seconds=3.0), price).provenance == "price book"


@pytest.mark.parametrize(
    ("several", "worst"),
    [
        (["measured"], "measured"),
        (["price book", "measured"], "price book"),
        (["assumed", "measured"], "assumed"),
        ([], "assumed"),
    ],
)
def test_weakest_provenance(several: Sequence[Provenance], worst: Provenance) -> None:
    assert weakest(several) == worst


@pytest.mark.parametrize("figure", [-0.01, math.nan, math.inf])
def test_a_price_is_finite_and_not_negative(figure: float) -> None:
    with pytest.raises(ValidationError):
        Price(model="m", input=figure)
