"""What is paid once or by the month beside answers: a tuning run and its data, an index and where it is kept."""

import math
from fractions import Fraction

from levers.economics.price import CostFigure, Extra, Price, answer_cost, cost_figure, weakest, written
from levers.economics.ranges import Range
from levers.economics.reference import cost
from levers.economics.totals import MONTHS_PER_YEAR
from levers.economics.usage import Usage
from levers.errors import Problem, UserError
from levers.ledger import Record

VECTOR_BYTES = 4  # of one dimension in float32
TEXT_BYTES = 4  # of a token: English text runs at about four characters a token


class TuningRun(Record):
    """One tuning run: tokens seen (examples x length x epochs), USD of compute, and what the data takes beside it.

    `curation` is S2's 2 to 5 times the compute, in engineering time; `outsourced` is S3's price of buying it instead.
    """

    tokens: int
    compute: CostFigure
    curation: Range
    outsourced: Range


class IndexCost(Record):
    """An index of documents in USD: embedding them once, embedding what changes each month, and keeping them.

    `passages` is how many there are, `gigabytes` what vectors and text take; `kept` is None where no store has a price
    (a folder on a machine that is there).
    """

    passages: int
    gigabytes: float
    once: CostFigure
    per_month: CostFigure
    kept: CostFigure | None


class Documents(Record):
    """What is indexed: tokens in all, tokens and vector dimensions a passage, changes a year, the share they touch."""

    tokens: int
    passage: int = 300
    dimensions: int = 384
    changes_per_year: float = 0.0
    changed: float = 1.0


def tuning_run(price: Price, tokens: int, epochs: float = 3, hours: float = 0.0) -> TuningRun:
    """Return what tuning on so many tokens costs: by the token where it is hosted, by the hour on a machine.

    Raises UserError where the price covers neither, or a machine's hours are not said.
    """
    if "compute_hour" in price.origins:
        if not hours:
            hint = "this machine is paid by the hour: say how long a run takes (--hours 4)"
            raise UserError(Problem(file="--hours", found="nothing", expected="the hours of one run", hint=hint))
        compute = cost_figure(Usage(compute_seconds=hours * 3600), price)
    else:
        compute = training_cost(price, tokens, epochs)
    times, bought = cost("data curation"), cost("data curation, outsourced")
    curation = Range(
        name="data curation",
        low=compute.value * times.low,
        high=compute.value * times.high,
        source=f"{times.source}: {times.low:g} to {times.high:g} times the compute, in engineering time",
    )
    return TuningRun(
        tokens=round(tokens * epochs), compute=compute, curation=curation,
        outsourced=bought.range().model_copy(update={"source": f"{bought.source}: bought instead"}),
    )  # fmt: skip


def index_cost(embed: Price, documents: Documents, store: Price | None = None, seconds: float = 0.0) -> IndexCost:
    """Return what an index costs. `seconds` is what a local embedding model computes for all documents once.

    Raises UserError where the embedding model has no price for that, or the store none for keeping.
    """
    if "input" not in embed.origins and not seconds:
        hint = "this model is paid by the hour of its machine: give --seconds for all documents"
        raise UserError(Problem(file="--seconds", found="nothing", expected="how long embedding takes", hint=hint))
    usage = Usage(input=documents.tokens, compute_seconds=seconds)
    once = cost_figure(usage, embed)
    part = written(documents.changes_per_year) / MONTHS_PER_YEAR * written(documents.changed)
    monthly = once.model_copy(update={"value": float(written(answer_cost(usage, embed)) * part)})
    passages = math.ceil(documents.tokens / documents.passage) if documents.tokens else 0
    size = passages * documents.dimensions * VECTOR_BYTES + documents.tokens * TEXT_BYTES
    kept = None if store is None else storage_cost(store, size / 1e9)
    assumed = weakest([once.provenance, "assumed"])
    return IndexCost(
        passages=passages, gigabytes=size / 1e9, once=once.model_copy(update={"provenance": assumed}),
        per_month=monthly.model_copy(update={"provenance": assumed}), kept=kept,
    )  # fmt: skip


def training_cost(price: Price, tokens: int, epochs: float = 3) -> CostFigure:
    """Return the USD of a hosted tuning run: tokens x epochs x the price of 1M training tokens.

    Three epochs are the field's usual start (S3). Raises UserError where no training price is known.
    """
    figure = _known(price, "training", "USD per 1M training tokens; hosted tuning is 0.80 to 3 (S0)")
    return _figure(price, "training", float(_count("tokens", tokens) * _count("epochs", epochs) * figure / 1_000_000))


def storage_cost(price: Price, gigabytes: float) -> CostFigure:
    """Return the USD a month of keeping so many gigabytes. Raises UserError where no storage price is known."""
    figure = _known(price, "storage", "USD per GB and month")
    return _figure(price, "storage", float(_count("gigabytes", gigabytes) * figure))


def _known(price: Price, name: Extra, unit: str) -> Fraction:
    value = getattr(price, name)
    if value is None:
        hint = f'add it in prices.yaml: "{price.model}": {{…, {name}: 3.00}}'
        raise UserError(
            Problem(file="prices", field=f"{price.model}.{name}", found="nothing", expected=unit, hint=hint)
        )
    return written(value)


def _count(name: str, value: float) -> Fraction:
    if not (math.isfinite(value) and value >= 0):
        raise UserError(Problem(file=name, found=str(value), expected="a number, 0 or more"))
    return written(value)


def _figure(price: Price, name: Extra, value: float) -> CostFigure:
    origin = price.origins.get(name)
    if origin is None:
        return CostFigure(value=value, provenance="assumed", source="no source given")
    return CostFigure(value=value, provenance=origin.provenance, source=str(origin))
