"""What the advised levers would cost at the user's own volume: reference ranges and assumed tokens, each marked."""

from levers.economics import (
    AnswerShape,
    Offer,
    Ownership,
    PriceBook,
    Range,
    bill,
    calls_of,
    cost,
    expected_hit_rate,
    fixed,
    maintenance_weeks,
    named_offers,
    ownership,
    project,
    with_upkeep,
)
from levers.plan.circumstances import Circumstances
from levers.plan.facts import terms

CONTEXT = 1200  # tokens of four passages of 300, levers' own default
SHOWN = 800  # tokens of a serious prompt with six examples (S2's own example)
OUT_OF_PRICE = "no cost is shown: no volume was given"


def costs_of(case: Circumstances, order: tuple[str, ...]) -> tuple[tuple[Ownership, ...], str]:
    """Return what the present prompt and every advised lever cost to own at the case's volume, and what is left out."""
    if case.volume is None:
        return (), OUT_OF_PRICE
    book = PriceBook.load()
    traffic = fixed("answers a day", case.volume, "given by you", unit="answers a day")
    offers = [_prompted("as now", case, book)]
    offers += [_offer(lever, case, book) for lever in order if lever != "trial"]
    note = f"assumed: {case.prompt:,} tokens of prompt and {case.output:,} of answer with {case.model}"
    weeks = [lever for lever in order if maintenance_weeks(terms(lever).kind).high]
    if weeks and case.requirements_change:
        note += _maintenance(case, weeks)
    if case.week is not None and case.requirements_change:
        rate, week = case.requirements_change, case.week
        offers = [
            offer if offer.name == "as now" else with_upkeep(offer, terms(offer.name).kind, rate, week)
            for offer in offers
        ]
    return tuple(ownership(offer, traffic) for offer in offers), note


def _maintenance(case: Circumstances, levers: list[str]) -> str:
    if case.week is not None:
        return "; maintenance is in"
    kind = maintenance_weeks(terms(levers[0]).kind)
    low, high = (end * (case.requirements_change or 0) for end in (kind.low, kind.high))
    return (
        f"; not in these figures: {low:g} to {high:g} engineer-weeks a year to keep {' and '.join(levers)} up "
        "(give `week`, what one costs)"
    )


def _prompted(name: str, case: Circumstances, book: PriceBook, more: int = 0) -> Offer:
    shape = AnswerShape(model=case.model, input=case.prompt + more, output=case.output)
    return Offer(name=name, per_answer=_per_answer(name, shape, book))


def _per_answer(name: str, shape: AnswerShape, book: PriceBook) -> Range:
    figure = bill(calls_of(shape), book).total
    return fixed(f"{name}: per answer", figure.value, f"assumed tokens at: {figure.source}")


def _offer(lever: str, case: Circumstances, book: PriceBook) -> Offer:
    if lever in {"tune", "distill"}:
        return _trained(lever, case)
    if lever in {"cache", "inline"}:
        return _cached(lever, case, book)
    if lever == "route":
        return _routed(case, book)
    if lever in {"retrieve", "sharpen", "query"}:
        plain = _prompted(lever, case, book, CONTEXT if lever != "query" else 0)
        infra = (_infrastructure(lever),) if lever == "retrieve" else ()
        return plain.model_copy(update={"setup": (_setup(lever),), "per_month": infra})
    return _prompted(lever, case, book, SHOWN if lever in {"instruct", "examples"} else 0)


def _infrastructure(lever: str) -> Range:
    parts = ("vector database", "embedding", "reranking")
    low = sum(cost(f"self-hosted {part}").low for part in parts)
    high = sum(cost(f"managed {part}").high for part in parts)
    source = "S2: vector database, embedding and reranking, from self-hosted to managed; the model is paid per answer"
    return Range(name=f"{lever}: infrastructure", low=low, high=high, source=source)


def _setup(lever: str) -> Range:
    found = project(terms(lever).project)
    return Range(
        name=f"{lever}: set-up", low=found.project[0], high=found.project[1], source=f"{found.source}: {found.name}"
    )


def _trained(lever: str, case: Circumstances) -> Offer:
    rate = cost("self-hosted LoRA" if lever == "tune" else "distilled model")
    tokens = (case.prompt + case.output) / 1e6
    per_answer = Range(
        name=f"{lever}: per answer", low=rate.low * tokens, high=rate.high * tokens,
        source=f"{rate.source}: {rate.low:g} to {rate.high:g} USD per 1M tokens, self-hosted",
    )  # fmt: skip
    (hosting,) = named_offers()["tuning"].per_month
    kept = hosting.model_copy(update={"name": f"{lever}: a machine that is kept warm"})
    return Offer(name=lever, per_answer=per_answer, setup=(_setup(lever),), per_month=(kept,))


def _cached(lever: str, case: Circumstances, book: PriceBook) -> Offer:
    """Cache the whole prompt; how often it is found follows from the volume and the provider's lifetime."""
    more = (case.corpus or 0) if lever == "inline" else 0
    prefix = case.prompt + more
    shape = AnswerShape(model=case.model, input=prefix, output=case.output)
    price = book.price(case.model)
    if price.cache_seconds and prefix >= (price.cache_minimum or 0):
        hits = expected_hit_rate(case.volume or 0.0, price.cache_seconds)
        shape = shape.model_copy(update={"prefix": prefix, "hit_rate": hits})
    return Offer(name=lever, per_answer=_per_answer(lever, shape, book))


def _routed(case: Circumstances, book: PriceBook) -> Offer:
    """Send four of five questions to a model that is 10 to 100 times cheaper (S3; S1, S4)."""
    now = _per_answer("route", AnswerShape(model=case.model, input=case.prompt, output=case.output), book).low
    cheaper = cost("small tuned model, times cheaper")
    low, high = (now * (0.2 + 0.8 / times) for times in (cheaper.high, cheaper.low))
    source = f"S3: 80 % simple questions; {cheaper.source}: {cheaper.low:g} to {cheaper.high:g} times cheaper"
    return Offer(name="route", per_answer=Range(name="route: per answer", low=low, high=high, source=source))
