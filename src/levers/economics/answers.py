"""What an answer costs when it takes several calls: caching, retrieval, reranking, tools, retries, routing."""

from collections.abc import Sequence
from fractions import Fraction

from pydantic import Field

from levers.economics.book import PriceBook
from levers.economics.price import BUCKETS, TOKEN_BUCKETS, CostFigure, Price, Provenance, exact_cost, weakest, written
from levers.economics.usage import Usage
from levers.errors import Problem, UserError
from levers.ledger import Record

TOOL_ROUNDS = 1000  # more rounds than any answer takes; each is a line of its bill


class Call(Record):
    """One kind of call: what it uses, which model it is charged to, and how many of it an answer takes on average.

    `per_answer` is 1 for a call that every answer makes, 0.05 for a retry of one in twenty, 0.8 for a routed share.
    `usage` is of one call: tokens by bucket, and the seconds that a local machine is busy; of so many calls together
    where it counts them.
    """

    name: str
    model: str
    usage: Usage
    per_answer: float = Field(default=1.0, ge=0, allow_inf_nan=False)


class Item(Record):
    """One line of an answer's bill: a kind of call, and what it adds to the mean answer in USD."""

    name: str
    model: str
    per_answer: float
    usage: Usage
    cost: CostFigure


class AnswerCost(Record):
    """The mean cost of an answer in USD and the lines it is the sum of."""

    total: CostFigure
    items: tuple[Item, ...]


class AnswerShape(Record):
    """How an answer is made, as assumptions: tokens, cached share, passages, retries and tool rounds.

    `input` is the whole prompt without passages, of which the first `prefix` tokens are the same in every call. The
    first call of an answer finds them in the cache with probability `hit_rate` (None: not cached at all, so nothing is
    written either); tool rounds and retries follow within seconds and find what it left there. `context` is the tokens
    of retrieved passages; with `embed` the question's `question` tokens are embedded; with `rerank` a rerank
    call is paid. `retries` is the share of answers asked once more. Each of `tools` rounds adds a call whose prompt is
    longer by the last reply and `tool_tokens`. `seconds` and `embed_seconds` are the time that a local machine computes
    for one call.
    """

    model: str
    input: int = Field(ge=0)
    output: int = Field(ge=0)
    prefix: int = Field(default=0, ge=0)
    hit_rate: float | None = Field(default=None, ge=0, le=1)
    context: int = Field(default=0, ge=0)
    embed: str | None = None
    question: int = Field(default=0, ge=0)
    rerank: str | None = None
    retries: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    tools: int = Field(default=0, ge=0, le=TOOL_ROUNDS)
    tool_tokens: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    embed_seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)


def shape_problems(shape: AnswerShape, book: PriceBook) -> list[Problem]:
    """Name what cannot be: a hit rate of no prefix, a prefix longer than the prompt, or one that is not cached."""
    found: list[Problem] = []
    if shape.hit_rate is not None and not shape.prefix:
        expected = "the tokens that every call begins with"
        return [Problem(file="--prefix", found="nothing", expected=expected, hint="or leave --hit-rate out")]
    if shape.prefix > shape.input:
        expected = f"at most the {shape.input:,} tokens of --input"
        found.append(Problem(file="--prefix", found=f"{shape.prefix:,} tokens", expected=expected))
    price = book.find(shape.model)
    least = price.cache_minimum if price else None
    if shape.hit_rate is not None and least and shape.prefix < least:
        expected = f"{least:,.0f} tokens or more: {shape.model} caches no shorter prefix"
        hint = "make the part that repeats longer, or leave the cache out"
        found.append(Problem(file="--prefix", found=f"{shape.prefix:,} tokens", expected=expected, hint=hint))
    return found


def calls_of(shape: AnswerShape) -> tuple[Call, ...]:
    """Return the calls that an answer of that shape takes."""
    made: list[Call] = []
    if shape.embed:
        usage = Usage(input=shape.question, compute_seconds=shape.embed_seconds)
        made.append(Call(name="embed the question", model=shape.embed, usage=usage))
    if shape.rerank:
        made.append(Call(name="rerank", model=shape.rerank, usage=Usage()))
    made += _turns(shape)
    if shape.retries:
        again = shape if shape.hit_rate is None else shape.model_copy(update={"hit_rate": 1.0})
        made += [
            each.model_copy(update={"name": f"retry: {each.name}", "per_answer": each.per_answer * shape.retries})
            for each in _turns(again)
        ]
    return tuple(made)


def _turns(shape: AnswerShape) -> list[Call]:
    """Return the calls to the answering model: its rounds of tools, then the answer."""
    made: list[Call] = []
    for turn in range(shape.tools + 1):
        name = "answer" if turn == shape.tools else f"tool round {turn + 1}"
        asked = shape.input + shape.context + turn * (shape.output + shape.tool_tokens)
        late = shape if turn == 0 or shape.hit_rate is None else shape.model_copy(update={"hit_rate": 1.0})
        made += _model_calls(late, name, asked)
    return made


