"""The same story in a terminal, as rich renderables. Texts are set as they are: markup in data does nothing."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from levers.diagnosis.records import Diagnosis
from levers.loop.forecast import Forecasts, forecasts
from levers.loop.records import Run, Step
from levers.plan.choose import gate_reason
from levers.plan.records import Plan
from levers.trial.records import Comparison, Margin, Trial
from levers.view.headline import sentence, target_row
from levers.view.layout import grid as _table
from levers.view.layout import pairs as _pairs
from levers.view.layout import spaced as _spaced
from levers.view.layout import styled as _text
from levers.view.needs import diagnoses, interaction_lines
from levers.view.plans import gate_words
from levers.view.words import (
    UNKNOWN,
    count,
    listed,
    milliseconds,
    money,
    p_by_test,
    p_value,
    percent,
    plain,
    points,
    points_span,
    reading,
    settings,
    span,
)

SIGNS = {"accepted": "✓", "rejected": "✗", "start": "○", "next": "→", "later": "◦", "no": "–"}  # noqa: RUF001
NEEDED_BY = (
    "needed by: the cases that this probe mends, alone or beside others; a need may have more, found by another "
    "experiment (a fact that the named evidence lacks)"
)
POOREST = 3  # slices of cases that a trial names
STYLES = {"accepted": "green", "rejected": "red", "start": "", "next": "bold green", "later": "", "no": "dim"}


def story(run: Run) -> RenderableType:
    """Tell a finished run: one sentence, the steps, the needs, the targets, and where the report is."""
    last = Text.assemble(("Stopped: ", "dim"), plain(run.stopped), "\n", ("Report:  ", "dim"), plain(run.report))
    parts = [_text(sentence(run), "bold"), steps_table(run.steps), reasons(run.steps), needs_over_steps(run)]
    told = forecasts(run.steps)
    return _spaced(*parts, *([forecast_table(told)] if told else []), targets_table(run), last)


def steps_table(steps: tuple[Step, ...]) -> Table:
    """Set out the steps: quality by partition with intervals, cost and latency on dev, p-value, verdict."""
    table = _table("", "step", "dev", "test", "edge", "per answer", "p95", "p")
    for step in steps:
        measured = step.measured
        total = measured.dev.latency.get("total")
        table.add_row(
            _text(f"{step.number} {SIGNS[step.verdict]}", STYLES[step.verdict]),
            _text(step.lever),
            *(_share(trial) for trial in (measured.dev, measured.test, measured.edge)),
            money(measured.dev.cost_per_answer),
            milliseconds(total.p95_ms) if total else "",
            "" if step.p_value is None else _bare(step.p_value),
        )
    return table


def _bare(p: float) -> str:
    """Write a p-value under its heading, in six places: from ten steps on the table is 80 columns wide."""
    return p_value(p).removeprefix("p ").removeprefix("= ").replace(" ", "")


def reasons(steps: tuple[Step, ...]) -> RenderableType:
    """Give each step's reason, one line each."""
    lines = [step_line(step) for step in steps if step.verdict != "start"]
    return Group(*lines) if lines else _text("No lever was pulled.", "dim")


def step_line(step: Step) -> Text:
    """Say in one line what became of a step."""
    head = f"{SIGNS[step.verdict]} {step.number} {step.lever} {step.verdict}"
    return Text.assemble((plain(head), STYLES[step.verdict]), ": ", plain(step.why))


def needs_over_steps(run: Run) -> Table:
    """Set out how many cases have each need, one column per stack that was diagnosed."""
    columns = diagnoses(run)
    table = _table("needs", *(plain(name) for name, _ in columns))
    names = list(dict.fromkeys(name for _, diagnosis in columns for name in diagnosis.needs))
    for name in names:
        found = [diagnosis.needs.get(name) for _, diagnosis in columns]
        table.add_row(name, *(str(each.cases) if each else "0" for each in found))
    table.add_row(_text("failing", "bold"), *(f"{each.failures} of {each.measured}" for _, each in columns))
    return table


def forecast_table(found: Forecasts) -> Table:
    """Set what each pull gained on dev against its lever's probe and the 95 % forecast made from it before the pull."""
    words = {"within": "within the forecast", "short": "less: the product is imperfect", "beyond": "more than forecast"}
    table = _table("points on dev", "perfect", "forecast", "realised", "")
    for each in found.steps:
        told = _text(each.why or words[each.hit], "dim")
        spans = points(each.predicted), points_span(each.interval), points(each.realised)
        table.add_row(f"{each.step} {each.lever}", *spans, told)
    return table


