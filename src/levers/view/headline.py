"""The first lines of a report: from where to where, targets met or not, in one sentence."""

from levers.loop.records import Run, Target
from levers.trial import compare
from levers.trial.records import Trial
from levers.view.records import Headline, TargetRow
from levers.view.words import count, listed, p_by_test, percent, points, points_span, precise, quantity, span

TARGETS = {
    "quality": ("Quality", "at least"),
    "cost_per_answer": ("Cost per answer", "at most"),
    "p95_ms": ("Latency, 95th percentile", "at most"),
    "freshness": ("Freshness", "at most"),
}


def headline(run: Run) -> Headline:
    """Sum up a run on test cases; on dev cases where test was not opened for the start or the end."""
    before, after = ends(run)
    same = before.stack == after.stack
    return Headline(
        sentence=sentence(run),
        before=percent(before.quality),
        before_span=span(before.interval),
        after=percent(after.quality),
        after_span=span(after.interval),
        cases=scored(after, f"{after.partition} case"),
        difference="" if same else _difference(before, after),
        targets=tuple(target_row(target) for target in run.targets),
        targets_met=run.targets_met,
        stopped=run.stopped,
    )


def ends(run: Run) -> tuple[Trial, Trial]:
    """Return the first and the final trial over one partition: test where both opened it, else dev."""
    first, last = run.steps[0].measured, run.final
    return (first.test, last.test) if first.test and last.test else (first.dev, last.dev)


def sentence(run: Run) -> str:
    """Say in one or two sentences what the run reached, by which levers, and whether that is enough."""
    before, after = ends(run)
    kept = [step.lever for step in run.steps if step.verdict == "accepted"]
    what = f"{percent(after.quality)} of {scored(after, after.partition + ' case')} pass"
    if kept:
        way = f"{what}, from {percent(before.quality)} with the plain prompt, after {count(len(kept), 'accepted step')}"
        way += f": {listed(kept)}."
    else:
        way = f"{what}; no pull was kept, and the plain prompt stands."
    return f"{way} {_targets(run.targets)}".strip()


def scored(trial: Trial, noun: str) -> str:
    """Count the cases that a trial's figures rest on: those with a score, and how many have none where some do."""
    with_score = len(trial.outcomes) - trial.unscored
    if not trial.unscored:
        return count(with_score, noun)
    return f"{count(with_score, 'scored ' + noun)} ({trial.unscored:,} not scored)"


def target_row(target: Target) -> TargetRow:
    """Set out a target in words."""
    name, direction = TARGETS.get(target.name, (target.name, ""))
    wanted, reached = (quantity(value, target.unit) for value in (target.wanted, target.reached))
    if wanted == reached and not target.met:
        wanted, reached = (precise(value, target.unit) for value in (target.wanted, target.reached))
    return TargetRow(
        name=name,
        wanted=f"{direction} {wanted}".strip(),
        reached=reached,
        met=target.met,
        provenance=target.provenance,
    )


def _targets(targets: tuple[Target, ...]) -> str:
    missed = [target_row(target) for target in targets if not target.met]
    if not targets:
        return ""
    if not missed:
        return "All targets are met." if len(targets) > 1 else "The target is met."
    parts = [f"{row.name.lower()} ({row.wanted}, reached {row.reached})" for row in missed]
    return f"Not met: {listed(parts)}."


def _difference(before: Trial, after: Trial) -> str:
    found = compare(before, after)
    return (
        f"{points(found.difference)} points (95% interval {points_span(found.interval)}), {p_by_test(found)}; "
        f"{count(found.gained, 'case')} gained, {found.lost:,} lost; these cases could show a "
        f"difference of {points(found.detectable_difference).removeprefix('+')} points"
    )
