"""The parts of a quote that all levers make alike: headroom, running cost, latency, data gates."""

from dataclasses import dataclass
from typing import Any

from levers.diagnosis import Headroom, ProbeName
from levers.economics import CostFigure, gate, project
from levers.lever.situation import Situation
from levers.plan import Effort, GateCheck, Quote
from levers.trial.records import Interval
from levers.tuning.pilot import Piloted

# English text runs at about four characters a token; used for what is not built yet and therefore not measured.
CHARACTERS_PER_TOKEN = 4
_NONE = Interval(low=0.0, high=0.0)
_UNKNOWN = Headroom(probes=(), gain=0.0, interval=_NONE, score_gain=0.0, score_interval=_NONE, unlocks=0.0)


@dataclass(frozen=True)
class Terms:
    """What a lever adds of its own to a quote."""

    answers: str
    settings: dict[str, Any]
    added_tokens: float = 0.0
    project: str = "prompting"
    effort: Effort = "minutes"
    freshness: str = ""
    gates: tuple[GateCheck, ...] = ()
    added_ms: CostFigure | None = None
    blocked: str = ""
    calls: float = 1.0  # times an answer is paid for
    room: Headroom | None = None  # where no set of probes stands for the lever
    saves: CostFigure | None = None
    pilot: Piloted | None = None
    one_time: CostFigure | None = None  # where it is known better than by the kind of project
    reach: Headroom | None = None  # what it may cure at most, where that is more than its probes


def quote(name: str, probes: tuple[ProbeName, ...], situation: Situation, terms: Terms) -> Quote:
    """Put a quote together from the headroom that the diagnosis measured and the lever's own terms.

    Where it could measure none, the lever is blocked: nothing is forecast, and nothing pulled, on what is not known.
    """
    room = terms.room or situation.diagnosis.headroom_of(probes)
    unknown = "" if room else "its headroom is not known: the cap ended its probe, or no answer could be scored"
    room = room or _UNKNOWN
    return Quote(
        lever=name,
        answers=terms.answers,
        gain=room.gain,
        interval=room.interval,
        score_gain=room.score_gain,
        score_interval=room.score_interval,
        unlocks=room.unlocks,
        one_time=terms.one_time or _one_time(terms.project),
        per_answer=_per_answer(situation, terms),
        latency_ms=terms.added_ms or _latency(situation, terms),
        gates=terms.gates,
        effort=terms.effort,
        freshness=terms.freshness,
        settings=terms.settings,
        blocked=terms.blocked or unknown,
        saves=terms.saves,
        pilot=terms.pilot,
        forecast=_up_to(room.forecast, terms.reach.interval if terms.reach else None),
        score_forecast=_up_to(room.score_forecast, terms.reach.score_interval if terms.reach else None),
    )


def _up_to(forecast: Interval, reach: Interval | None) -> Interval:
    return forecast if reach is None else Interval(low=forecast.low, high=max(forecast.high, reach.high))


def gate_check(goal: str, have: int) -> GateCheck:
    """Set what the project has against the field's data gate for a goal."""
    found = gate(goal)
    return GateCheck(
        goal=goal,
        have=have,
        need=found.minimum,
        usual=found.maximum,
        unit=found.unit,
        met=have >= found.minimum,
        source=found.source,
        open=found.open,
    )


def tokens(text: str) -> float:
    """Estimate the tokens of a text not yet sent to a model."""
    return len(text) / CHARACTERS_PER_TOKEN


def tried(situation: Situation, lever: str) -> list[dict[str, Any]]:
    """Return the settings this lever was pulled with so far, in order."""
    return [attempt.settings for attempt in situation.attempts if attempt.lever == lever]


def pulled(situation: Situation, lever: str) -> bool:
    """Tell whether this lever has been pulled and kept."""
    return any(attempt.accepted for attempt in situation.attempts if attempt.lever == lever)


def _one_time(name: str) -> CostFigure:
    found = project(name)
    low, high = found.compute or found.project
    what = "of compute" if found.compute else "for a whole project"
    source = f"{found.source}: {found.name}, {low:,.0f} to {high:,.0f} USD {what}; the low end, for an embedded lever"
    return CostFigure(value=low, provenance="assumed", source=source)


def _per_answer(situation: Situation, terms: Terms) -> CostFigure | None:
    now = situation.trial.cost_per_answer
    if now is None:
        return None
    if terms.saves is not None:
        return CostFigure(value=max(0.0, now - terms.saves.value), provenance="assumed", source=terms.saves.source)
    price = situation.bench.price
    if price is not None and price.input and terms.added_tokens:
        value = max(0.0, terms.calls * (now + terms.added_tokens * price.input / 1e6))
        change = f"{abs(terms.added_tokens):,.0f} {'more' if terms.added_tokens > 0 else 'fewer'} prompt tokens"
        source = f"{situation.trial.cost_source}; {change}"
        return CostFigure(value=value, provenance="assumed", source=source)
    factor = _factor(situation, terms)  # a machine is paid by the hour: its answers cost what they take in time
    origin = situation.trial.price_standing if factor == 1 else "assumed"
    why = "for more calls" if terms.calls > 1 else "for the longer prompt" if factor > 1 else "for the shorter prompt"
    source = situation.trial.cost_source + (f"; scaled by {factor:.2f} {why}" if factor != 1 else "")
    return CostFigure(value=now * factor, provenance=origin, source=source)


def _latency(situation: Situation, terms: Terms) -> CostFigure:
    now = situation.trial.latency["total"].p50_ms
    how = "the number of calls" if terms.calls > 1 else "the length of the prompt"
    source = f"this trial's median, scaled by {how}"
    return CostFigure(value=now * (_factor(situation, terms) - 1), unit="ms", provenance="assumed", source=source)


def _factor(situation: Situation, terms: Terms) -> float:
    """How many times today's answer an answer with the lever is, in tokens and so in cost and time."""
    return terms.calls * max(0.0, 1 + terms.added_tokens / max(_prompt_tokens(situation), 1.0))


def _prompt_tokens(situation: Situation) -> float:
    usage = situation.trial.usage
    return (usage.input + usage.cache_read + usage.cache_write) / max(len(situation.trial.outcomes), 1)
