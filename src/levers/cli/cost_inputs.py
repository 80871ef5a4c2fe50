"""What the cost commands are told, read with all problems at once, and the figures that come of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from levers import verbs
from levers.economics import (
    AnswerCost,
    AnswerShape,
    Asked,
    CacheCase,
    Call,
    LatencyBudget,
    Memory,
    Offer,
    Ownership,
    Payback,
    PriceBook,
    Range,
    Reader,
    Shape,
    StepTime,
    Training,
    Usage,
    bill,
    cache_case,
    calls_of,
    fixed,
    latencies,
    latency_budget,
    monthly,
    ownership,
    prompt_overhead,
    reference_step,
    routed,
    serving_memory,
    shape,
    shape_of_config,
    shape_problems,
    training_memory,
    with_upkeep,
)
from levers.economics import payback as pay_back
from levers.economics.memory import METHODS, OPTIMIZERS, PRECISIONS
from levers.economics.offers import CYCLES, read_offer
from levers.economics.quantities import PER_DAY
from levers.errors import UserError
from levers.ledger import Record
from levers.plan.facts import tables

if TYPE_CHECKING:
    from levers.cli.costs import AnswerOptions, CacheOptions, LatencyOptions, OfferOptions, VramOptions

SHORT = {"0.5b": "qwen2.5-0.5b", "1b": "tinyllama-1.1b", "3b": "qwen2.5-3b", "7b": "llama-2-7b", "8b": "llama-3-8b",
         "13b": "llama-2-13b", "65b": "llama-65b", "70b": "llama-2-70b"}  # fmt: skip
NO_MAINTENANCE = "maintenance is not in these figures: give --changes (how often requirements change) and --week"


class Answered(Record):
    """One answer's cost with the shape it was computed for; a month of it where a volume is known."""

    model: str
    shape: AnswerShape | None
    usage: Usage | None
    cost: AnswerCost
    answers_per_day: float | None
    month: float | None


class Cached(Record):
    """A cache's economics for a model."""

    model: str
    case: CacheCase


class Owned(Record):
    """Offers with what they cost to own, and what is not in the figures."""

    owned: tuple[Ownership, ...]
    notes: tuple[str, ...]


class Compared(Record):
    """A pay-back, and what is not in the figures."""

    payback: Payback
    notes: tuple[str, ...]


class Held(Record):
    """A memory estimate, and whether it fits the card that was named (bytes)."""

    model: str
    shape: Shape
    training: Training | None
    memory: Memory
    card: float | None
    overhead: float
    fits: bool | None


def book_of(prices: Path | None, project: Path | None) -> PriceBook:
    """Return the price book under a file of the user's, or under the project's own."""
    if prices is None and project is not None:
        task = verbs.task_of(project)
        prices = task.root / task.config.prices if task.config.prices else None
    return PriceBook.load(prices)


def answer(model: str | None, given: "AnswerOptions") -> Answered:
    """Read `levers cost answer`."""
    reader = Reader()
    volume = _volume(given.volume, given.project, reader)
    if model is None and given.project is None:
        reader.refuse("MODEL", "nothing", "a model's id, or --project", "for example openai/gpt-4o")
    elif given.input is None and given.project is None:
        reader.refuse("--input", "nothing", "the tokens of a prompt", "or name a --project with a finished run")
    reader.done()
    book = book_of(given.prices, given.project)
    if given.project is not None and given.input is None:
        return _measured(model, given.project, book, volume)
    shape_ = _shape(model or _project_model(given.project), given, reader)
    ways = [_route(each, reader) for each in given.route or ()]
    reader.done()
    problems = shape_problems(shape_, book)
    if problems:
        raise UserError(problems)
    calls = calls_of(shape_)
    if ways:
        rest = round(1 - sum(share for _, share in ways), 12)
        mixed = [(share, calls_of(shape_.model_copy(update={"model": name}))) for name, share in ways]
        calls = routed([*mixed, *([(rest, calls)] if rest else [])])
    return _answered(shape_.model, shape_, None, bill(calls, book), volume)


def _shape(model: str, given: "AnswerOptions", reader: Reader) -> AnswerShape:
    return AnswerShape(
        model=model,
        input=reader.whole("--input", given.input or "0"),
        output=reader.whole("--output", given.output if given.output is not None else "0"),
        prefix=reader.whole("--prefix", given.prefix),
        hit_rate=None if given.hit_rate is None else reader.share("--hit-rate", given.hit_rate),
        context=reader.whole("--context", given.context),
        embed=given.embed,
        question=reader.whole("--question", given.question),
        rerank=given.rerank,
        retries=reader.share("--retries", given.retries),
        tools=reader.whole("--tools", given.tools),
        tool_tokens=reader.whole("--tool-tokens", given.tool_tokens),
        seconds=reader.seconds("--seconds", given.seconds, "300ms"),
        embed_seconds=reader.seconds("--embed-seconds", given.embed_seconds, "20ms"),
    )


