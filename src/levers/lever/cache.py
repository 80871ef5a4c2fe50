"""cache: have the provider keep the part of the prompt that all questions share; it pays from a certain traffic on."""

from typing import Any

from levers.diagnosis import ProbeName
from levers.economics import CACHE_MINIMUM, LIFETIMES, Asked, CacheCase, CostFigure, Price, at_lifetime, cache_case
from levers.economics.lifetimes import Lifetime
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.figures import Terms, quote, tokens
from levers.lever.room import no_room, not_worth
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import parse
from levers.model import is_hosted
from levers.plan import Quote
from levers.stack import Question, assemble
from levers.stack.prompt import Draft, messages, shared_turns

SECONDS = {lifetime: seconds for seconds, lifetime in LIFETIMES.items()}


class Settings(Record):
    """How long the provider keeps the prefix; None takes the lifetime that is cheaper at the project's traffic."""

    lifetime: Lifetime | None = None


class CacheLever:
    """Marks the shared beginning of the prompt, so that it is paid for at a tenth of the price."""

    name = "cache"
    probes: tuple[ProbeName, ...] = ()
    settings: type[Record] = Settings
    wants: tuple[Material, ...] = ()

    def quote(self, situation: Situation) -> Quote:
        """Quote from the price book and the traffic: the break-even of both lifetimes, no quality gained or lost."""
        cases = {lifetime: _case(situation, lifetime) for lifetime in SECONDS}
        best = _cheapest(cases)
        saves = _saves(best[1]) if best else CostFigure(value=0.0, provenance="assumed", source="no price is known")
        terms = Terms(
            answers="cost",
            settings={"lifetime": best[0]} if best else {},
            room=no_room(situation),
            saves=saves,
            added_ms=CostFigure(value=0.0, unit="ms", provenance="assumed", source="a read prefix is not slower"),
            blocked=_blocked(situation, best) or not_worth(situation, saves),
        )
        return quote(self.name, self.probes, situation, terms)

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Mark the shared part of the prompt for that lifetime."""
        chosen = parse(Settings, self.name, settings)
        cases = {lifetime: _case(situation, lifetime) for lifetime in SECONDS}
        best = _cheapest(cases)
        why = _unmarked(situation)
        if why:
            expected = "a model of Anthropic's, whose prompts take marks"
            raise UserError(Problem(file="levers.yaml", field="models.answer", found=why, expected=expected))
        lifetime: Lifetime = chosen.lifetime or (best[0] if best else "5m")
        model = situation.stack.model.model_copy(update={"cache": lifetime})
        told = tuple(f"{name}: {_words(case)}" for name, case in cases.items() if case is not None)
        return Pulled(
            stack=situation.stack.model_copy(update={"model": model}),
            changed=f"the provider keeps the shared {prefix(situation):,.0f} tokens for {lifetime}",
            material="the price book and the traffic of the project",
            notes=(*told, "dev cases come in a burst: their hit rate is better than the traffic's"),
        )


def prefix(situation: Situation) -> int:
    """Estimate the tokens that every prompt of the stack begins with: instructions, documents, shown examples."""
    fixed = situation.stack.without("retrieve").without("given")
    draft: Draft = assemble(fixed, [Question(id="prefix", input="")], situation.workshop)[0]
    return round(sum(tokens(str(each.content)) for each in messages(draft)[: shared_turns(draft)]))


def _case(situation: Situation, lifetime: Lifetime) -> CacheCase | None:
    price, length = situation.bench.price, prefix(situation)
    if price is None or not length:
        return None
    daily = situation.bench.task.config.traffic.answers_per_day
    asked = Asked(prefix=length, lifetime=SECONDS[lifetime], answers_per_day=daily)
    return cache_case(at_lifetime(price, lifetime), asked)


def _cheapest(cases: dict[Lifetime, CacheCase | None]) -> tuple[Lifetime, CacheCase] | None:
    known = [(lifetime, case) for lifetime, case in cases.items() if case is not None]
    return min(known, key=lambda each: each[1].uncached if each[1].cost is None else each[1].cost, default=None)


def _saves(case: CacheCase) -> CostFigure:
    cost = case.uncached if case.cost is None else case.cost
    rate = "an unknown hit rate" if case.hit_rate is None else f"a hit rate of {case.hit_rate:.0%}"
    source = f"{'; '.join(case.sources)}; {rate} expected of the traffic"
    return CostFigure(value=max(0.0, case.uncached - cost), provenance=case.provenance, source=source)


def _words(case: CacheCase) -> str:
    needed = (
        "no traffic is enough" if case.traffic_needed is None else f"pays from {case.traffic_needed:,.0f} answers a day"
    )
    rate = "" if case.hit_rate is None else f", {case.hit_rate:.0%} hits expected at yours"
    return f"{needed}{rate}"


def _unmarked(situation: Situation) -> str:
    """Say why no mark can be set: only Anthropic's protocol has them."""
    reference = situation.stack.model.id
    if not is_hosted(reference):
        return "the model runs here: what prompts share is computed once a batch, and nobody is paid for it"
    if not reference.startswith("anthropic/"):
        usage = situation.trial.usage
        read = usage.cache_read / max(1, usage.input + usage.cache_read + usage.cache_write)
        return f"this provider caches by itself; {read:.0%} of the prompt tokens came from its cache in this trial"
    return ""


def _blocked(situation: Situation, best: tuple[Lifetime, CacheCase] | None) -> str:
    if situation.stack.model.cache:
        return "the shared part is marked already"
    if why := _unmarked(situation):
        return why
    if best is None:
        return "no price is known for this model, or nothing is shared by all prompts"
    price: Price | None = situation.bench.price
    least = price.cache_minimum if price and price.cache_minimum else CACHE_MINIMUM
    if best[1].prefix < least:
        return f"about {best[1].prefix:,} tokens are shared; the provider caches from {least:,.0f} on"
    return "" if best[1].pays else f"it does not pay at this traffic: {_words(best[1])}"