def targets_table(run: Run) -> Table:
    """Set the targets against what was reached."""
    table = _table("", "target", "wanted", "reached", "from")
    for target in run.targets:
        row = target_row(target)
        sign = _text("✓ met", "green") if row.met else _text("✗ not met", "red")
        table.add_row(sign, row.name, row.wanted, row.reached, _text(row.provenance, "dim"))
    return table


def trial_table(trial: Trial) -> RenderableType:
    """Set out one trial: quality, credit, cost, and latency by step of answering."""
    passed = sum(outcome.passed for outcome in trial.outcomes)
    scored = len(trial.outcomes) - trial.unscored
    tokens = trial.usage
    rows = (
        ("quality", f"{percent(trial.quality)} ({span(trial.interval)}), {passed} of {scored} pass"),
        *_by_source(trial),
        *_not_scored(trial),
        *((name, plain(each.note)) for name, each in trial.graders.items() if each.note),
        *_leaks(trial),
        *_context(trial),
        ("mean credit", percent(trial.score)),
        ("per answer", f"{money(trial.cost_per_answer)} ({trial.cost_source})"),
        (
            "tokens",
            f"{tokens.input:,} input, {tokens.cache_read:,} cached, {tokens.cache_write:,} written to cache, "
            f"{tokens.output:,} output",
        ),
        *(
            (f"{name}, time", f"{milliseconds(each.p50_ms)} median, {milliseconds(each.p95_ms)} p95")
            for name, each in trial.latency.items()
        ),
    )
    return _pairs((f"{trial.partition} cases", f"{len(trial.outcomes)} on stack {trial.stack}"), *rows)


def _by_source(trial: Trial) -> tuple[tuple[str, str], ...]:
    """Give the interval that counts sources instead of cases, where cases share them."""
    found = trial.clustered
    if found is None:
        return ()
    low, high = max(0.0, found.interval.low), min(1.0, found.interval.high)
    told = f"{percent(low)} to {percent(high)} if cases of one source count as one of {found.clusters}"
    return (("by source", told),)


def _leaks(trial: Trial) -> tuple[tuple[str, str], ...]:
    """Say how many asked for what they may not read, and who was shown it, where there are access rules."""
    found = trial.leaks
    if found is None or not found.ruled:
        return ()
    shown = f"{count(len(found.leaks), 'leak')}: {', '.join(found.leaks)}" if found.leaks else "no leak"
    asked = f"{count(found.attempts, 'case')} for what the user may not read"
    return (("access", plain(f"{shown}; {asked}")),)


def _context(trial: Trial) -> tuple[tuple[str, str], ...]:
    """Say how much of the evidence the prompts held, where cases name evidence."""
    found = trial.context
    if found is None:
        return ()
    whole = f"all of it in {found.whole} of {count(found.cases, 'case')} that name any"
    rows = [("evidence shown", f"{percent(found.recall)} ({span(found.interval)}), {whole}")]
    poor = [(tag, each) for tag, each in found.slices.items() if each.recall < found.recall]
    if poor:
        worst = sorted(poor, key=lambda one: (one[1].recall, -one[1].cases))[:POOREST]
        told = [f"{tag} {percent(each.recall)} of {count(each.cases, 'case')}" for tag, each in worst]
        rows.append(("least of it for", plain(listed(told))))
    return tuple(rows)


def _not_scored(trial: Trial) -> tuple[tuple[str, str], ...]:
    """Say how many cases have no score, and the first reason."""
    if not trial.unscored:
        return ()
    lame = next(outcome for outcome in trial.outcomes if not outcome.scored)
    why = next((grade.why for grade in lame.grades if grade.credit is None), "")
    return (("not scored", plain(f"{count(trial.unscored, 'case')}, in no figure; the first: {why}")),)


def comparison_lines(comparison: Comparison) -> Text:
    """Say in a few lines what a comparison shows, and what these cases could have shown."""
    what = "passes" if comparison.measure == "pass" else "mean credit"
    style = {"better": "green", "worse": "red"}.get(reading(comparison), "yellow")
    return Text.assemble(
        f"{what} on {count(comparison.cases, 'case')}: {percent(comparison.before)} → {percent(comparison.after)}, ",
        (f"{points(comparison.difference)} points", "bold"),
        f" (95% interval {points_span(comparison.interval)})\n",
        (reading(comparison), style),
        f": {p_by_test(comparison)}; {comparison.gained} up, {comparison.lost} down\n",
        (f"smallest detectable difference {points(comparison.detectable_difference).lstrip('+')} points", "dim"),
    )


