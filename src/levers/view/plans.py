"""Plans as tables: every lever's quote with the provenance of its figures, and the plan's word on it."""

from levers.economics import CostFigure
from levers.plan.records import GateCheck, Option, Plan
from levers.view.records import Figure, GateRow, OptionRow, PlanTable
from levers.view.words import UNKNOWN, milliseconds, money, percent, points, points_span, settings

UNPRICED = "assumed: nothing, for no price is known for this model; give one in the file that prices names"


def plan_rows(plan: Plan, caption: str) -> PlanTable:
    """Set out a plan; sources are numbered in the order they are met and listed once."""
    notes: dict[str, int] = {}
    options = tuple(_option(option, notes) for option in plan.options)
    return PlanTable(caption=caption, next=plan.next or "", options=options, notes=tuple(notes))


def gate_words(gate: GateCheck) -> str:
    """Say what a data gate or guard wants and what there is."""
    if gate.at_most:
        return f"{gate.goal}: at most {gate.need:,} {gate.unit}, {gate.have:,} found"
    usual = f" (usual {gate.usual:,})" if gate.usual != gate.need else ""
    return f"{gate.goal}: {gate.need:,} {gate.unit} needed{usual}, {gate.have:,} there"


def _option(option: Option, notes: dict[str, int]) -> OptionRow:
    quote = option.quote
    return OptionRow(
        lever=quote.lever,
        verdict=option.verdict,
        why=option.why,
        answers=quote.answers,
        settings=settings(quote.settings),
        gain=points(quote.gain),
        gain_span=points_span(quote.interval),
        credit=points(quote.score_gain),
        credit_span=points_span(quote.score_interval),
        unlocks=percent(quote.unlocks),
        one_time=_figure(quote.one_time, notes),
        per_answer=_figure(quote.per_answer, notes),
        latency=_figure(quote.latency_ms, notes),
        gates=tuple(GateRow(gate_words(gate), gate.met, gate.source) for gate in quote.gates),
        effort=quote.effort,
        freshness=quote.freshness,
    )


def _figure(figure: CostFigure | None, notes: dict[str, int]) -> Figure:
    if figure is None:
        return Figure(text=UNKNOWN, provenance="assumed", note=notes.setdefault(UNPRICED, len(notes) + 1))
    text = money(figure.value) if figure.unit == "USD" else milliseconds(figure.value)
    note = notes.setdefault(f"{figure.provenance}: {figure.source}", len(notes) + 1)
    return Figure(text=text, provenance=figure.provenance, note=note)
