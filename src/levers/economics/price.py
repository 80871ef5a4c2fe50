"""What an answer costs: a price per bucket, the usage, and where each figure comes from."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from pydantic import Field

from levers.economics.usage import Usage
from levers.ledger import Record

Provenance = Literal["measured", "price book", "assumed"]
Bucket = Literal["input", "cache_read", "cache_write", "output", "compute_hour"]
Extra = Literal["request", "training", "storage", "cache_seconds", "cache_minimum"]
TOKEN_BUCKETS: tuple[Bucket, ...] = ("input", "cache_read", "cache_write", "output")
BUCKETS: tuple[Bucket, ...] = (*TOKEN_BUCKETS, "compute_hour")
EXTRAS: tuple[Extra, ...] = ("request", "training", "storage", "cache_seconds", "cache_minimum")

_STRENGTH: tuple[Provenance, ...] = ("measured", "price book", "assumed")
_TOKENS = 1_000_000
_SECONDS_PER_HOUR = 3600


class Origin(Record):
    """Where a figure comes from: a list, a guide, a file, or what it was assumed from; with its date if it has one."""

    provenance: Provenance
    source: str
    date: str | None = None

    def __str__(self) -> str:
        """Source, with the date behind it."""
        return f"{self.source} ({self.date})" if self.date else self.source


class Price(Record):
    """What a model costs: USD per 1M tokens in four buckets, and USD per hour of a computing machine.

    A hosted model has token prices and a `compute_hour` of 0; a local one the reverse. `compute_hour` is charged for
    the seconds a machine is busy: an idle machine costs as much and is not in here. `model` is the id, or the pattern
    (`hf/*`), that was matched. `origins` says for each bucket where its price comes from.

    Beside the buckets, None where none is known: `request` (USD per call), `training` (USD per 1M training tokens),
    `storage` (USD per GB and month), `cache_seconds` (how long a prefix stays cached after its last use), and
    `cache_minimum` (the shortest prefix in tokens that is cached).
    """

    model: str
    input: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    cache_read: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    cache_write: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    output: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    compute_hour: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    request: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    training: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    storage: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cache_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cache_minimum: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    origins: dict[Bucket | Extra, Origin] = Field(default_factory=dict)

    @property
    def for_calls(self) -> bool:
        """Tell whether a call to a server can be charged: it has a price for a call, or for its tokens, in and out."""
        return "request" in self.origins or {"input", "output"} <= set(self.origins)


class CostFigure(Record):
    """An amount of money with its provenance: that of its weakest part. `source` names all that it rests on."""

    value: float
    unit: str = "USD"
    provenance: Provenance
    source: str


def answer_cost(usage: Usage, price: Price) -> float:
    """Return the cost of that usage in USD: sum of tokens x price / 1M over four buckets, plus seconds x price / 3600,
    plus calls x price.

    The sum is exact in the decimal prices as they are written (2.5 is 2.50 USD) and rounded to a float once, so that no
    bucket is lost to rounding and equal usages cost the same in whatever order they were added.
    """
    return float(exact_cost(usage, price))


def exact_cost(usage: Usage, price: Price) -> Fraction:
    """Return the cost of that usage in USD as an exact fraction, for sums of many."""
    total = Fraction(0)
    for bucket in TOKEN_BUCKETS:
        total += int(getattr(usage, bucket)) * written(getattr(price, bucket)) / _TOKENS
    total += usage.calls * written(price.request or 0.0)
    return total + written(usage.compute_seconds) * written(price.compute_hour) / _SECONDS_PER_HOUR


def cost_figure(usage: Usage, price: Price) -> CostFigure:
    """Return the cost of that (measured) usage in USD, with the provenance of the prices it was charged at.

    Only buckets that were used count: an assumed cache price does not make an uncached answer's cost an assumption.
    """
    used: list[Bucket | Extra] = [bucket for bucket in TOKEN_BUCKETS if getattr(usage, bucket)]
    if usage.compute_seconds and price.compute_hour:
        used.append("compute_hour")
    if usage.calls and price.request is not None:
        used.append("request")
    origins = [price.origins[bucket] for bucket in used if bucket in price.origins]
    if not origins:  # nothing was used: the price's own standing is what there is to tell
        origins = list(price.origins.values())
    sources = dict.fromkeys(str(origin) for origin in origins)
    return CostFigure(
        value=answer_cost(usage, price),
        provenance=weakest([origin.provenance for origin in origins]),
        source="; ".join(sources) or "no source given",
    )


def weakest(provenances: Sequence[Provenance]) -> Provenance:
    """Return the weakest of several provenances, "assumed" when there is none: a figure is as good as its parts."""
    return max(provenances, key=_STRENGTH.index, default="assumed")


def written(value: float) -> Fraction:
    """Return the decimal number that a float was written as: 0.1 is one tenth, not its nearest binary fraction."""
    return Fraction(repr(float(value)))