def _route(text: str, reader: Reader) -> tuple[str, float]:
    name, equals, share = text.rpartition("=")
    if not equals:
        reader.refuse("--route", repr(text), "MODEL=SHARE", "for example openai/gpt-4o-mini=80%")
        return text, 0.0
    return name, reader.share("--route", share)


def _project_model(project: Path | None) -> str:
    return verbs.task_of(project).config.models.answer if project is not None else ""


def _measured(model: str | None, project: Path, book: PriceBook, volume: float | None) -> Answered:
    """Charge the tokens that the latest run measured for its final stack, to its own model or to another."""
    run = verbs.finished(project)
    usage, count = run.final.dev.usage, len(run.final.dev.outcomes)
    name = model or run.model
    call = Call(name=f"mean of {count} measured answers", model=name, usage=usage, per_answer=1 / count)
    return _answered(name, None, usage, bill([call], book, measured=True), volume)


def _answered(
    model: str, shape_: AnswerShape | None, usage: Usage | None, cost: AnswerCost, volume: float | None
) -> Answered:
    month = None if volume is None else monthly(cost.total.value, volume)
    return Answered(model=model, shape=shape_, usage=usage, cost=cost, answers_per_day=volume, month=month)


def _volume(text: str | None, project: Path | None, reader: Reader) -> float | None:
    if text is not None:
        return reader.per_day("--volume", text)
    return verbs.task_of(project).config.traffic.answers_per_day if project is not None else None


def cache(model: str, given: "CacheOptions") -> Cached:
    """Read `levers cost cache`."""
    reader = Reader()
    prefix = reader.whole("--prefix", given.prefix, low=1)
    lifetime = None if given.lifetime is None else reader.seconds("--lifetime", given.lifetime)
    rate = None if given.hit_rate is None else reader.share("--hit-rate", given.hit_rate)
    volume = None if given.volume is None else reader.per_day("--volume", given.volume)
    reader.done()
    price = PriceBook.load(given.prices).price(model)
    if "input" not in price.origins:
        reader.refuse("MODEL", model, "a model that is paid by the token", "a machine of your own bills no cache")
    elif price.cache_minimum and prefix < price.cache_minimum:
        expected = f"{price.cache_minimum:,.0f} tokens or more: this model caches no shorter prefix"
        reader.refuse("--prefix", f"{prefix:,} tokens", expected)
    lifetime = lifetime or price.cache_seconds
    if not lifetime:
        reader.refuse("--lifetime", "nothing", "how long a prefix stays cached", "write 5m; the price book has none")
    reader.done()
    asked = Asked(prefix=prefix, lifetime=lifetime or 1.0, answers_per_day=volume, hit_rate=rate)
    return Cached(model=model, case=cache_case(price, asked))


def owned(texts: Sequence[str], given: "OfferOptions") -> Owned:
    """Read `levers cost tco`."""
    offers, traffic, notes = _offers(texts, given)
    return Owned(owned=tuple(ownership(each, traffic) for each in offers), notes=notes)


def compared(now: str, other: str, given: "OfferOptions") -> Compared:
    """Read `levers cost breakeven`."""
    offers, traffic, notes = _offers([now, other], given)
    return Compared(payback=pay_back(offers[0], offers[1], traffic), notes=notes)


def _offers(texts: Sequence[str], given: "OfferOptions") -> tuple[list[Offer], Range, tuple[str, ...]]:
    reader = Reader()
    traffic = _traffic(given, reader)
    measured = verbs.step_offers(given.project) if given.project is not None else {}
    offers: list[Offer] = []
    for text in texts:
        if text.startswith("@"):
            found = measured.get(text)
            if found is None:
                known = ", ".join(measured) or "none: name a --project with a finished run"
                reader.refuse("OFFER", repr(text), f"a step of the latest run: {known}")
        else:
            found = read_offer(text, reader)
        offers += [found] if found else []
    notes: tuple[str, ...] = (NO_MAINTENANCE,)
    if given.changes is not None:
        changes = reader.per_year("--changes", given.changes)
        kinds = [CYCLES.get(each.name, "") for each in offers]
        if given.week is None and any(kinds) and changes:
            hint = "no source gives one; for example --week 3000..5000"
            reader.refuse("--week", "nothing", "what an engineer-week costs in USD", hint)
        week = reader.span("--week", given.week or "0", "USD")
        reader.done()
        offers = [with_upkeep(each, each.name, changes, week) if each.name in CYCLES else each for each in offers]
        notes = ("maintenance: prompts take minutes and an index builds itself; only tuned models go round (S2)",)
    reader.done()
    return offers, traffic, notes


