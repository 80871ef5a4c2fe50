"""Answers that pull against each other: pointed out with what decides between them, never averaged."""

from collections.abc import Callable, Iterator

from levers.economics import (
    CACHE_MINIMUM,
    DAYS_PER_YEAR,
    WEEKS_PER_YEAR,
    Ownership,
    PriceBook,
    gate,
    project,
    threshold,
)
from levers.ledger import Record
from levers.plan.circumstances import LIVE, Circumstances
from levers.plan.facts import signals

CYCLE_WEEKS = 2  # of a LoRA adapter, at most (S2)
CENT = 0.01  # USD an answer, assumed where the case's own cost is not known


class Conflict(Record):
    """Two answers that do not go together, why, and what would settle it."""

    between: tuple[str, str]
    why: str
    settle: str
    source: str


def conflicts(
    case: Circumstances, order: tuple[str, ...], spent: tuple[str, ...], costs: tuple[Ownership, ...], book: PriceBook
) -> tuple[Conflict, ...]:
    """Return every conflict in the answers, given the levers in the order advised.

    `spent` are the symptoms whose levers were all tried in vain; `costs` those of the case, the present way first,
    empty where none are known.
    """
    checks: tuple[Callable[[Circumstances, tuple[str, ...]], Iterator[Conflict]], ...] = (
        _wrong_for_another, _knowledge, _latency, _tuning, _people,
    )  # fmt: skip
    found = (each for check in checks for each in check(case, order))
    return (*found, *_tried(spent, order), *_caching(case, order, book), *_scale(case, costs))


def _say(one: str, other: str, why: str, settle: str, source: str) -> Conflict:
    return Conflict(between=(one, other), why=why, settle=settle, source=source)


def _wrong_for_another(case: Circumstances, order: tuple[str, ...]) -> Iterator[Conflict]:
    """A lever that is right for one symptom and wrong for another mends only the one."""
    chosen = [signals()[name] for name in case.symptoms]
    for one in chosen:
        for other in chosen:
            shared = {move.lever for move in one.right} & {move.lever for move in other.wrong}
            for lever in sorted(shared if one is not other else ()):
                yield _say(
                    f"symptoms: {one.name}",
                    f"symptoms: {other.name}",
                    f"{lever} is right for {one.name} and wrong for {other.name}: it mends only the one",
                    "count how many failing cases have either need: levers diagnose",
                    one.source,
                )


def _knowledge(case: Circumstances, order: tuple[str, ...]) -> Iterator[Conflict]:
    wants = {"facts", "domain", "documents"} & {*case.symptoms}
    if wants and case.corpus == 0:
        yield _say(
            "symptoms",
            "corpus",
            "facts are missing, and there are no documents that hold them",
            "write down the facts that 20 failing cases needed",
            "S2",
        )
    if wants and (case.documents_change or 0) >= LIVE and "volatile" not in case.symptoms:
        yield _say(
            "symptoms",
            "documents_change",
            "the facts change faster than an index is built",
            "split them: what changes live into a query, the rest into an index",
            "S2",
        )
    if "volatile" in case.symptoms and case.documents_change is not None and case.documents_change <= WEEKS_PER_YEAR:
        yield _say(
            "symptoms: volatile",
            "documents_change",
            "figures that outrun an index, yet weekly changes or fewer",
            "an index is built in minutes: say how old an answer may be",
            "S2",
        )
    small = case.corpus is not None and 0 < case.corpus < threshold("inline").high
    if small and case.privacy == "access" and wants:
        yield _say(
            "corpus",
            "privacy",
            "so little text belongs into the prompt, but readers have different rights",
            "keep retrieval, which filters by reader; or one prompt for each group of readers",
            "S4, S1",
        )
    if case.citations and "retrieve" not in order:
        yield _say(
            "citations",
            "symptoms",
            "answers must cite, and only retrieval brings what can be cited",
            "say whether the citation is of a document; if so, retrieval belongs into the stack",
            "S1, S2",
        )


def _latency(case: Circumstances, order: tuple[str, ...]) -> Iterator[Conflict]:
    limit = threshold("retrieval latency budget").high
    if case.p95_ms is not None and case.p95_ms < limit and {"retrieve", "sharpen"} & {*order}:
        yield _say(
            "p95_ms",
            "symptoms",
            f"retrieval fails under a hard budget below {limit:g} ms",
            "measure search on your documents: levers cost latency; or raise the target, or inline",
            "S2",
        )
    if "prompt latency" in case.symptoms and case.prompt < CACHE_MINIMUM:
        yield _say(
            "symptoms: prompt latency",
            "prompt",
            f"a prompt of {case.prompt:,} tokens adds some "
            f"{case.prompt / 20:.0f} ms at the median: it is not what makes answers slow",
            "measure each step: levers trial",
            "S2",
        )


