"""Ways of answering as offers: the sources' own, one written on a command line, and what keeping one up costs."""

import difflib

from levers.economics.ownership import Offer, Upkeep
from levers.economics.quantities import Reader
from levers.economics.ranges import Range, fixed
from levers.economics.reference import cost, hidden_costs, project
from levers.economics.scenarios import support_offers

KEYS = ("per-answer", "setup", "curation", "evaluation", "month", "cycle", "cycles", "kind")
_ONCE = {"setup": "set-up", "curation": "data curation", "evaluation": "evaluation"}
_SHAPE = "NAME:per-answer=0.01,setup=15000..30000,month=500..2000,cycle=2000..8000,cycles=4,kind=tuning"

# How long one round of maintenance takes, by the way of answering; the names are those of the reference costs.
CYCLES = {
    "prompting": "maintenance cycle, prompt",
    "retrieval": "maintenance cycle, retrieval",
    "tuning": "maintenance cycle, LoRA",
    "distillation": "maintenance cycle, LoRA",
    "full tuning": "maintenance cycle, full tuning",
}


def named_offers() -> dict[str, Offer]:
    """Return the sources' own offers: S3's three for a support chat, and S2's distillation at 500,000 a day."""
    found = project("distillation")
    distillation = Offer(
        name="distillation",
        kind="distillation",
        per_answer=Range(
            name="distillation: per answer",
            low=200 / 500_000,
            high=400 / 500_000,
            source="S2: 200 to 400 USD a day for 500,000 answers on own GPUs",
        ),
        setup=(Range(name="distillation: set-up", low=found.project[0], high=found.project[1], source="S2"),),
    )
    return {**support_offers(), "distillation": distillation}


def read_offer(text: str, reader: Reader, field: str = "OFFER") -> Offer | None:
    """Read an offer: one of the sources' by name, with figures of your own over it, or one that is written out.

    `tuning` is S3's, `tuning:curation=10k..50k` the same with outsourced curation on top. Problems go to the reader.
    """
    name, colon, rest = text.partition(":")
    known = named_offers()
    if not colon:
        if name in known:
            return known[name]
        close = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean {close[0]}? Or " if close else ""
        reader.refuse(field, repr(text), f"one of {', '.join(known)}, or {_SHAPE}", f"{meant}write out what it costs")
        return None
    given: dict[str, Range] = {}
    kind = name if name in known else ""
    seen: set[str] = set()
    for pair in rest.split(","):
        key, equals, value = pair.strip().partition("=")
        if not equals or key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"for example {_SHAPE}"
            reader.refuse(f"{field} {name}", repr(pair.strip()), f"one of {', '.join(KEYS)}, each with =", hint)
            continue
        if key in seen:
            reader.refuse(f"{field} {name}", f"two of {key}", "each at most once")
        seen.add(key)
        if key == "kind":
            kind = value.strip()
            if kind not in CYCLES:
                reader.refuse(f"{field} {name}", repr(kind), f"kind is one of {', '.join(CYCLES)}")
                kind = ""
            continue
        unit = "times a year" if key == "cycles" else "USD"
        label = _ONCE.get(key) or {"month": "per month", "cycle": "a maintenance cycle", "cycles": "cycles a year"}.get(
            key
        )
        given[key] = reader.span(f"{name}: {label or 'per answer'}", value, unit)
    if "per-answer" not in given and name not in known:
        reader.refuse(f"{field} {name}", "no per-answer", "what an answer costs in USD", f"for example {_SHAPE}")
        return None
    base = known.get(name) or Offer(name=name, per_answer=given["per-answer"])
    return _offer(base.model_copy(update={"kind": kind}), given, reader, field)


def _offer(base: Offer, given: dict[str, Range], reader: Reader, field: str) -> Offer | None:
    name = base.name
    if ("cycle" in given) != ("cycles" in given):
        lacking = "cycles" if "cycle" in given else "cycle"
        hint = "cycle is what one round costs in USD, cycles how many there are in a year"
        reader.refuse(f"{field} {name}", f"no {lacking}", "cycle and cycles together", hint)
        return None
    upkeep = (
        Upkeep(name=f"{name}: maintenance", cost=given["cycle"], per_year=given["cycles"]) if "cycle" in given else None
    )
    own = tuple(given[key] for key in _ONCE if key in given)
    return base.model_copy(
        update={
            "per_answer": given.get("per-answer", base.per_answer),
            "setup": own if "setup" in given else (*base.setup, *own),
            "per_month": (given["month"],) if "month" in given else base.per_month,
            "upkeep": (upkeep,) if upkeep else (),
        }
    )


def left_out(offer: Offer) -> tuple[str, ...]:
    """Name the hidden costs of a way of answering that none of its lines covers, each with its source."""
    lines = " ".join(each.name for each in offer.setup)
    return tuple(
        f"{each.about} ({each.source})" for each in hidden_costs() if each.kind == offer.kind and each.line not in lines
    )


def maintenance_weeks(kind: str) -> Range:
    """Return the engineer-weeks of one round of maintenance for a way of answering; zero for prompts and indexes."""
    return cost(CYCLES[kind]).range()


def with_upkeep(offer: Offer, kind: str, changes_per_year: float, week_cost: Range) -> Offer:
    """Return the offer with the rounds of maintenance that so many changes a year bring, at USD per engineer-week.

    A tuned model goes round when requirements change, at 1 to 2 weeks (LoRA) or 4 to 8 (full); a prompt takes minutes
    and an index is built again by a machine: neither adds weeks.
    """
    weeks = maintenance_weeks(kind)
    if not weeks.high or not changes_per_year:
        return offer
    a_cycle = Range(
        name=f"{offer.name}: a maintenance cycle",
        low=float(weeks.at(0) * week_cost.at(0)),
        high=float(weeks.at(1) * week_cost.at(1)),
        source=f"{weeks.source}: {weeks.low:g} to {weeks.high:g} weeks; an engineer-week {week_cost.source}",
    )
    rounds = fixed(f"{offer.name}: cycles a year", changes_per_year, "given by you", unit="times a year")
    kept = Upkeep(name=f"{offer.name}: maintenance", cost=a_cycle, per_year=rounds)
    return offer.model_copy(update={"upkeep": (*offer.upkeep, kept)})
