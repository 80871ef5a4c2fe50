"""Needs by stack: one diagnosis for every stack the loop stood on, the last one included."""

from levers.diagnosis.records import Diagnosis
from levers.loop.records import Run
from levers.trial.records import Interval
from levers.trial.statistics import wilson
from levers.view.records import NeedCell, NeedRow, NeedsTable
from levers.view.words import percent, points, points_span, span

MEANINGS = {
    "knowledge": "the facts were not before the model",
    "retrieval": "search missed, buried or drowned the evidence, or an outdated passage won",
    "instruction": "the brief left this open, or it was not followed",
    "format": "the answer's shape was wrong",
    "tone": "the house's style was not met",
    "consistency": "right most of the time, not every time",
    "reasoning": "right once the model thinks before it answers",
    "capability": "a stronger model passes with the same prompt",
    "tool": "the figure stands in a table, not in a document",
    "label": "the golden answer itself is suspect",
    "access": "its user may not read the evidence: a refusal is right",
    "unexplained": "no experiment made it pass",
}


def diagnoses(run: Run) -> list[tuple[str, Diagnosis]]:
    """Return every stack's diagnosis once, in the order the loop met them, with the name of the step that made it."""
    made = {step.stack.digest: step_name(step.number, step.lever) for step in reversed(run.steps)}
    found = {each.stack: each for each in (step.diagnosis for step in run.steps) if each is not None}
    found.setdefault(run.after.stack, run.after)
    return [(made.get(stack, stack), diagnosis) for stack, diagnosis in found.items()]


def step_name(number: int, lever: str) -> str:
    """Name a step in columns and charts: `0 start`, `2 retrieve`."""
    return f"{number} {lever}"


def needs_table(run: Run) -> NeedsTable:
    """Set the needs of all diagnosed stacks side by side; the most frequent need at the start comes first."""
    columns = diagnoses(run)
    most = max((each.failures for _, each in columns), default=0)
    totals: dict[str, list[int]] = {}
    for place, (_, diagnosis) in enumerate(columns):
        for name, share in diagnosis.needs.items():
            totals.setdefault(name, [0] * len(columns))[place] = share.cases
    order = sorted(totals, key=lambda name: (*(-cases for cases in totals[name]), name))
    rows = [
        NeedRow(name, MEANINGS.get(name, ""), tuple(_need(name, diagnosis, most) for _, diagnosis in columns))
        for name in order
    ]
    failing = tuple(_cell(each.failures, each.measured, None, most) for _, each in columns)
    return NeedsTable(columns=tuple(name for name, _ in columns), rows=tuple(rows), failing=failing)


def interaction_lines(diagnosis: Diagnosis) -> list[str]:
    """Say which sets of probes help together what neither helps alone, or cure the same cases; beyond chance only."""
    lines = []
    for each in diagnosis.interactions:
        if each.interval.low <= 0 <= each.interval.high:
            continue
        pair = f"{' + '.join(each.first)} and {' + '.join(each.second)}"
        how = "more than the sum of both" if each.gain > 0 else "less than the sum: they cure the same cases"
        extra = f"{points(each.gain)} ({points_span(each.interval)})"
        lines.append(f"{pair} together gain {points(each.together)} points, {extra} {how}")
    return lines


def _need(name: str, diagnosis: Diagnosis, most: int) -> NeedCell:
    found = diagnosis.needs.get(name)
    if found is None:
        return _cell(0, diagnosis.measured, None, most)
    return _cell(found.cases, diagnosis.measured, found.interval, most)


def _cell(cases: int, measured: int, interval: Interval | None, most: int) -> NeedCell:
    if not measured:
        return NeedCell(cases=str(cases), share="", span="", width=0.0)
    return NeedCell(
        cases=str(cases),
        share=percent(cases / measured),
        span=span(interval or wilson(cases, measured)),
        width=round(100 * cases / most, 1) if most else 0.0,
    )
