"""Make the page of a run: everything as ready-made strings and numbers, before any template sees it."""

from collections import Counter
from collections.abc import Sequence

from levers.loop.openings import Opened
from levers.loop.records import Run, Step
from levers.task.records import Case, Traffic
from levers.trial.records import Trial
from levers.view.cases import case_list
from levers.view.charts import Column, Measure, Point, cost_chart, quality_chart
from levers.view.headline import headline, scored
from levers.view.needs import needs_table
from levers.view.ownership import ownership_section
from levers.view.plans import plan_rows
from levers.view.records import Drawn, Fact, OpeningRow, ReportPage, Since
from levers.view.steps import latency_groups, step_cards
from levers.view.words import count, duration, listed, part_words, percent, span

ANSWERS_PER_DAY = Traffic().answers_per_day
NOTHING_SINCE = Since()
CHANGED = (
    "The project has changed since this run. Questions and expected answers are shown as they are now; answers, grades "
    "and figures as they were. levers run measures it anew."
)

METHODS = (
    Fact(
        "Quality",
        "the share of cases that pass: every grader that scored the answer passed it. Mean credit is the mean of what "
        "the graders gave, 0 to 1. Intervals of shares are Wilson's, 95%.",
    ),
    Fact(
        "Differences",
        "are paired: the same cases, before and after. Intervals (95%) are Newcombe's for passes and bootstrapped over "
        "cases for credit; p-values are exact McNemar for passes and a sign-flip permutation test for credit, both "
        "two-sided. Where cases share a source, the p-value is the larger of that and a t test over the sources.",
    ),
    Fact(
        "Smallest detectable",
        "is the difference that these cases could show with 80% power at the 5% level. A difference that is not "
        "decisive may be real and smaller than that.",
    ),
    Fact(
        "Verdicts",
        "rest on the credit of development cases, or on their passes where only those rise, with Holm's adjustment "
        "over the tries so far, then on a confirmation by test cases and on edge cases that are not worse. A pull that "
        "saves has to be shown not worse by the margin, in passes and in credit: its p-value is the larger of the two "
        "margin tests', not adjusted.",
    ),
    Fact(
        "Needs",
        "are found by experiment: a failing case is asked again with one thing changed (its evidence given, the form "
        "imposed, the label spelt out, similar answers shown); what it cannot do without is what it needs. A case may "
        "have several needs.",
    ),
    Fact(
        "Gain in a plan",
        "is what the lever's probe, the lever made perfect, gained on the same cases: the most it can bring.",
    ),
    Fact(
        "Cost to own",
        "is set-up once and every answer since, at the task's traffic, months of 30 days. Set-up is what the plan "
        "quoted for each kept step. Hidden costs, such as your team's time, are not in it.",
    ),
    Fact(
        "Provenance",
        "measured: in this run. price book: measured usage at a listed price, dated. assumed: a reference figure or an "
        "estimate, with its source.",
    ),
)


def page(
    run: Run, cases: Sequence[Case], answers_per_day: float = ANSWERS_PER_DAY, since: Since = NOTHING_SINCE
) -> ReportPage:
    """Make the page of a finished run. `cases` are the task's; only dev cases among them are shown.

    `answers_per_day` is the task's traffic, at which the stacks' cost to own is shown; `since` is what came to pass
    outside of the run.
    """
    cost, cost_note = _cost(run)
    return ReportPage(
        title=f"{run.name}: levers report",
        task=run.name,
        subtitle=f"{count(len(run.steps) - 1, 'pull')} in {duration(run.seconds)} with {run.model}",
        changed=CHANGED if since.changed else "",
        headline=headline(run),
        final_parts=_parts(run),
        quality=quality_chart([_column(step) for step in run.steps], _quality_target(run)),
        steps=step_cards(run),
        needs=needs_table(run),
        cost=cost,
        cost_note=cost_note,
        ownership=ownership_section(run, answers_per_day),
        latency=latency_groups(run),
        closing=plan_rows(run.closing, "The plan for the final stack"),
        cases=case_list(run, cases),
        unseen=_unseen(run),
        openings=tuple(OpeningRow(each.step, each.stack, each.reason) for each in run.openings),
        opened_elsewhere=opened_elsewhere(since.opened),
        origins=_origins(run),
        methods=METHODS,
    )


def opened_elsewhere(found: Sequence[Opened]) -> str:
    """Say who else opened the test cases; empty where nobody did."""
    if not found:
        return ""
    by = Counter(each.run if each.run.startswith("levers ") else f"run {each.run}" for each in found)
    who = listed([f"{times:,} by {name}" for name, times in by.most_common()])
    last = max(each.at for each in found)[:10]
    return (
        f"Outside of this run the same test cases were opened {count(len(found), 'time')}: {who}; last on {last}. "
        "The more often they decide, the less they prove."
    )


def _quality_target(run: Run) -> float | None:
    return next((target.wanted for target in run.targets if target.name == "quality"), None)


def _column(step: Step) -> Column:
    trials = (step.measured.dev, step.measured.test, step.measured.edge)
    measures = tuple(Measure(each.partition, each.quality, each.interval) for each in trials if each)
    return Column(step.number, step.lever, step.verdict != "rejected", measures)


def _cost(run: Run) -> tuple[Drawn | None, str]:
    points = [
        Point(
            number=step.number,
            label=step.lever,
            kept=step.verdict != "rejected",
            cost=step.measured.dev.cost_per_answer,
            quality=step.measured.dev.quality,
            interval=step.measured.dev.interval,
        )
        for step in run.steps
        if step.measured.dev.cost_per_answer is not None
    ]
    source = run.final.dev.cost_source
    if not points:
        return None, f"No price is known for this model ({source}); give one in the task's prices file."
    return cost_chart(points, _quality_target(run)), f"Cost: measured usage at a price from: {source}."


def _parts(run: Run) -> tuple[Fact, ...]:
    model = run.stack.model
    adapter = f" with adapter {model.adapter}" if model.adapter else ""
    limits = f", temperature {model.temperature:g}, at most {count(model.max_tokens, 'output token')}"
    return (
        Fact("model", f"{model.id}{adapter}{limits}"),
        *(Fact(*part_words(part)) for part in run.stack.parts),
        Fact("name", run.stack.digest),
    )


def _unseen(run: Run) -> tuple[Fact, ...]:
    trials: tuple[tuple[str, Trial | None], ...] = (("test", run.final.test), ("edge", run.final.edge))
    return tuple(
        Fact(
            f"{name} cases",
            f"{scored(trial, 'case')}, {percent(trial.quality)} pass ({span(trial.interval)}), "
            f"mean credit {percent(trial.score)}"
            if trial
            else "not measured for the final stack",
        )
        for name, trial in trials
    )


def _origins(run: Run) -> tuple[Fact, ...]:
    sizes = ((name, run.trial(name)) for name in ("dev", "test", "edge"))
    return (
        Fact("run", run.id),
        Fact("task content", run.task),
        Fact("first stack", run.steps[0].stack.digest),
        Fact("final stack", run.stack.digest),
        Fact("model", run.model),
        Fact("cases", ", ".join(f"{name} {len(trial.outcomes):,}" for name, trial in sizes if trial)),
        Fact("prices", run.final.dev.cost_source),
        Fact("seed", str(run.seed)),
        Fact("time", duration(run.seconds)),
        Fact("levers", run.levers_version),
    )
