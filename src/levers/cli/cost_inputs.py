"""What the cost commands are told, read with all problems at once, and the figures that come of it."""

import difflib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from levers import verbs
from levers.cli.answer_inputs import volume_of
from levers.economics import (
    CYCLES,
    LatencyBudget,
    Memory,
    Offer,
    Ownership,
    Payback,
    Range,
    Reader,
    Shape,
    StepTime,
    Training,
    fixed,
    latencies,
    latency_budget,
    left_out,
    maintenance_weeks,
    ownership,
    prompt_overhead,
    reference_step,
    serving_memory,
    shape,
    shape_of_config,
    training_memory,
    with_upkeep,
)
from levers.economics import gates as known_gates
from levers.economics import payback as pay_back
from levers.economics.memory import METHODS, OPTIMIZERS, PRECISIONS
from levers.economics.offers import read_offer
from levers.economics.quantities import PER_DAY
from levers.ledger import Record
from levers.plan.facts import tables

if TYPE_CHECKING:
    from levers.cli.costs import LatencyOptions, OfferOptions, VramOptions

NO_MAINTENANCE = "maintenance of {} is not in these figures: give --changes (how often requirements change) and --week"
MAINTAINED = "maintenance: prompts take minutes and an index builds itself; only tuned models go round (S2)"
CHECKPOINTING, OVERHEAD = True, "1GB"  # what `cost vram` takes unless told


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
    offers, kept = _maintained(offers, given, reader)
    reader.done()
    hidden = tuple(
        f"not in the figures of {each.name}: {'; '.join(missing)}" for each in offers if (missing := left_out(each))
    )
    return offers, traffic, tuple(dict.fromkeys((*kept, *hidden)))


def _maintained(offers: list[Offer], given: "OfferOptions", reader: Reader) -> tuple[list[Offer], list[str]]:
    """Add the rounds of maintenance that --changes and --week say; note what is not in where they say nothing."""
    bare = [each for each in offers if not each.upkeep]
    if given.changes is None:
        if given.week is not None:
            reader.refuse("--week", "no --changes", "how often requirements change", "for example --changes quarterly")
        trained = [each.name for each in bare if each.kind == "" or maintenance_weeks(each.kind).high]
        return offers, [NO_MAINTENANCE.format(" and ".join(trained))] if trained else []
    changes = reader.per_year("--changes", given.changes)
    for each in bare:
        if not each.kind and changes:
            hint = f"one of {', '.join(CYCLES)}; or cycle=…,cycles=…"
            reader.refuse("--changes", f"{each.name} of no kind", f"{each.name}:…,kind=…", hint)
    rounds = [each for each in bare if each.kind and maintenance_weeks(each.kind).high]
    if given.week is None and rounds and changes:
        hint = "no source gives one; for example --week 3000..5000"
        reader.refuse("--week", "nothing", "what an engineer-week costs in USD", hint)
    week = reader.span("--week", given.week or "0", "USD")
    reader.done()
    return [
        with_upkeep(each, each.kind, changes, week) if each.kind and not each.upkeep else each for each in offers
    ], [MAINTAINED]


def _traffic(given: "OfferOptions", reader: Reader) -> Range:
    name, unit = "answers a day", "answers a day"
    if given.volume is None and given.project is None:
        reader.refuse("--volume", "nothing", "how much is asked", "write 10k/day")
    if given.volume is None:
        count = volume_of(None, given.project, reader) or 0.0
        return fixed(name, count, "the project's traffic", unit=unit)
    low, dots, high = given.volume.partition("..")
    per = high.partition("/")[2] if dots else ""
    before = len(reader.problems)
    first = reader.per_day("--volume", f"{low}/{per}" if per in PER_DAY and "/" not in low else low)
    last = reader.per_day("--volume", high) if dots else first
    if first > last:
        if len(reader.problems) == before:  # an end that was refused has no order
            reader.refuse("--volume", repr(given.volume), "the lower end first")
        last = first
    return Range(name=name, low=first, high=last, unit=unit, source="given by you")


def vram(model: str, given: "VramOptions") -> Held:
    """Read `levers cost vram`."""
    reader = Reader()
    path = Path(model)
    size = shape_of_config(path) if path.suffix == ".json" else shape(model)
    whole = {name: reader.whole(f"--{name}", getattr(given, name), low=1) for name in ("batch", "tokens")}
    card = None if given.card is None else reader.bytes("--card", given.card)
    overhead = reader.bytes("--overhead", given.overhead or OVERHEAD) if card is not None else 0.0
    _one_of("--method", given.method, (*METHODS, "serve"), reader)
    _one_of("--precision", given.precision or "bfloat16", PRECISIONS, reader)
    _one_of("--optimizer", given.optimizer or "adam", OPTIMIZERS, reader)
    _one_of("--bits", given.bits or "16", ("32", "16", "8", "4"), reader)
    _of_another_method(given, reader)
    reader.done()
    training = None
    if given.method == "serve":
        memory = serving_memory(size, whole["batch"], whole["tokens"], int(given.bits or "16") / 8)
    else:
        training = _training(given, whole, reader)
        memory = training_memory(size, training)
    fits = None if card is None else memory.fits(card, overhead)
    return Held(model=model, shape=size, training=training, memory=memory, card=card, overhead=overhead, fits=fits)


