"""When one way of answering pays back against another, how sure that is, and which input decides it."""

import math
from collections.abc import Callable, Mapping
from random import Random

from levers.economics.ownership import Offer
from levers.economics.ranges import Range
from levers.economics.totals import DAYS_PER_MONTH, MONTHS_PER_YEAR, Breakeven, breakeven
from levers.ledger import Record

DRAWS = 4000
HORIZON = 12  # months over which the saving of a sensitivity is counted
SEED = 0

Value = Callable[[Range], float]


class Band(Record):
    """The break-even over the draws, in days: 5th, 50th and 95th percentile; None: not paid back in that draw.

    `at_once` is the share of draws in which the other option is cheaper from the first answer, `never` in which it
    never pays back.
    """

    p5: float | None
    p50: float | None
    p95: float | None
    at_once: float
    never: float
    draws: int
    seed: int


class Sensitivity(Record):
    """What one input does alone, the others in the middle: break-even in days and USD saved in a year at its ends.

    `swing` is by how much the saving moves; `decides` says that the better option changes between the two ends.
    """

    name: str
    low: float
    high: float
    unit: str
    days_low: float | None
    days_high: float | None
    saved_low: float
    saved_high: float
    swing: float
    decides: bool
    source: str


class Payback(Record):
    """One option against another: the break-even at the middle of every range, its band, and what moves it.

    `breakeven` is None where the other option never pays back. `cheaper_until` is the day up to which an option that is
    dearer in the long run is the cheaper one, None where that does not happen.
    """

    now: str
    other: str
    answers_per_day: Range
    breakeven: Breakeven | None
    cheaper_until: float | None
    saved_first_year: float
    band: Band
    sensitivity: tuple[Sensitivity, ...]


def payback(now: Offer, other: Offer, answers_per_day: Range, draws: int = DRAWS, seed: int = SEED) -> Payback:
    """Compare two options over all their ranges.

    The band is a Monte Carlo over independent uniform draws of every range; an input that both options share is drawn
    once for both. Sensitivities move one input at a time and are ranked by the saving they move.
    """
    inputs = _inputs(now, other, answers_per_day)
    middle: dict[str, float] = {key: each.middle for key, each in inputs.items()}

    def at(values: Mapping[str, float]) -> Value:
        return lambda given: values[_key(given)]

    found = _breakeven(now, other, answers_per_day, at(middle))
    back = _breakeven(other, now, answers_per_day, at(middle))
    random = Random(seed)
    days = sorted(
        _days(_breakeven(now, other, answers_per_day, at({key: each.draw(random) for key, each in inputs.items()})))
        for _ in range(draws)
    )
    moved = [
        _sensitivity(each, lambda values: _point(now, other, answers_per_day, at({**middle, **values})))
        for each in inputs.values()
        if not each.exact
    ]
    return Payback(
        now=now.name,
        other=other.name,
        answers_per_day=answers_per_day,
        breakeven=found,
        cheaper_until=back.days if back and found is None and back.days > 0 else None,
        saved_first_year=_saved(now, other, answers_per_day, at(middle)),
        band=_band(days, seed),
        sensitivity=tuple(sorted(moved, key=lambda each: (-each.swing, each.name))),
    )


def _days(found: Breakeven | None) -> float:
    """Return the day of a break-even, infinite where there is none."""
    return math.inf if found is None else found.days


def _key(given: Range) -> str:
    return f"{given.name}|{given.unit}|{given.low!r}|{given.high!r}|{given.source}"


def _inputs(now: Offer, other: Offer, traffic: Range) -> dict[str, Range]:
    return {_key(each): each for each in (traffic, *now.inputs(), *other.inputs())}


def _fixed(offer: Offer, value: Value) -> float:
    """Return what an option costs a month whether asked or not, upkeep included."""
    cycles = sum(value(each.cost) * value(each.per_year) for each in offer.upkeep)
    return sum(value(each) for each in offer.per_month) + cycles / MONTHS_PER_YEAR


def _setup(offer: Offer, value: Value) -> float:
    return sum(value(each) for each in offer.setup)


def _breakeven(now: Offer, other: Offer, traffic: Range, value: Value) -> Breakeven | None:
    fixed_saved = _fixed(now, value) - _fixed(other, value)
    return breakeven(
        _setup(now, value),
        value(now.per_answer),
        _setup(other, value),
        value(other.per_answer),
        value(traffic),
        fixed_saved,
    )


def _saved(now: Offer, other: Offer, traffic: Range, value: Value) -> float:
    """Return what the other option saves over the horizon in USD; negative where it costs more."""
    a_month = (value(now.per_answer) - value(other.per_answer)) * value(traffic) * DAYS_PER_MONTH
    a_month += _fixed(now, value) - _fixed(other, value)
    return _setup(now, value) - _setup(other, value) + a_month * HORIZON


def _point(now: Offer, other: Offer, traffic: Range, value: Value) -> tuple[float, float]:
    return _days(_breakeven(now, other, traffic, value)), _saved(now, other, traffic, value)


def _sensitivity(given: Range, point: Callable[[dict[str, float]], tuple[float, float]]) -> Sensitivity:
    key = _key(given)
    (days_low, saved_low), (days_high, saved_high) = point({key: given.low}), point({key: given.high})
    return Sensitivity(
        name=given.name,
        low=given.low,
        high=given.high,
        unit=given.unit,
        days_low=_finite(days_low),
        days_high=_finite(days_high),
        saved_low=saved_low,
        saved_high=saved_high,
        swing=abs(saved_high - saved_low),
        decides=(saved_low > 0) != (saved_high > 0),
        source=given.source,
    )


def _band(days: list[float], seed: int) -> Band:
    def quantile(share: float) -> float | None:
        return _finite(days[min(len(days) - 1, round(share * (len(days) - 1)))])

    return Band(
        p5=quantile(0.05),
        p50=quantile(0.50),
        p95=quantile(0.95),
        at_once=sum(day == 0 for day in days) / len(days),
        never=sum(math.isinf(day) for day in days) / len(days),
        draws=len(days),
        seed=seed,
    )


def _finite(days: float) -> float | None:
    return days if math.isfinite(days) else None
