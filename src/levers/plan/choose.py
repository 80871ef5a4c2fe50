"""Choose the next move: the cheapest lever that would help, and a reason for every other one."""

from collections.abc import Sequence

from levers.economics import DAYS_PER_YEAR
from levers.plan.records import EFFORTS, Attempt, GateCheck, Option, Plan, Quote, Verdict
from levers.trial.records import Interval

LEAST_SHARE = 0.01  # a lever that could cure less than one case in a hundred is not worth a move


def choose(stack: str, quotes: Sequence[Quote], attempts: Sequence[Attempt], answers_per_day: float) -> Plan:
    """Set the quotes side by side. Cheapest first: least effort, then first-year cost, then time added to an answer.

    Between equals the lever that unlocks most cases goes first. Levers that only save come after all others, the
    largest saving first.
    """
    ranked = sorted(
        quotes, key=lambda quote: (_saved(quote), *_cost(quote, answers_per_day), -quote.unlocks, quote.lever)
    )
    refusals = {quote.lever: _refusal(stack, quote, attempts) for quote in ranked}
    possible = [quote for quote in ranked if not refusals[quote.lever]]
    chosen = possible[0] if possible else None
    options: list[Option] = []
    for quote in ranked:
        verdict: Verdict
        if quote is chosen:
            verdict, why = "next", _reason(quote, answers_per_day)
        elif quote in possible:
            verdict, why = "later", _waits(quote, possible[0], answers_per_day)
        else:
            verdict, why = "no", refusals[quote.lever]
        options.append(Option(quote=quote, verdict=verdict, why=why))
    order = {"next": 0, "later": 1, "no": 2}
    options.sort(key=lambda option: order[option.verdict])
    return Plan(stack=stack, options=tuple(options), next=chosen.lever if chosen else None)


def first_year(quote: Quote, answers_per_day: float) -> float:
    """Return what a lever costs in its first year of twelve 30-day months in USD: once, and for every answer.

    Where no price is known for the model, all levers compare by what they cost once.
    """
    running = quote.per_answer.value if quote.per_answer else 0.0
    return quote.one_time.value + running * answers_per_day * DAYS_PER_YEAR


def _cost(quote: Quote, answers_per_day: float) -> tuple[int, float, float]:
    # Rounded to whole dollars and milliseconds: smaller differences are noise of the measurement and must not order the
    # plan.
    return EFFORTS.index(quote.effort), round(first_year(quote, answers_per_day)), round(quote.latency_ms.value)


def _saved(quote: Quote) -> tuple[bool, float]:
    return (quote.saves is not None, -quote.saves.value if quote.saves else 0.0)


def _refusal(stack: str, quote: Quote, attempts: Sequence[Attempt]) -> str:
    """Say why a lever is out of the question now; empty when it is not."""
    if quote.blocked:
        return quote.blocked
    unmet = [gate for gate in quote.gates if gate.blocks and not gate.met]
    if unmet:
        return gate_reason(unmet[0])
    if quote.saves is None and max(quote.unlocks, quote.gain) < LEAST_SHARE and quote.score_interval.low <= 0:
        return f"its probe, which is the lever made perfect, gains nothing ({quote.gain:+.2f} passes)"
    if quote.saves is None and _loses(quote):
        return f"its forecast is a loss: {_span(quote.forecast)} passes, {_span(quote.score_forecast)} credit"
    same = [each for each in attempts if each.lever == quote.lever and each.settings == quote.settings]
    if any(each.accepted for each in same):
        return "pulled already with these settings; what is left of its need wants the lever better, not again"
    here = [each for each in same if each.stack == stack]
    if here:
        return f"tried on this stack and rejected: {here[-1].why}"
    if len(same) > 1:
        return f"tried {len(same)} times on earlier stacks and rejected: {same[-1].why}"
    return ""


def _loses(quote: Quote) -> bool:
    """Tell whether nothing can be gained by the forecast, and passes or credit are lost for sure."""
    highs = [each.high for each in (quote.forecast, quote.score_forecast) if each]
    return bool(highs) and max(highs) <= 0 and min(highs) < 0


def _span(interval: Interval | None) -> str:
    return f"{interval.low:+.2f} to {interval.high:+.2f}" if interval else "unknown"


def gate_reason(gate: GateCheck) -> str:
    """Say why a gate that is not met keeps a lever from being pulled."""
    if gate.at_most:
        return f"{gate.have} {gate.unit}: {gate.goal}, at most {gate.need} ({gate.source})"
    return f"data gate: {gate.goal} needs {gate.need} {gate.unit}, you have {gate.have} ({gate.source})"


def _reason(quote: Quote, answers_per_day: float) -> str:
    if quote.saves is not None:
        yearly = quote.saves.value * answers_per_day * DAYS_PER_YEAR
        return f"no lever gains quality any more; this saves at most ${yearly:,.0f} a year"
    return (
        f"cheapest lever that helps: its probe gains {quote.gain:+.2f} passes and {quote.score_gain:+.2f} credit, "
        f"and {quote.unlocks:.0%} of the cases need it"
    )


def _waits(quote: Quote, first: Quote, answers_per_day: float) -> str:
    if quote.saves is not None:
        return f"waits: savings come last, and {first.lever} comes first"
    if quote.effort != first.effort:
        return f"waits: {first.lever} takes {first.effort}, this {quote.effort}"
    mine, other = first_year(quote, answers_per_day), first_year(first, answers_per_day)
    if round(mine) > round(other):
        return f"waits: ${mine:,.0f} in the first year against ${other:,.0f} for {first.lever}"
    if round(quote.latency_ms.value) > round(first.latency_ms.value):
        added = f"{quote.latency_ms.value:,.0f} ms to an answer, {first.lever} {first.latency_ms.value:,.0f} ms"
        return f"waits: it adds {added}"
    return f"waits: {first.lever} costs no more and {first.unlocks:.0%} of the cases need it, this {quote.unlocks:.0%}"