def _of_another_method(given: "VramOptions", reader: Reader) -> None:
    """Refuse options that the method does not look at."""
    pairs, virtual = ("lora", "qlora"), ("prefix", "prompt")
    looked_at: dict[str, tuple[str, ...]] = {
        "precision": METHODS, "optimizer": METHODS, "checkpointing": METHODS, "rank": pairs, "targets": pairs,
        "virtual_tokens": virtual, "bits": ("serve",),
    }  # fmt: skip
    for name, methods in looked_at.items():
        if getattr(given, name) is not None and given.method in (*METHODS, "serve") and given.method not in methods:
            option = f"--{name.replace('_', '-')}"
            expected = f"--method {' or '.join(methods)}"
            reader.refuse(option, f"--method {given.method}", expected, f"it changes nothing here: leave {option} out")
    if given.overhead is not None and given.card is None:
        reader.refuse("--overhead", "no --card", "a card that it is taken from", "for example --card 24GB")


def _training(given: "VramOptions", whole: dict[str, int], reader: Reader) -> Training:
    said: dict[str, Any] = {
        "precision": given.precision or ("mixed" if given.method == "full" else None),
        "optimizer": given.optimizer,
        "checkpointing": CHECKPOINTING if given.checkpointing is None else given.checkpointing,
        "rank": None if given.rank is None else reader.whole("--rank", given.rank, low=1),
        "targets": None if given.targets is None else tuple(each.strip() for each in given.targets.split(",")),
        "virtual_tokens": None if given.virtual_tokens is None else reader.whole("--virtual-tokens",
                                                                                 given.virtual_tokens, low=1),
    }  # fmt: skip
    reader.done()
    try:
        return Training.model_validate(
            {**whole, "method": given.method, **{name: value for name, value in said.items() if value is not None}}
        )
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
    target = reader.milliseconds("--target", given.target)
    steps = [found for text in given.step or () if (found := _step(text, reader))]
    total: StepTime | None = None
    for name, count in Counter(each.name for each in steps).items():
        if count > 1:
            reader.refuse("--step", f"{count} of {name!r}", "each step once, under a name of its own")
    if given.prompt is not None:
        steps.append(prompt_overhead(reader.whole("--prompt", given.prompt)))
    if given.project is not None:
        measured, total = verbs.step_times(given.project)
        named = {each.name for each in steps}
        total = None if steps else total  # what is added or replaced was not in the whole that was measured
        steps = [*(each for each in measured if each.name not in named), *steps]
    if not steps:
        hint = "for example --step retrieve=40ms/90ms --step 'prompt, small hosted model'; or --project"
        reader.refuse("--step", "no step", "at least one", hint)
    reader.done()
    return latency_budget(steps, target, total)


def _step(text: str, reader: Reader) -> StepTime | None:
    if text in latencies():
        return reference_step(text)
    name, equals, times = text.partition("=")
    if not equals or not name.strip():
        reader.refuse("--step", repr(text), "name=p50/p95, or one of " + ", ".join(latencies()))
        return None
    middle, slash, tail = times.partition("/")
    before = len(reader.problems)
    p50 = reader.milliseconds("--step", middle, "40ms")
    p95 = reader.milliseconds("--step", tail, "90ms") if slash else p50
    if not slash:
        reader.refuse(
            "--step", repr(text), "p50 and p95", f"write {name}={middle}/…: a budget is for the 95th percentile"
        )
    elif p95 < p50 and len(reader.problems) == before:
        reader.refuse("--step", repr(text), "p50 first, then p95, which is no smaller")
    return StepTime(name=name, p50=p50, p95=p95, provenance="assumed", source="given by you")


def counts(texts: Sequence[str], reader: Reader) -> dict[str, int]:
    """Read what there is of examples by goal; "" is for every goal."""
    found: dict[str, int] = {}
    for text in texts:
        goal, equals, number = text.rpartition("=")
        if equals and goal.strip() not in known_gates():
            close = difflib.get_close_matches(goal.strip(), known_gates(), n=1)
            hint = f"did you mean {close[0]}?" if close else ""
            reader.refuse("--have", repr(goal.strip()), f"one of {', '.join(known_gates())}", hint)
        if goal.strip() in found:
            reader.refuse("--have", f"two of {goal.strip() or 'all goals'}", "one number each")
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
