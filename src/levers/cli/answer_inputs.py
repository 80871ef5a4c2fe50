"""What `levers cost answer`, `cache`, `training` and `index` are told, read with all problems at once."""

from pathlib import Path
from typing import TYPE_CHECKING

from levers import verbs
from levers.economics import (
    LIFETIMES,
    TOOL_ROUNDS,
    AnswerCost,
    AnswerShape,
    Asked,
    CacheCase,
    Call,
    Documents,
    IndexCost,
    Price,
    PriceBook,
    Reader,
    TuningRun,
    Usage,
    at_lifetime,
    bill,
    cache_case,
    calls_of,
    expected_hit_rate,
    index_cost,
    monthly,
    routed,
    shape_problems,
    tuning_run,
)
from levers.errors import UserError
from levers.ledger import Record
from levers.model import billed

if TYPE_CHECKING:
    from levers.cli.answer_costs import AnswerOptions, CacheOptions, IndexOptions, TrainingOptions

QUESTION = 50  # tokens of a question, where none are said
_SHAPES = ("input", "output", "prefix", "hit_rate", "lifetime", "context", "embed", "question", "rerank", "retries",
           "tools", "tool_tokens", "seconds", "embed_seconds", "route")  # fmt: skip


class Answered(Record):
    """One answer's cost with the shape it was computed for; a month of it where a volume is known."""

    model: str
    shape: AnswerShape | None
    usage: Usage | None
    cost: AnswerCost
    answers_per_day: float | None
    month: float | None
    notes: tuple[str, ...] = ()


class Cached(Record):
    """A cache's economics for a model."""

    model: str
    case: CacheCase


class Trained(Record):
    """What a tuning run costs at a model's price, or on a machine."""

    model: str
    run: TuningRun


class Kept(Record):
    """What an index costs, and what for."""

    embed: str
    documents: Documents
    cost: IndexCost


def book_of(prices: Path | None, project: Path | None) -> PriceBook:
    """Return the price book under a file of the user's, or under the project's own."""
    if prices is None and project is not None:
        task = verbs.task_of(project)
        prices = task.root / task.config.prices if task.config.prices else None
    return PriceBook.load(prices)


def volume_of(text: str | None, project: Path | None, reader: Reader) -> float | None:
    """Return the answers a day that were said, or those of the project."""
    if text is not None:
        return reader.per_day("--volume", text)
    if project is None:
        return None
    return reader.number("traffic.answers_per_day", verbs.task_of(project).config.traffic.answers_per_day)


def answer(model: str | None, given: "AnswerOptions") -> Answered:
    """Read `levers cost answer`."""
    reader = Reader()
    volume = volume_of(given.volume, given.project, reader)
    if model is None and given.project is None:
        reader.refuse("MODEL", "nothing", "a model's id, or --project", "for example openai/gpt-4o")
    if given.input is None and given.project is None:
        reader.refuse("--input", "nothing", "the tokens of a prompt", "or name a --project with a finished run")
    _unused(given, reader)
    if reader.problems and given.input is None:
        reader.done()
    book = book_of(given.prices, given.project)
    if given.project is not None and given.input is None:
        return _measured(model, given.project, book, volume)
    name = billed(model or (verbs.task_of(given.project).config.models.answer if given.project else ""))
    ways = [_route(each, reader) for each in given.route or ()]
    rest = round(1 - sum(share for _, share in ways), 12)
    if rest < 0:
        reader.refuse("--route", f"shares of {1 - rest:g} in all", "1 at the most", "the rest stays with MODEL")
    ways = [*ways, *([(name, rest)] if rest or not ways else [])]
    plain = _shape(name, given, book, reader)
    asked = [each for each in (*(way for way, _ in ways), given.embed, given.rerank) if each]
    reader.problems += [book.missing(each) for each in dict.fromkeys(asked) if book.find(each) is None]
    _priced_by_the_hour("--seconds", given.seconds, [way for way, _ in ways], book, reader)
    _priced_by_the_hour("--embed-seconds", given.embed_seconds, [given.embed] if given.embed else [], book, reader)
    if plain.prefix and given.hit_rate is None and volume is None:
        hint = "say the share of answers that find it cached, or how much is asked (--volume), which gives that share"
        reader.refuse("--prefix", f"{plain.prefix:,} tokens and no hit rate", "--hit-rate or --volume", hint)
    reader.done()
    notes: list[str] = []
    prices, shapes = _priced(book, plain, ways, given, volume, notes)
    problems = [problem for shape in shapes for problem in shape_problems(shape, prices)]
    if problems:
        raise UserError(list(dict.fromkeys(problems)))
    calls = routed([(share, calls_of(shape)) for shape, (_, share) in zip(shapes, ways, strict=True)])
    own = shapes[-1] if ways[-1][0] == name else plain
    found = bill(calls if given.route else calls_of(own), prices)
    return _answered(name, own, None, found, volume).model_copy(update={"notes": tuple(notes)})