def margin_line(margin: Margin) -> Text:
    """Say whether a stack stays within a margin of another, and how many cases would show it."""
    bound = percent(margin.margin)
    if margin.equivalent:
        told, style = (
            f"equivalent: neither worse nor better by {bound} (p = {max(margin.p_worse, margin.p_better):.3f})",
            "green",
        )
    elif margin.not_worse:
        told, style = f"not worse by {bound} (p = {margin.p_worse:.3f})", "green"
    else:
        told, style = f"a loss of {bound} is not ruled out (p = {margin.p_worse:.3f})", "yellow"
    needed = f"; {count(margin.required_cases, 'case')} would show it if there is no difference"
    shared = f"; the cases share {count(margin.sources, 'source')}" if margin.sources else ""
    return Text.assemble(("within the margin? ", "dim"), (told, style), shared, "" if margin.not_worse else needed)


def diagnosis_table(diagnosis: Diagnosis) -> RenderableType:
    """Set out needs with their shares, then the headroom of the probes."""
    needs = _table("need", "cases", "share", "95% interval")
    for name, each in diagnosis.needs.items():
        needs.add_row(name, str(each.cases), percent(each.share), span(each.interval))
    room = _table("probe, a lever made perfect", "gain, points", "95% interval", "credit, points", "needed by")
    for probe in diagnosis.headroom:
        gain = (points(probe.gain), points_span(probe.interval), points(probe.score_gain), percent(probe.unlocks))
        room.add_row(" + ".join(probe.probes), *gain)
    head = f"{diagnosis.failures} of {count(diagnosis.measured, 'development case')} fail on stack {diagnosis.stack}"
    if diagnosis.sampled is not None:
        head += f"; {diagnosis.sampled} of them were looked at, shares are estimates for all"
    notes = [_text(line) for line in interaction_lines(diagnosis)]
    if _found_elsewhere(diagnosis):
        notes.append(_text(NEEDED_BY, "dim"))
    spent = [] if diagnosis.spent is None else [_text(f"spent now: {diagnosis.spent:.4f} USD", "dim")]
    if diagnosis.stopped:
        spent.append(_text(f"stopped by the cap, what is not known is unexplained: {diagnosis.stopped}", "yellow"))
    return _spaced(_text(head, "bold"), needs, room, *notes, *spent)


def _found_elsewhere(diagnosis: Diagnosis) -> bool:
    """Tell whether some need has more cases than the probe of its name was found to mend."""
    alone = [each for each in diagnosis.headroom if len(each.probes) == 1]
    shares: dict[str, float] = {each.probes[0]: each.unlocks for each in alone}
    return any(each.share > shares.get(name, 1.0) for name, each in diagnosis.needs.items())


def plan_table(plan: Plan) -> RenderableType:
    """Set out a plan: the levers side by side, then every verdict's reason."""
    table = _table("", "lever", "gain, points", "needed by", "once", "per answer", "latency", "effort")
    lines = []
    for option in plan.options:
        quote, style = option.quote, STYLES[option.verdict]
        name = f"{quote.lever} {settings(quote.settings)}".strip()
        table.add_row(
            _text(f"{SIGNS[option.verdict]} {option.verdict}", style),
            _text(name),
            f"{points(quote.gain)} ({points_span(quote.interval)})",
            percent(quote.unlocks),
            f"{money(quote.one_time.value)} {quote.one_time.provenance}",
            f"{money(quote.per_answer.value)} {quote.per_answer.provenance}" if quote.per_answer else UNKNOWN,
            f"{milliseconds(quote.latency_ms.value)} {quote.latency_ms.provenance}",
            quote.effort,
        )
        gates = "; ".join(f"{'✓' if gate.met else '✗'} {gate_words(gate)}" for gate in quote.gates)
        by_gate = any(not gate.met and gate_reason(gate) == option.why for gate in quote.gates)  # not told twice
        why = "" if by_gate else f"{option.why}; " if gates else option.why
        lines.append(Text.assemble((f"{quote.lever}: ", "bold"), plain(why), (plain(gates), "dim")))
    chosen = f"Next: {plan.next}" if plan.next else "No lever pays on this stack."
    return _spaced(_text(chosen, "bold"), table, Group(*lines), _text(NEEDED_BY, "dim"))


def _share(trial: Trial | None) -> Text:
    if trial is None:
        return _text("")
    return Text.assemble((percent(trial.quality), "bold"), (f" {span(trial.interval)}", "dim"))
