"""The cost commands in a terminal: tables of figures, each with what it rests on."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from levers.economics import LatencyBudget, Memory, Ownership, Payback, Scenario
from levers.economics.ownership import Span
from levers.economics.scenarios import Check
from levers.plan.records import GateCheck
from levers.view.answer_costs import NEVER
from levers.view.layout import grid, pairs, spaced, styled
from levers.view.words import count, milliseconds, money, percent, quantity, volume


def owned(found: Sequence[Ownership], notes: Sequence[str]) -> RenderableType:
    """Set several offers side by side, then every line they are the sum of."""
    head = grid("", "once", "a month", "year 1", "year 2")
    lines = grid("", "what", "when", "USD", "from")
    for each in found:
        head.add_row(
            styled(each.name, "bold"), *(_span(part) for part in (each.setup, each.month, each.year_1, each.year_2))
        )
        for line in each.lines:
            when = "once" if line.kind == "once" else "a month"
            shown = _ends(line.low, line.high)
            lines.add_row(each.name, line.name, when, shown, styled(f"{line.provenance}: {line.source}", "dim"))
    traffic = found[0].answers_per_day
    low, high = (volume(end) for end in (traffic.low, traffic.high))
    words = f"Cost to own at {low if low == high else f'{low} to {high}'} answers a day, months of 30 days"
    return spaced(styled(words, "bold"), head, lines, *(styled(note, "dim") for note in notes))


def payback(found: Payback, notes: Sequence[str]) -> RenderableType:
    """Set out a break-even: the middle, the band, and which input moves it most."""
    band = found.band
    low, middle, high = (_days(each) for each in (band.p5, band.p50, band.p95))
    rows = [
        ("break-even", _middle(found)),
        ("band", f"{low} to {high} (5th to 95th percentile), {middle} at the median" if band.never < 1 else NEVER),
        ("never", f"{percent(band.never)} of {band.draws:,} draws; at once {percent(band.at_once)}; seed {band.seed}"),
        ("first year", f"{_saved(found.saved_first_year)}, all inputs in the middle"),
    ]
    moved = grid("input", "from", "to", "break-even from", "to", "saved from", "to", "")
    for each in found.sensitivity:
        moved.add_row(
            each.name, _amount(each.low, each.unit), _amount(each.high, each.unit), _days(each.days_low),
            _days(each.days_high), money(each.saved_low), money(each.saved_high),
            styled("decides", "yellow") if each.decides else "",
        )  # fmt: skip
    words = f"When {found.other} has paid back against {found.now}"
    parts: list[RenderableType] = [styled(words, "bold"), pairs(*rows)]
    if found.sensitivity:
        parts += [styled("What moves it most, each input alone over its range; saved in a year", "bold"), moved]
    return spaced(*parts, *(styled(note, "dim") for note in notes))


def memory(model: str, found: Memory, card: float | None, overhead: float, fits: bool | None) -> RenderableType:
    """Set out a memory estimate part by part."""
    parts = grid("part", "GB", "")
    for part in found.parts:
        parts.add_row(part.name, _gb(part.bytes), styled(part.why, "dim"))
    parts.add_row(styled("peak", "bold"), styled(_gb(found.peak), "bold"), "")
    learning = f", {found.trainable:,} of them learn" if found.trainable else ""
    rows = [("weights", f"{found.parameters:,}{learning}")]
    if card is not None:
        said = f"{_gb(found.peak)} GB and {_gb(overhead)} GB held by the driver (assumed) on {_gb(card)} GB"
        rows.append(("fits", f"{'yes' if fits else 'no'}: {said}"))
    note = "Estimated from the shape; within 15 % of measured peaks of small models on a CPU (docs/concepts/costs.md)"
    return spaced(styled(f"Memory of {model}", "bold"), parts, pairs(*rows), styled(note, "dim"))


def latency(found: LatencyBudget) -> RenderableType:
    """Set steps against a target."""
    steps = grid("step", "p50", "p95", "may take", "", "from")
    for row in found.steps:
        sign = styled("breaks it", "red") if row.breaks else ""
        step = row.step
        shown = (milliseconds(step.p50), milliseconds(step.p95), milliseconds(row.budget))
        steps.add_row(step.name, *shown, sign, styled(f"{step.provenance}: {step.source}", "dim"))
    how = "measured as a whole" if found.measured_total else "estimated: the steps' own p95 added up"
    verdict = "met" if found.met else f"missed by {milliseconds(found.to_save)}"
    words = f"p95 {milliseconds(found.p95)} against {milliseconds(found.target)}: {verdict}"
    return spaced(styled(words, "bold"), steps, styled(f"p50 {milliseconds(found.p50)}; {how}", "dim"))


def scenario_list(found: Sequence[Scenario]) -> RenderableType:
    """Name every worked example."""
    rows = grid("scenario", "", "source", "claim")
    for each in found:
        sign = styled("✓ agrees", "green") if each.agrees else styled("✗ corrected", "red")
        rows.add_row(styled(each.name, "bold"), sign, each.source, each.claim)
    return rows


def scenario(found: Scenario) -> RenderableType:
    """Set out one worked example: inputs, published, what follows."""
    checks = grid("", "published", "follows", "", "how")
    for check in found.checks:
        sign = styled("✓ agrees", "green") if check.agrees else styled("✗ corrected", "red")
        checks.add_row(check.what, _figure(check.published, check), _figure(check.follows, check), sign, check.working)
    notes = [styled(f"{check.what}: {check.note}") for check in found.checks if check.note and not check.agrees]
    return spaced(styled(f"{found.claim} ({found.source})", "bold"), pairs(*found.inputs), checks, *notes)


def gates(found: Sequence[GateCheck]) -> RenderableType:
    """Set out data gates beside what there is."""
    rows = grid("gate", "least", "usual", "there is", "", "source")
    for each in found:
        sign = styled("✓ met", "green") if each.met else styled(f"✗ {each.need - each.have:,} short", "red")
        least = f"{each.need:,} {each.unit}"
        usual = f"{each.usual:,}{' or more' if each.open else ''}"
        rows.add_row(each.goal, least, usual, f"{each.have:,}", sign, each.source)
    return rows


def facts(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> RenderableType:
    """Set out tables of the field's figures."""
    parts: list[RenderableType] = []
    for name, rows in found.items():
        columns = list(dict.fromkeys(key for row in rows for key in row))
        shown = grid(*columns)
        for row in rows:
            shown.add_row(*(styled(_cell(row.get(key))) for key in columns))
        parts += [styled(name, "bold"), shown]
    return spaced(*parts)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "; ".join(_cell(each) for each in value)
    return f"{value:,g}" if isinstance(value, int | float) else str(value)