def _unused(given: "AnswerOptions", reader: Reader) -> None:
    """Refuse options that would change nothing."""
    if given.project is not None and given.input is None:
        said = [f"--{name.replace('_', '-')}" for name in _SHAPES if getattr(given, name) not in (None, [])]
        if said:
            hint = "give --input too, and assume all tokens; or leave these out, and take the measured ones"
            reader.refuse(", ".join(said), "beside a measured run", "--input as well", hint)
        return
    for name, needed in (("tool_tokens", "tools"), ("question", "embed"), ("embed_seconds", "embed")):
        if getattr(given, name) is not None and getattr(given, needed) is None:
            option, other = f"--{name.replace('_', '-')}", f"--{needed}"
            reader.refuse(option, f"no {other}", f"{other} as well", f"without it {option} changes nothing")
    if given.lifetime is not None and given.prefix is None:
        reader.refuse("--lifetime", "no --prefix", "the tokens that every call begins with")


def _priced_by_the_hour(option: str, said: str | None, models: list[str], book: PriceBook, reader: Reader) -> None:
    """Refuse a time where none of the models is paid for it."""
    found = [price for each in models if (price := book.find(each))]
    if said is not None and found and not any("compute_hour" in each.origins for each in found):
        expected = "a model that is paid by the hour of its machine"
        reader.refuse(option, said, expected, "a hosted model is paid by the token, however long it takes")


def _priced(
    book: PriceBook, plain: AnswerShape, ways: list[tuple[str, float]], given: "AnswerOptions", volume: float | None,
    notes: list[str],
) -> tuple[PriceBook, list[AnswerShape]]:  # fmt: skip
    """Give every way its model, its cache price at the lifetime asked for, and the hit rate that its traffic gives."""
    own: dict[str, Price] = dict(book.own)
    shapes: list[AnswerShape] = []
    for name, share in ways:
        price, shape = book.find(name), plain.model_copy(update={"model": name})
        if shape.prefix and price is not None and "input" in price.origins:
            reader = Reader()
            price, lifetime, source = _lifetime(price, given.lifetime, reader)
            if given.lifetime is not None and plain.hit_rate is not None and not _sells_lifetimes(price):
                expected = "a model whose cache writes are priced by lifetime"
                hint = f"with a hit rate said, it changes nothing for {name}: leave one out"
                reader.refuse("--lifetime", repr(given.lifetime), expected, hint)
            if plain.hit_rate is None and not lifetime:
                hint = f"write 5m; the price book has none for {name}"
                reader.refuse("--lifetime", "nothing", "how long a prefix stays cached", hint)
            reader.done()
            own[name] = price
            if plain.hit_rate is None:
                rate = expected_hit_rate((volume or 0.0) * share, lifetime)
                shape = shape.model_copy(update={"hit_rate": rate})
                notes.append(
                    f"hit rate of {name}: {rate:.1%}, from {(volume or 0.0) * share:,.0f} answers a day at random "
                    f"times and {lifetime:g} s ({source})"
                )
        elif shape.prefix:
            shape = shape.model_copy(update={"prefix": 0, "hit_rate": None})
            notes.append(f"{name} is paid by the hour of its machine: a cache is in its seconds, not in its tokens")
        shapes.append(shape)
    return book.model_copy(update={"own": own}), shapes


def _lifetime(price: Price, text: str | None, reader: Reader) -> tuple[Price, float, str]:
    """Return the price with its cache write at the lifetime asked for, that lifetime in seconds, and its source."""
    if text is None:
        origin = price.origins.get("cache_seconds")
        return price, price.cache_seconds or 0.0, str(origin or "")
    seconds = reader.seconds("--lifetime", text)
    if _sells_lifetimes(price):
        kept = LIFETIMES.get(seconds)
        if kept is None:
            reader.refuse("--lifetime", repr(text), "5m or 1h", "Anthropic keeps a prefix for one of the two")
        price = at_lifetime(price, kept)
    return price, seconds, "given by you"


def _sells_lifetimes(price: Price) -> bool:
    return price.model.startswith("anthropic/")


def _shape(model: str, given: "AnswerOptions", book: PriceBook, reader: Reader) -> AnswerShape:
    price = book.find(model)
    output = given.output
    if output is None:
        if price is not None and price.output:
            hint = "an answer is paid for as well; 0 for a model that writes nothing"
            reader.refuse("--output", "nothing", "the tokens of a reply", hint)
        output = "0"
    return AnswerShape(
        model=model,
        input=reader.whole("--input", given.input or "0"),
        output=reader.whole("--output", output),
        prefix=reader.whole("--prefix", given.prefix or "0"),
        hit_rate=None if given.hit_rate is None else reader.share("--hit-rate", given.hit_rate),
        context=reader.whole("--context", given.context or "0"),
        embed=given.embed,
        question=reader.whole("--question", given.question or QUESTION) if given.embed else 0,
        rerank=given.rerank,
        retries=reader.share("--retries", given.retries or "0"),
        tools=reader.whole("--tools", given.tools or "0", high=TOOL_ROUNDS),
        tool_tokens=reader.whole("--tool-tokens", given.tool_tokens or "0"),
        seconds=reader.seconds("--seconds", given.seconds or "0s", "300ms"),
        embed_seconds=reader.seconds("--embed-seconds", given.embed_seconds or "0s", "20ms"),
    )


