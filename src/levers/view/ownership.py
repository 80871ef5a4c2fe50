"""What the stacks of a run cost to own: two years of each at the task's traffic, and when it pays back."""

from collections.abc import Sequence

from levers.economics import Offer, Ownership, Payback, Range, fixed, maintenance_weeks, ownership, payback
from levers.loop.records import Run, Step
from levers.plan.records import Quote
from levers.trial.records import Trial
from levers.view.ownership_charts import Curve, curves_chart, years_chart
from levers.view.records import OwnershipRow, OwnershipSection
from levers.view.words import UNKNOWN, count, duration, money, volume


def run_offers(run: Run) -> dict[int, Offer]:
    """Return every stack of a run that has a price as an offer, by step: measured per answer, quoted set-up.

    The set-up of a stack is the sum of what the plan quoted for the kept steps that led to it, and for its own.
    """
    offers: dict[int, Offer] = {}
    paid: list[Range] = []
    kept: set[str] = set()
    for step in run.steps:
        levers = {*kept, step.lever}
        quoted = _quoted(step)
        once = [*paid, *([_range(f"step {step.number}: {step.lever}", quoted)] if quoted else [])]
        if step.verdict == "accepted":
            paid, kept = once, levers
        trial = step.measured.dev
        if trial.cost_per_answer is None:
            continue
        offers[step.number] = Offer(
            name=f"{step.number} {step.lever}",
            kind=_kind(levers),
            per_answer=_measured(step, trial),
            setup=tuple(each for each in once if each.high),
        )
    return offers


def _kind(levers: set[str]) -> str:
    """Say what keeping a stack up takes: what was trained goes round, what is searched or written does not (S2)."""
    return "tuning" if "tune" in levers else "retrieval" if "retrieve" in levers else "prompting"


def ownership_section(run: Run, answers_per_day: float) -> OwnershipSection | None:
    """Set out the kept stacks of a run at so many answers a day; None where no price is known."""
    offers = run_offers(run)
    kept = [step for step in run.steps if step.verdict != "rejected" and step.number in offers]
    if not kept:
        return None
    traffic = fixed("answers a day", answers_per_day, "the task's traffic", unit="answers a day")
    owned = {step.number: ownership(offers[step.number], traffic) for step in kept}
    start = offers[kept[0].number]
    rows = tuple(_row(step, owned[step.number], payback(start, offers[step.number], traffic, draws=1)) for step in kept)
    names = [owned[step.number].name for step in kept]
    months = [[_after(owned[step.number], month) for month in range(25)] for step in kept]
    return OwnershipSection(
        traffic=f"{volume(answers_per_day)} {'answer' if traffic.low == 1 else 'answers'} a day, the task's traffic",
        years=years_chart([(each.name, each.year_1.low, each.year_2.low) for each in owned.values()]),
        curves=curves_chart([Curve(name, tuple(values)) for name, values in zip(names, months, strict=True)]),
        rows=rows,
        note=_note(rows, owned) + _left_out([offers[step.number] for step in kept]),
        sources=tuple(
            dict.fromkeys(f"{line.provenance}: {line.source}" for each in owned.values() for line in each.lines)
        ),
    )


def _after(owned: Ownership, month: int) -> float:
    return owned.setup.low + owned.month.low * month


def _row(step: Step, owned: Ownership, back: Payback) -> OwnershipRow:
    trial = step.measured.dev
    known = trial.cost_per_answer is not None and trial.quality
    passing = (trial.cost_per_answer or 0.0) / trial.quality if known else None
    return OwnershipRow(
        stack=owned.name,
        per_answer=money(trial.cost_per_answer),
        per_pass=money(passing) if passing is not None else UNKNOWN,
        once=money(owned.setup.low),
        month=money(owned.month.low),
        year_1=money(owned.year_1.low),
        year_2=money(owned.year_2.low),
        pays_back="the start" if step.verdict == "start" else _pays_back(back),
    )


def _pays_back(back: Payback) -> str:
    if back.breakeven is None:
        until = f", cheaper for the first {duration(back.cheaper_until * 86_400)}" if back.cheaper_until else ""
        return f"never: it costs more than the start{until}"
    if back.breakeven.days == 0:
        return "at once: it costs no more than the start"
    return f"after {duration(back.breakeven.days * 86_400)}, {count(back.breakeven.answers, 'answer')}"


def _note(rows: Sequence[OwnershipRow], owned: dict[int, Ownership]) -> str:
    cheapest = min(owned.values(), key=lambda each: each.year_1.low + each.year_2.low)
    dearer = [row for row in rows if row.pays_back.startswith("never")]
    last = rows[-1]
    words = f"Over two years {cheapest.name} costs least."
    if last in dearer:
        words += " What a dearer stack buys is quality: compare the cost of a passing answer."
    return words


def _left_out(offers: Sequence[Offer]) -> str:
    """Say that keeping a trained stack up is not in the figures, and which command adds it."""
    trained = [each.name for each in offers if maintenance_weeks(each.kind).high]
    if not trained:
        return ""
    weeks = maintenance_weeks("tuning")
    return (
        f" Not in these figures: keeping {' and '.join(trained)} up, {weeks.low:g} to {weeks.high:g} engineer-weeks "
        f"whenever requirements change ({weeks.source}); levers cost tco @{trained[0].partition(' ')[0]} --changes "
        "quarterly --week 4000 adds it, at your own figures."
    )


def _quoted(step: Step) -> Quote | None:
    options = step.plan.options if step.plan else ()
    return next((option.quote for option in options if option.quote.lever == step.lever), None)


def _range(name: str, quote: Quote) -> Range:
    figure = quote.one_time
    return fixed(name, figure.value, figure.source, figure.provenance)


def _measured(step: Step, trial: Trial) -> Range:
    price = trial.cost_source.removeprefix(f"{trial.price_standing}: ")
    source = f"measured usage of {count(len(trial.outcomes), 'dev case')}, at {price}"
    return fixed(f"step {step.number}: per answer", trial.cost_per_answer or 0.0, source, trial.price_standing)
