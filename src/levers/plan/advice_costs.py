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
    left_out,
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
NO_VOLUME = "no cost is shown: no volume was given"
HAD_ALREADY = "no source prices hybrid search or reranking over an index that is there: retrieve has no set-up here"


def costs_of(case: Circumstances, order: tuple[str, ...], book: PriceBook) -> tuple[tuple[Ownership, ...], str]:
    """Return what the present prompt and every advised lever cost to own at the case's volume, and what is left out.

    Raises UserError where the model has no price.
    """
    if case.volume is None:
        return (), NO_VOLUME
    price = book.price(case.model)
    by_the_hour = "input" not in price.origins
    if by_the_hour and case.seconds is None:
        return (), f"no cost is shown: {case.model} is paid by the hour of its machine, and no time was given (seconds)"
    traffic = fixed("answers a day", case.volume, "given by you", unit="answers a day")
    offers = [_prompted("as now", case, book)]
    offers += [_offer(lever, case, book) for lever in order if lever != "trial"]
    if case.week is not None and case.requirements_change:
        rate, week = case.requirements_change, case.week
        offers = [each if not each.kind else with_upkeep(each, each.kind, rate, week) for each in offers]
    notes = [f"assumed: {case.prompt:,} tokens of prompt and {case.output:,} of answer with {case.model}"]
    if by_the_hour:
        grow = "to grow with the length of the prompt" if case.prompt else "as given, however long the prompt becomes"
        notes.append(f"its seconds are taken {grow}; an idle machine is not in them")
    notes += _maintenance(case, offers)
    if "retrieve" in order and _searches_already(case):
        notes.append(HAD_ALREADY)
    notes += [f"not in the figures of {each.name}: {', '.join(left)}" for each in offers if (left := left_out(each))]
    return tuple(ownership(offer, traffic) for offer in offers), "; ".join(notes)


def _maintenance(case: Circumstances, offers: list[Offer]) -> list[str]:
    """Say whether maintenance is in: in engineer-weeks where nobody said what a week costs."""
    trained = [each for each in offers if each.kind and maintenance_weeks(each.kind).high]
    if not trained:
        return []
    names = " and ".join(each.name for each in trained)
    if case.requirements_change is None:
        return [f"maintenance of {names} is not in: say how often requirements change (requirements_change)"]
    if case.week is not None or not case.requirements_change:
        return ["maintenance is in"]
    names = f"each of {names}" if len(trained) > 1 else names
    kind = maintenance_weeks(trained[0].kind)
    low, high = (end * case.requirements_change for end in (kind.low, kind.high))
    return [
        f"not in these figures: {low:,.3g} to {high:,.3g} engineer-weeks a year to keep {names} up (give `week`, what "
        "one costs)"
    ]


def _searches_already(case: Circumstances) -> bool:
    """Tell whether there is an index already: its documents are the wrong ones, and no fact is said to be missing."""
    return "documents" in case.symptoms and not {"facts", "domain"} & {*case.symptoms}


def _prompted(name: str, case: Circumstances, book: PriceBook, more: int = 0) -> Offer:
    return Offer(name=name, per_answer=_per_answer(name, _shape(case, case.prompt + more), book))


def _shape(case: Circumstances, tokens: int) -> AnswerShape:
    """Return an answer of that prompt. A machine of one's own computes longer for a longer prompt, in proportion.

    To a prompt of nothing there is no proportion: its seconds stay as they were given.
    """
    seconds = (case.seconds or 0.0) * (tokens / case.prompt if case.prompt else 1)
    return AnswerShape(model=case.model, input=tokens, output=case.output, seconds=seconds)


def _per_answer(name: str, shape: AnswerShape, book: PriceBook) -> Range:
    figure = bill(calls_of(shape), book).total
    return fixed(f"{name}: per answer", figure.value, f"tokens as below at: {figure.source}")


def _offer(lever: str, case: Circumstances, book: PriceBook) -> Offer:
    if lever in {"tune", "distill"}:
        return _trained(lever, case)
    if lever in {"cache", "inline"}:
        return _cached(lever, case, book)
    if lever == "route":
        return _routed(case, book)
    if lever in {"retrieve", "sharpen", "query"}:
        there = _searches_already(case)
        plain = _prompted(lever, case, book, 0 if there or lever == "query" else CONTEXT)
        if lever == "retrieve" and there:
            return plain
        infra = (_infrastructure(lever),) if lever == "retrieve" else ()
        kind = "retrieval" if lever == "retrieve" else ""
        return plain.model_copy(update={"setup": (_setup(lever),), "per_month": infra, "kind": kind})
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
    kind = terms(lever).kind
    return Offer(name=lever, kind=kind, per_answer=per_answer, setup=(_setup(lever),), per_month=(kept,))


def _cached(lever: str, case: Circumstances, book: PriceBook) -> Offer:
    """Cache the whole prompt; how often it is found follows from the volume and the provider's lifetime."""
    more = (case.corpus or 0) if lever == "inline" else 0
    prefix = case.prompt + more
    shape = _shape(case, prefix)
    price = book.price(case.model)
    if "input" in price.origins and price.cache_seconds and prefix >= (price.cache_minimum or 0):
        hits = expected_hit_rate(case.volume or 0.0, price.cache_seconds)
        shape = shape.model_copy(update={"prefix": prefix, "hit_rate": hits})
    return Offer(name=lever, per_answer=_per_answer(lever, shape, book))


def _routed(case: Circumstances, book: PriceBook) -> Offer:
    """Send four of five questions to a model that is 10 to 100 times cheaper (S3; S1, S4)."""
    now = _per_answer("route", _shape(case, case.prompt), book).low
    cheaper = cost("small tuned model, times cheaper")
    low, high = (now * (0.2 + 0.8 / times) for times in (cheaper.high, cheaper.low))
    source = f"S3: 80 % simple questions; {cheaper.source}: {cheaper.low:g} to {cheaper.high:g} times cheaper"
    return Offer(name="route", per_answer=Range(name="route: per answer", low=low, high=high, source=source))
