"""Steps as cards: what was pulled, what it changed, the paired comparisons, the verdict; and each stack's latency."""

from levers.loop.records import Run, Step
from levers.loop.verdict import deciding
from levers.trial.records import Comparison, Latency, Trial
from levers.view.needs import step_name
from levers.view.plans import plan_rows
from levers.view.records import ComparisonRow, LatencyGroup, LatencyRow, StepCard
from levers.view.words import (
    count,
    milliseconds,
    money,
    p_value,
    percent,
    points,
    points_span,
    reading,
    settings,
    span,
    stack_words,
)

NONE = "\N{EN DASH}"


def step_cards(run: Run) -> tuple[StepCard, ...]:
    """Set out all steps, rejected ones too."""
    return tuple(_card(step) for step in run.steps)


def latency_groups(run: Run) -> tuple[LatencyGroup, ...]:
    """Set out p50 and p95 by step of answering for every stack, as measured on dev; "total" comes last."""
    slowest = max((each.p95_ms for step in run.steps for each in step.measured.dev.latency.values()), default=0.0)
    return tuple(
        LatencyGroup(
            stack=step_name(step.number, step.lever) + (" ✗" if step.verdict == "rejected" else ""),
            rows=tuple(_latency(name, each, slowest) for name, each in step.measured.dev.latency.items()),
        )
        for step in run.steps
    )


def compared_row(what: str, comparison: Comparison, trial: Trial | None) -> ComparisonRow:
    """Set out one comparison; the Wilson interval is the trial's, for shares that pass of the same cases."""
    same = trial is not None and comparison.measure == "pass" and comparison.unscored == 0
    return ComparisonRow(
        what=what,
        cases=f"{comparison.cases:,}",
        before=percent(comparison.before),
        after=percent(comparison.after),
        after_span=span(trial.interval) if trial and same else "",
        difference=points(comparison.difference),
        difference_span=points_span(comparison.interval),
        p_value=p_value(comparison.strict_p),
        detectable=points(comparison.detectable_difference).removeprefix("+"),
        moved=f"{comparison.gained:,} up, {comparison.lost:,} down",
        reading=reading(comparison),
    )


def _card(step: Step) -> StepCard:
    dev = step.measured.dev
    total = dev.latency.get("total")
    chosen = step.plan.chosen if step.plan else None
    tries = f", Holm-adjusted over {count(step.tries, 'try', 'tries')}" if step.tries > 1 else ""
    saving = chosen is not None and chosen.saves is not None
    passes = step.dev_pass and step.dev_score and deciding(step.dev_pass, step.dev_score) is step.dev_pass
    what = "passes on dev" if saving or passes else "mean credit on dev"
    how = ", by the margin test" if saving else tries
    return StepCard(
        number=step.number,
        lever=step.lever,
        verdict=step.verdict,
        why=step.why,
        changed=step.changed,
        material=step.material,
        settings=settings(step.settings),
        stack=step.stack.digest,
        stack_words=stack_words(step.stack),
        cost=money(dev.cost_per_answer),
        latency=f"{milliseconds(total.p50_ms)} median, {milliseconds(total.p95_ms)} p95" if total else "unknown",
        p_value=f"{what}, {p_value(step.p_value)}{how}" if step.p_value is not None else "",
        rows=_rows(step),
        notes=step.notes,
        plan=plan_rows(step.plan, f"The plan before step {step.number}") if step.plan else None,
    )


def _latency(name: str, latency: Latency, slowest: float) -> LatencyRow:
    p50_width, p95_width = (
        round(100 * value / slowest, 1) if slowest > 0 else 0.0 for value in (latency.p50_ms, latency.p95_ms)
    )
    return LatencyRow(name, milliseconds(latency.p50_ms), milliseconds(latency.p95_ms), p50_width, p95_width)


def _rows(step: Step) -> tuple[ComparisonRow, ...]:
    measured = step.measured
    compared = (
        ("dev, passes", step.dev_pass, measured.dev),
        ("dev, mean credit", step.dev_score, measured.dev),
        ("test, passes", step.test_pass, measured.test),
        ("test, mean credit", step.test_score, measured.test),
        ("edge, passes", step.edge_pass, measured.edge),
    )
    rows = [compared_row(what, comparison, trial) for what, comparison, trial in compared if comparison]
    alone = (
        ("dev, passes", step.dev_pass, measured.dev),
        ("test, passes", step.test_pass, measured.test),
        ("edge, passes", step.edge_pass, measured.edge),
    )
    rows += [_alone(what, trial) for what, comparison, trial in alone if trial and not comparison]
    return tuple(rows)


def _alone(what: str, trial: Trial) -> ComparisonRow:
    return ComparisonRow(
        what=what,
        cases=f"{len(trial.outcomes) - trial.unscored:,}",
        before=NONE,
        after=percent(trial.quality),
        after_span=span(trial.interval),
        difference=NONE,
        difference_span="",
        p_value=NONE,
        detectable=NONE,
        moved=NONE,
        reading="measured alone",
    )