def _route(text: str, reader: Reader) -> tuple[str, float]:
    name, equals, share = text.rpartition("=")
    if not equals:
        reader.refuse("--route", repr(text), "MODEL=SHARE", "for example openai/gpt-4o-mini=80%")
        return text, 0.0
    return billed(name), reader.share("--route", share)


def _measured(model: str | None, project: Path, book: PriceBook, volume: float | None) -> Answered:
    """Charge the tokens that the latest run measured for its final stack, to its own model or to another."""
    run = verbs.finished(project)
    usage, count = run.final.dev.usage, len(run.final.dev.outcomes)
    usage = usage if usage.calls else usage.model_copy(update={"calls": count})  # a local model answers without calls
    own = billed(run.model)
    name = billed(model) if model else own
    if name == own and (price := book.find(name)):
        price = at_lifetime(price, run.stack.model.cache)  # as the run itself was billed
        book = book.model_copy(update={"own": {**book.own, name: price}})
    call = Call(name=f"{count} measured answers together", model=name, usage=usage, per_answer=1 / count)
    found = _answered(name, None, usage, bill([call], book, measured=name == own), volume)
    other = f"tokens as {own} counted and wrote them: {name} would count and write others"
    return found.model_copy(update={"notes": () if name == own else (other,)})


def _answered(
    model: str, shape_: AnswerShape | None, usage: Usage | None, cost: AnswerCost, volume: float | None
) -> Answered:
    month = None if volume is None else monthly(cost.total.value, volume)
    return Answered(model=model, shape=shape_, usage=usage, cost=cost, answers_per_day=volume, month=month)


def cache(model: str | None, given: "CacheOptions") -> Cached:
    """Read `levers cost cache`."""
    reader = Reader()
    if model is None and given.project is None:
        reader.refuse("MODEL", "nothing", "a model's id, or --project", "for example anthropic/claude-sonnet-4")
    prefix = reader.whole("--prefix", given.prefix, low=1)
    rate = None if given.hit_rate is None else reader.share("--hit-rate", given.hit_rate)
    volume = volume_of(given.volume, given.project, reader)
    if given.lifetime is not None:
        reader.seconds("--lifetime", given.lifetime)
    reader.done()
    name = billed(model or (verbs.task_of(given.project).config.models.answer if given.project else ""))
    price, lifetime, source = _lifetime(book_of(given.prices, given.project).price(name), given.lifetime, reader)
    if "input" not in price.origins:
        reader.refuse("MODEL", name, "a model that is paid by the token", "a machine of your own bills no cache")
    elif price.cache_minimum and prefix < price.cache_minimum:
        expected = f"{price.cache_minimum:,.0f} tokens or more: this model caches no shorter prefix"
        reader.refuse("--prefix", f"{prefix:,} tokens", expected)
    if not lifetime:
        reader.refuse("--lifetime", "nothing", "how long a prefix stays cached", "write 5m; the price book has none")
    reader.done()
    asked = Asked(prefix=prefix, lifetime=lifetime, lifetime_source=source, answers_per_day=volume, hit_rate=rate)
    return Cached(model=name, case=cache_case(price, asked))


def training(model: str, given: "TrainingOptions") -> Trained:
    """Read `levers cost training`."""
    reader, model = Reader(), billed(model)
    examples = reader.whole("--examples", given.examples, low=1)
    tokens = reader.whole("--tokens", given.tokens, low=1)
    epochs = reader.number("--epochs", given.epochs)
    hours = 0.0 if given.hours is None else reader.number("--hours", given.hours)
    price = book_of(given.prices, None).price(model)
    if given.hours is not None and "compute_hour" not in price.origins:
        reader.refuse(
            "--hours", given.hours, "a machine that is paid by the hour", "hosted tuning is paid by the token"
        )
    reader.done()
    return Trained(model=model, run=tuning_run(price, examples * tokens, epochs, hours))


def index(given: "IndexOptions") -> Kept:
    """Read `levers cost index`."""
    reader = Reader()
    documents = Documents(
        tokens=reader.whole("--corpus", given.corpus, low=1),
        passage=reader.whole("--passage", given.passage, low=1) or 1,
        dimensions=reader.whole("--dimensions", given.dimensions, low=1),
        changes_per_year=reader.per_year("--documents-change", given.documents_change),
        changed=reader.share("--changed", given.changed),
    )
    seconds = 0.0 if given.seconds is None else reader.seconds("--seconds", given.seconds, "10m")
    book = book_of(given.prices, None)
    embed = book.price(given.embed)
    if given.seconds is not None and "compute_hour" not in embed.origins:
        reader.refuse("--seconds", given.seconds, "a model that is paid by the hour of its machine")
    store = None if given.store is None else book.price(given.store)
    reader.done()
    return Kept(embed=given.embed, documents=documents, cost=index_cost(embed, documents, store, seconds))