def _middle(found: Payback) -> str:
    back = found.breakeven
    if back is None:
        until = f"; cheaper for the first {found.cheaper_until:,.0f} days" if found.cheaper_until else ""
        return f"{NEVER}{until}"
    return "at once" if back.days == 0 else f"{_days(back.days)}, {count(back.answers, 'answer')}"


def _saved(value: float) -> str:
    return f"{money(value)} saved" if value >= 0 else f"{money(-value)} more"


def _days(value: float | None) -> str:
    return NEVER if value is None else f"{value:,.1f} days" if value < 100 else f"{value:,.0f} days"


def _gb(value: float) -> str:
    return f"{value / 1e9:,.2f}" if value < 10e9 else f"{value / 1e9:,.1f}"


def _amount(value: float, unit: str) -> str:
    return money(value) if unit == "USD" else f"{value:,g}"


def _ends(low: float, high: float) -> str:
    one, other = money(low), money(high)
    return one if one == other else f"{one} to {other}"


def _span(span: Span) -> str:
    return _ends(span.low, span.high)


def _figure(ends: tuple[float, float], check: Check) -> str:
    shown = [quantity(end, "USD") if check.unit == "USD" else f"{end:,g}" for end in ends]
    text = shown[0] if shown[0] == shown[1] else f"{shown[0]} to {shown[1]}"
    return text if check.unit in {"", "USD"} else f"{text} {check.unit}"
