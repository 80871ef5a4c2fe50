"""Cost to own and pay-back: hand-computed years, and break-evens that agree with the cost curves they compare."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from levers.economics import (
    Offer,
    Range,
    Reader,
    Upkeep,
    breakeven,
    fixed,
    left_out,
    monthly,
    named_offers,
    ownership,
    payback,
    read_offer,
    total_cost,
    with_upkeep,
)
from levers.economics.offers import CYCLES

TRAFFIC = fixed("answers a day", 10_000, "test", unit="answers a day")


def a_range(low: float, high: float, name: str = "x", unit: str = "USD") -> Range:
    return Range(name=name, low=low, high=high, unit=unit, source="test")


def an_offer(name: str, per_answer: float, **more: Any) -> Offer:
    return Offer(name=name, per_answer=fixed(f"{name}: per answer", per_answer, "test"), **more)


cents = st.integers(0, 1_000_000).map(lambda value: value / 100)
per_answers = st.integers(0, 10_000).map(lambda value: value / 100_000)
spans = st.tuples(cents, cents).map(lambda ends: tuple(sorted(ends)))
offers = st.builds(
    lambda name, per, setup, month, cycle, rounds: Offer(
        name=name,
        per_answer=fixed(f"{name}: per answer", per, "test"),
        setup=(a_range(*setup, f"{name}: set-up"),),
        per_month=(a_range(*month, f"{name}: month"),),
        upkeep=(
            Upkeep(
                name="upkeep",
                cost=a_range(*cycle, f"{name}: cycle"),
                per_year=fixed(f"{name}: cycles", rounds, "test", unit="times a year"),
            ),
        ),
    ),
    st.sampled_from(["one", "two"]), per_answers, spans, spans, spans, st.integers(0, 12),
)  # fmt: skip


def test_two_years_by_hand() -> None:
    upkeep = Upkeep(name="retraining", cost=a_range(2000, 8000), per_year=fixed("n", 4, "test", unit="times a year"))
    offer = an_offer(
        "tuned", 0.005, setup=(a_range(20_000, 50_000),), per_month=(a_range(500, 3000),), upkeep=(upkeep,)
    )
    found = ownership(offer, TRAFFIC)
    # a month: 10,000 x 30 x 0.005 = 1,500, infrastructure 500 to 3,000, retraining 4 x 2,000..8,000 / 12
    assert (found.month.low, found.month.high) == pytest.approx((2666.666667, 7166.666667))
    assert (found.year_2.low, found.year_2.high) == (32_000, 86_000)
    assert (found.year_1.low, found.year_1.high) == (52_000, 136_000)
    assert [line.kind for line in found.lines] == ["once", "answers", "monthly", "upkeep"]
    assert found.provenance == "assumed" and all(line.source for line in found.lines)


@settings(deadline=None, max_examples=50)
@given(offers, st.integers(0, 10**6), st.integers(0, 10**6))
def test_more_volume_never_costs_less(offer: Offer, volume: int, more: int) -> None:
    one, other = (ownership(offer, fixed("v", count, "test")) for count in (volume, volume + more))
    assert other.year_1.low >= one.year_1.low and other.month.high >= one.month.high
    assert one.year_1.low >= one.year_2.low and one.setup.high >= one.setup.low


@settings(deadline=None, max_examples=50)
@given(offers, per_answers)
def test_dearer_answers_never_cost_less(offer: Offer, more: float) -> None:
    dearer = offer.model_copy(update={"per_answer": fixed("p", offer.per_answer.low + more, "test")})
    assert ownership(dearer, TRAFFIC).year_1.low >= ownership(offer, TRAFFIC).year_1.low - 1e-6


@settings(deadline=None, max_examples=50)
@given(cents, per_answers, cents, st.integers(0, 10**6))
def test_a_year_is_what_total_cost_says(setup: float, per_answer: float, month: float, volume: int) -> None:
    offer = an_offer("x", per_answer, setup=(fixed("s", setup, "t"),), per_month=(fixed("m", month, "t"),))
    found = ownership(offer, fixed("v", volume, "t"))
    assert found.year_1.low == pytest.approx(total_cost(setup, per_answer, volume, month), rel=1e-9)
    assert found.month.low == pytest.approx(monthly(per_answer, volume, month), rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(spans, st.tuples(per_answers, per_answers).map(sorted), st.integers(1, 10**6), st.integers(-500_000, 500_000))
def test_break_even_with_fixed_costs_is_where_the_curves_cross(
    ends: tuple[float, float], pers: list[float], traffic: int, fixed_cents: int
) -> None:
    (now, other), (per_other, per_now) = ends, pers
    found = breakeven(now, per_now, other, per_other, traffic, fixed_cents / 100)
    assume(found is not None and found.answers > 0)
    assert found is not None

    def owed(answers: int) -> int:
        """What the other option is behind after so many answers, in exact parts of a dollar."""
        cents_behind = round(other * 100) - round(now * 100)
        per = round(per_other * 100_000) - round(per_now * 100_000)
        return cents_behind * 1000 * 30 * traffic + answers * (per * 30 * traffic - fixed_cents * 1000)

    assert owed(found.answers) <= 0 < owed(found.answers - 1)


def test_a_fixed_cost_alone_pays_back_too() -> None:
    found = breakeven(0, 0.01, 3000, 0.01, 0, 300)
    assert found is not None and (found.answers, found.days) == (0, 300.0)
    assert breakeven(0, 0.01, 3000, 0.005, 1000, -151) is None  # saves 150 a month on answers, pays 151 more


def test_the_distillation_example_with_its_band() -> None:
    """20 to 80 thousand USD, 200 to 400 a day after, 5,000 a day before: 4 to 18 days (facts, section 8)."""
    now = an_offer("now", 0.01)
    found = payback(now, named_offers()["distillation"], fixed("answers a day", 500_000, "S2"))
    band = found.band
    assert band.p5 is not None and band.p50 is not None and band.p95 is not None
    assert 20_000 / 4800 <= band.p5 < band.p50 < band.p95 <= 80_000 / 4600
    assert band.never == band.at_once == 0
    assert found.breakeven is not None and found.breakeven.days == pytest.approx(50_000 / 4700, rel=1e-4)
    assert [each.name for each in found.sensitivity] == ["distillation: per answer", "distillation: set-up"]
    assert not any(each.decides for each in found.sensitivity)


def test_a_band_that_may_never_pay_back_says_how_often() -> None:
    now, other = an_offer("now", 0.005), Offer(name="o", per_answer=a_range(0.0, 0.01), setup=(fixed("s", 100, "t"),))
    found = payback(now, other, TRAFFIC)
    assert found.band.never == pytest.approx(0.5, abs=0.05)
    assert found.band.p95 is None and found.sensitivity[0].decides
    assert found.sensitivity[0].days_low is not None and found.sensitivity[0].days_high is None


def test_an_option_that_is_cheaper_at_first_says_until_when() -> None:
    now = an_offer("built", 0.001, setup=(fixed("s", 9000, "t"),))
    found = payback(now, an_offer("plain", 0.01), TRAFFIC)
    assert found.breakeven is None and found.cheaper_until == 100.0
    assert found.band.never == 1.0


@settings(deadline=None, max_examples=25)
@given(offers, offers, st.integers(1, 10**6))
def test_every_draw_lies_between_the_best_and_the_worst_case(now: Offer, other: Offer, volume: int) -> None:
    other = other.model_copy(update={"name": "other"})
    found = payback(now, other, fixed("v", volume, "t"), draws=40)
    days = [day for day in (found.band.p5, found.band.p50, found.band.p95) if day is not None]
    assert days == sorted(days)
    assert found == payback(now, other, fixed("v", volume, "t"), draws=40), "the same seed gives the same band"
    swings = [each.swing for each in found.sensitivity]
    assert swings == sorted(swings, reverse=True)
    assert not any(each.low == each.high for each in found.sensitivity)


def test_upkeep_follows_how_often_requirements_change() -> None:
    """LoRA: 1 to 2 weeks a cycle, full tuning 4 to 8; prompts take minutes, an index builds itself (S2)."""
    week = fixed("an engineer-week", 4000, "given by you")
    tuned = with_upkeep(an_offer("tuning", 0.005), "tuning", 4, week)
    assert (tuned.upkeep[0].cost.low, tuned.upkeep[0].cost.high) == (4000, 8000)
    full = with_upkeep(an_offer("full", 0.005), "full tuning", 4, week)
    assert (full.upkeep[0].cost.low, full.upkeep[0].cost.high) == (16_000, 32_000)
    for kind in ("prompting", "retrieval"):
        assert with_upkeep(an_offer(kind, 0.01), kind, 52, week).upkeep == ()
    assert with_upkeep(an_offer("tuning", 0.01), "tuning", 0, week).upkeep == ()
    assert set(CYCLES) >= {"prompting", "retrieval", "tuning", "full tuning"}


def test_an_offer_is_read_from_a_line() -> None:
    reader = Reader()
    found = read_offer("mine:per-answer=0.01,setup=1000..2000,month=50,cycle=500,cycles=4", reader)
    assert found is not None and not reader.problems
    assert (found.setup[0].high, found.per_month[0].low, found.upkeep[0].per_year.low) == (2000, 50, 4)
    assert read_offer("retrieval", reader) == named_offers()["retrieval"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("retreival", "did you mean retrieval?"), ("mine:setup=5", "what an answer costs"),
        ("mine:per-answer=1,sutep=5", "did you mean setup?"), ("mine:per-answer=-1", "never negative"),
        ("mine:per-answer=1,cycle=5", "cycle and cycles together"), ("mine:per-answer", "each with ="),
    ],
)  # fmt: skip
def test_an_offer_that_cannot_be_read_says_why(text: str, words: str) -> None:
    reader = Reader()
    read_offer(text, reader)
    assert any(words in str(problem) for problem in reader.problems), reader.problems


def test_a_named_offer_takes_figures_of_your_own() -> None:
    reader = Reader()
    found = read_offer("tuning:curation=10k..50k,month=100", reader)
    assert found is not None and not reader.problems and found.kind == "tuning"
    assert [(each.low, each.high) for each in found.setup] == [(20_000, 50_000), (10_000, 50_000)]
    assert [each.low for each in found.per_month] == [100] and found.per_answer.low == 0.005


def test_hidden_costs_are_named_until_a_line_covers_them() -> None:
    """S3: data curation, evaluation infrastructure, training again, engineering time."""
    plain, reader = named_offers(), Reader()
    said = left_out(plain["tuning"])
    assert len(said) == 4 and all("(S3)" in each for each in said) and "data curation" in said[0]
    covered = read_offer("tuning:curation=10k,evaluation=5k", reader)
    assert covered is not None and len(left_out(covered)) == 2
    assert left_out(plain["prompting"]) == () and any("S2" in each for each in left_out(plain["retrieval"]))