def routed(shares: Sequence[tuple[float, Sequence[Call]]], router: Sequence[Call] = ()) -> tuple[Call, ...]:
    """Return the calls of a mix: every share of the questions goes its own way; `router` is paid by all.

    Raises UserError when the shares do not add up to 1.
    """
    total = sum(written(share) for share, _ in shares)
    if total != 1:
        hint = "the rest must go somewhere too: route the remaining share"
        raise UserError(Problem(file="--route", found=f"shares of {float(total):g} in all", expected="1", hint=hint))
    mixed = [
        call.model_copy(update={"name": f"{share:.0%}: {call.name}", "per_answer": call.per_answer * share})
        for share, calls in shares
        for call in calls
    ]
    return (*router, *mixed)


def bill(calls: Sequence[Call], book: PriceBook, measured: bool = False) -> AnswerCost:
    """Return the mean cost of an answer that takes these calls, line by line.

    A figure is marked "price book" when the usage was `measured` and the price is listed, "assumed" otherwise. Raises
    UserError for every model without a price and for usage in a unit that its price does not cover: nothing is free by
    being unknown.
    """
    problems: list[Problem] = []
    items: list[tuple[Item, Fraction]] = []
    for call in calls:
        price = book.find(call.model)
        found = [book.missing(call.model)] if price is None else _uncovered(call, price)
        problems += found
        if price is not None and not found:
            items.append(_item(call, price, measured))
    if problems:
        raise UserError(list(dict.fromkeys(problems)))
    total = float(sum((cost for _, cost in items), Fraction(0)))
    figures = [item.cost for item, _ in items]
    sources = dict.fromkeys(part for figure in figures for part in figure.source.split("; "))
    origin = weakest([figure.provenance for figure in figures])
    figure = CostFigure(value=total, provenance=origin, source="; ".join(sources) or "no call is made")
    return AnswerCost(total=figure, items=tuple(item for item, _ in items))


def _model_calls(shape: AnswerShape, name: str, tokens: int) -> list[Call]:
    if shape.hit_rate is None or not shape.prefix:
        return [
            Call(
                name=name,
                model=shape.model,
                usage=Usage(input=tokens, output=shape.output, compute_seconds=shape.seconds),
            )
        ]
    rest = tokens - shape.prefix
    base = Usage(input=rest, output=shape.output, compute_seconds=shape.seconds)
    hit, miss = base + Usage(cache_read=shape.prefix), base + Usage(cache_write=shape.prefix)
    hits = written(shape.hit_rate)
    pairs = ((f"{name}, prefix cached", hit, hits), (f"{name}, prefix written", miss, 1 - hits))
    return [
        Call(name=label, model=shape.model, usage=usage, per_answer=float(share))
        for label, usage, share in pairs
        if share
    ]


def _uncovered(call: Call, price: Price) -> list[Problem]:
    """Name usage that the price says nothing about."""
    used = [bucket for bucket in TOKEN_BUCKETS if getattr(call.usage, bucket)]
    lacking = [bucket for bucket in used if bucket not in price.origins]
    local = "compute_hour" in price.origins and not any(bucket in price.origins for bucket in TOKEN_BUCKETS)
    if local and call.usage.compute_seconds == 0:
        expected = "the seconds that its machine computes for a call"
        hint = "this model is paid by the hour of its machine: give --seconds, or token prices in prices.yaml"
        return [Problem(file="prices", field=call.model, found="no time", expected=expected, hint=hint)]
    if lacking and not local:
        hint = f'add a line "{call.model}": {{input: 1.00, output: 4.00}} to prices.yaml'
        found = f"no price for {', '.join(lacking)}"
        return [Problem(file="prices", field=call.model, found=found, expected="USD per 1M tokens", hint=hint)]
    if not used and not local and price.request is None:
        hint = f'add a line "{call.model}": {{request: 0.002}} to prices.yaml (USD per call)'
        return [Problem(file="prices", field=call.model, found="no price per call", expected="one", hint=hint)]
    return []


def _item(call: Call, price: Price, measured: bool) -> tuple[Item, Fraction]:
    usage = call.usage if call.usage.calls else call.usage.model_copy(update={"calls": 1})
    cost = exact_cost(usage, price) * written(call.per_answer)
    paid = [bucket for bucket in BUCKETS if bucket in price.origins and _uses(call.usage, bucket)]
    origins = [price.origins[bucket] for bucket in paid]
    if price.request is not None and "request" in price.origins:
        origins.append(price.origins["request"])
    standing: list[Provenance] = [origin.provenance for origin in origins]
    sources = "; ".join(dict.fromkeys(str(origin) for origin in origins)) or "no source given"
    figure = CostFigure(
        value=float(cost), provenance=weakest(standing if measured else [*standing, "assumed"]), source=sources
    )
    item = Item(name=call.name, model=call.model, per_answer=call.per_answer, usage=call.usage, cost=figure)
    return item, cost


def _uses(usage: Usage, bucket: str) -> bool:
    return bool(usage.compute_seconds if bucket == "compute_hour" else getattr(usage, bucket))