def _tuning(case: Circumstances, order: tuple[str, ...]) -> Iterator[Conflict]:
    trains = [lever for lever in order if lever in {"tune", "distill"}]
    if trains and (case.requirements_change or 0) * CYCLE_WEEKS >= WEEKS_PER_YEAR:
        yield _say(
            "requirements_change",
            "symptoms",
            "a round of tuning takes 1 to 2 weeks; requirements change as fast",
            "keep what changes in the prompt, tune only what is stable",
            "S2",
        )
    if trains and case.golden is not None and case.golden < gate("golden set").minimum:
        yield _say(
            "golden",
            "symptoms",
            f"training is in question, and {case.golden} golden cases cannot judge it",
            "build the golden set first, edge cases held out",
            "S2",
        )
    if "drift" in case.symptoms and case.stage in {"scratch", "retrieval"}:
        yield _say(
            "symptoms: drift",
            "stage",
            "a tuned model degrades, but the stage says that none is in use",
            "say which model answers now",
            "S2",
        )
    if "schema" in case.symptoms and case.schema_failures is not None:
        least = threshold("schema failures, tuning").low
        if case.schema_failures < least and "structure" in case.tried:
            yield _say(
                "symptoms: schema",
                "schema_failures",
                f"under {least:.1%} fails: below what justifies training",
                "validate and ask again: levers cost answer --retries",
                "S2",
            )


def _people(case: Circumstances, order: tuple[str, ...]) -> Iterator[Conflict]:
    if case.expertise == "low" and order and order[0] in {"tune", "distill"}:
        yield _say(
            "expertise",
            "symptoms",
            f"{order[0]} asks for people who train models",
            "a managed service (3,000 to 10,000 USD a project), or the levers before it once more",
            "S2, S3",
        )
    if case.privacy == "on-premise" and not case.model.startswith(("hf/", "pocket")):
        yield _say(
            "privacy",
            "model",
            f"nothing may leave the house, and {case.model} is asked over the network",
            "an open model on a machine of your own: hf/… or a server at base_url",
            "S2",
        )


def _tried(spent: tuple[str, ...], order: tuple[str, ...]) -> Iterator[Conflict]:
    for name in spent:
        yield _say(
            f"symptoms: {name}",
            "tried",
            f"every lever that is right for {name} here was tried in vain: the advice only names them again",
            "find what the failing cases need before anything is pulled again: levers diagnose",
            signals()[name].source,
        )


def _caching(case: Circumstances, order: tuple[str, ...], book: PriceBook) -> Iterator[Conflict]:
    """A provider keeps no short prefix; where a model is paid by the hour, nobody bills a cache."""
    price = book.find(case.model)
    if "cost" not in case.symptoms or "cache" not in order or (price and "input" not in price.origins):
        return
    least = (price.cache_minimum if price else None) or CACHE_MINIMUM
    guide = price.origins.get("cache_minimum") if price else None
    prefix = case.prompt + ((case.corpus or 0) if "inline" in order else 0)
    if prefix < least:
        yield _say(
            "symptoms: cost",
            "prompt",
            f"{case.model} caches no prefix below {least:,.0f} tokens, and every call begins with {prefix:,}: "
            "caching saves nothing",
            "go on with the next lever; or put what calls share first until it is long enough",
            guide.source if guide else "Anthropic's and OpenAI's caching guides",
        )


def _scale(case: Circumstances, costs: tuple[Ownership, ...]) -> Iterator[Conflict]:
    """All that is spent now is the most that distillation could ever save, with a model that costs nothing."""
    if "cost" not in case.symptoms or case.volume is None:
        return
    low, _ = project("distillation").project
    spent = costs[0].year_1.low if costs else CENT * case.volume * DAYS_PER_YEAR
    assumed = "" if costs else ", at an assumed cent each,"
    if spent < low:
        yield _say(
            "symptoms: cost",
            "volume",
            f"{case.volume:,.0f} answers a day{assumed} cost {spent:,.0f} USD a year: "
            f"even a free model does not pay {low:,.0f} USD back within a year",
            "levers cost breakeven with your own figures; cache and route first",
            "S2",
        )
