"""What a way of answering costs to own: set-up, traffic, infrastructure and upkeep, by month and by year."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

from levers.economics.price import Provenance, weakest, written
from levers.economics.ranges import Range
from levers.economics.totals import DAYS_PER_MONTH, MONTHS_PER_YEAR
from levers.ledger import Record

Kind = Literal["once", "answers", "monthly", "upkeep"]


class Upkeep(Record):
    """Maintenance that comes in cycles: what one costs in USD, and how many there are in a year.

    A tuned model is trained again when requirements change, an index is built again when documents do.
    """

    name: str
    cost: Range
    per_year: Range


class Offer(Record):
    """A way of answering with all that it costs: USD per answer, once, per month, and per maintenance cycle.

    `kind` says what keeping it up takes (prompting, retrieval, tuning, distillation, full tuning); empty: not said.
    """

    name: str
    per_answer: Range
    kind: str = ""
    setup: tuple[Range, ...] = ()
    per_month: tuple[Range, ...] = ()
    upkeep: tuple[Upkeep, ...] = ()

    def inputs(self) -> Iterator[Range]:
        """Yield every range that the cost rests on."""
        yield self.per_answer
        yield from self.setup
        yield from self.per_month
        for each in self.upkeep:
            yield each.cost
            yield each.per_year


class Line(Record):
    """One line of a total: what is paid, when, and how much in USD over its period (once, or a month)."""

    name: str
    kind: Kind
    low: float
    high: float
    provenance: Provenance
    source: str


class Span(Record):
    """An amount of USD between two ends, both exact sums of the inputs' ends."""

    low: float
    high: float


class Ownership(Record):
    """Total cost of ownership of one offer at one volume: a month of 30 days, year 1 (with set-up), year 2."""

    name: str
    answers_per_day: Range
    setup: Span
    month: Span
    year_1: Span
    year_2: Span
    lines: tuple[Line, ...]
    provenance: Provenance


def ownership(offer: Offer, answers_per_day: Range) -> Ownership:
    """Return what an offer costs to own. Ends are sums of the inputs' own ends: best case and worst case."""
    lines = tuple(_lines(offer, answers_per_day))
    setup = [_sum(lines, ("once",), end) for end in ("low", "high")]
    month = [_sum(lines, ("answers", "monthly", "upkeep"), end) for end in ("low", "high")]
    year = [each * MONTHS_PER_YEAR for each in month]
    return Ownership(
        name=offer.name,
        answers_per_day=answers_per_day,
        setup=_span(setup),
        month=_span(month),
        year_1=_span([once + rest for once, rest in zip(setup, year, strict=True)]),
        year_2=_span(year),
        lines=lines,
        provenance=weakest([line.provenance for line in lines]),
    )


def _lines(offer: Offer, traffic: Range) -> Iterator[Line]:
    for each in offer.setup:
        yield _line(each.name, "once", [each], [each.at(0), each.at(1)])
    months = [traffic.at(end) * offer.per_answer.at(end) * DAYS_PER_MONTH for end in (0, 1)]
    yield _line("answers", "answers", [offer.per_answer, traffic], months)
    for each in offer.per_month:
        yield _line(each.name, "monthly", [each], [each.at(0), each.at(1)])
    for cycle in offer.upkeep:
        ends = [cycle.cost.at(end) * cycle.per_year.at(end) / MONTHS_PER_YEAR for end in (0, 1)]
        yield _line(cycle.name, "upkeep", [cycle.cost, cycle.per_year], ends)


def _line(name: str, kind: Kind, inputs: list[Range], ends: list[Fraction]) -> Line:
    return Line(
        name=name,
        kind=kind,
        low=float(ends[0]),
        high=float(ends[1]),
        provenance=weakest([each.provenance for each in inputs]),
        source="; ".join(dict.fromkeys(each.source for each in inputs)),
    )


def _sum(lines: tuple[Line, ...], kinds: tuple[Kind, ...], end: Literal["low", "high"]) -> Fraction:
    return sum((written(getattr(line, end)) for line in lines if line.kind in kinds), Fraction(0))


def _span(ends: list[Fraction]) -> Span:
    return Span(low=float(ends[0]), high=float(ends[1]))