def _traffic(given: "OfferOptions", reader: Reader) -> Range:
    name, unit = "answers a day", "answers a day"
    if given.volume is None and given.project is None:
        reader.refuse("--volume", "nothing", "how much is asked", "write 10k/day")
    if given.volume is None:
        count = _volume(None, given.project, reader) or 0.0
        return fixed(name, count, "the project's traffic", unit=unit)
    low, dots, high = given.volume.partition("..")
    per = high.partition("/")[2] if dots else ""
    first = reader.per_day("--volume", f"{low}/{per}" if per in PER_DAY and "/" not in low else low)
    last = reader.per_day("--volume", high) if dots else first
    if first > last:
        reader.refuse("--volume", repr(given.volume), "the lower end first")
        last = first
    return Range(name=name, low=first, high=last, unit=unit, source="given by you")


def vram(model: str, given: "VramOptions") -> Held:
    """Read `levers cost vram`."""
    reader = Reader()
    path = Path(model)
    size = shape_of_config(path) if path.suffix == ".json" else shape(SHORT.get(model.lower(), model.lower()))
    whole = {name: reader.whole(f"--{name}", getattr(given, name), low=1) for name in ("batch", "tokens", "rank")}
    virtual = reader.whole("--virtual-tokens", given.virtual_tokens, low=1)
    card = None if given.card is None else reader.bytes("--card", given.card)
    overhead = reader.bytes("--overhead", given.overhead) if card is not None else 0.0
    _one_of("--method", given.method, (*METHODS, "serve"), reader)
    _one_of("--precision", given.precision, PRECISIONS, reader)
    _one_of("--optimizer", given.optimizer, OPTIMIZERS, reader)
    _one_of("--bits", given.bits, ("32", "16", "8", "4"), reader)
    reader.done()
    training = None
    if given.method == "serve":
        memory = serving_memory(size, whole["batch"], whole["tokens"], int(given.bits) / 8)
    else:
        training = _training(given, {**whole, "virtual_tokens": virtual}, reader)
        memory = training_memory(size, training)
    fits = None if card is None else memory.fits(card, overhead)
    return Held(model=model, shape=size, training=training, memory=memory, card=card, overhead=overhead, fits=fits)


def _training(given: "VramOptions", whole: dict[str, int], reader: Reader) -> Training:
    names = ("method", "precision", "optimizer", "checkpointing")
    targets = tuple(each.strip() for each in given.targets.split(","))
    values: dict[str, Any] = {**whole, **{name: getattr(given, name) for name in names}, "targets": targets}
    try:
        return Training.model_validate(values)
    except ValidationError as error:
        for each in error.errors():
            reader.refuse("levers cost vram", str(each["msg"]).removeprefix("Value error, "), "")
        reader.done()
        raise


def _one_of(name: str, text: str, known: Sequence[str], reader: Reader) -> None:
    if text not in known:
        reader.refuse(name, repr(text), f"one of {', '.join(known)}")


def latency(given: "LatencyOptions") -> LatencyBudget:
    """Read `levers cost latency`."""
    reader = Reader()
    target = reader.seconds("--target", given.target, "800ms") * 1000
    steps = [found for text in given.step or () if (found := _step(text, reader))]
    total: StepTime | None = None
    if given.prompt is not None:
        steps.append(prompt_overhead(reader.whole("--prompt", given.prompt)))
    if given.project is not None and not given.step:
        measured, total = verbs.step_times(given.project)
        total = total if given.prompt is None else None
        steps = [*measured, *steps]
    if not steps:
        hint = "for example --step retrieve=40ms/90ms --step 'prompt, small hosted model'; or --project"
        reader.refuse("--step", "no step", "at least one", hint)
    reader.done()
    return latency_budget(steps, target, total)


def _step(text: str, reader: Reader) -> StepTime | None:
    if text in latencies():
        return reference_step(text)
    name, equals, times = text.partition("=")
    if not equals:
        reader.refuse("--step", repr(text), "name=p50/p95, or one of " + ", ".join(latencies()))
        return None
    middle, slash, tail = times.partition("/")
    p50 = reader.seconds("--step", middle, "40ms") * 1000
    p95 = reader.seconds("--step", tail, "90ms") * 1000 if slash else p50
    if not slash:
        reader.refuse(
            "--step", repr(text), "p50 and p95", f"write {name}={middle}/…: a budget is for the 95th percentile"
        )
    elif p95 < p50:
        reader.refuse("--step", repr(text), "p50 first, then p95, which is no smaller")
    return StepTime(name=name, p50=p50, p95=p95, provenance="assumed", source="given by you")


def counts(texts: Sequence[str], reader: Reader) -> dict[str, int]:
    """Read what there is of examples by goal; "" is for every goal."""
    found: dict[str, int] = {}
    for text in texts:
        goal, _, number = text.rpartition("=")
        found[goal.strip()] = reader.whole("--have", number)
    reader.done()
    return found


def facts(name: str | None) -> dict[str, list[dict[str, Any]]]:
    """Return one table of the field's figures, or all of them."""
    known = tables()
    if name is None:
        return known
    if name not in known:
        reader = Reader()
        reader.refuse("TABLE", repr(name), f"one of {', '.join(known)}")
        reader.done()
    return {name: known[name]}
