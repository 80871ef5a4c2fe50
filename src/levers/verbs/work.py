"""Verbs of the loop and of its parts: trial, diagnose, plan, pull, run, and what stands around them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from levers.diagnosis import MOST, Diagnosis
from levers.diagnosis import diagnose as run_diagnosis
from levers.diagnosis.lint import lint as lint_prompt
from levers.diagnosis.lint import prompt_of, prompt_of_file
from levers.economics import CACHE_MINIMUM, PriceBook
from levers.errors import Problem, UserError
from levers.ledger import write_atomic
from levers.lever import LEVERS, Piloting, Pulled, Situation, lever
from levers.lever.variants import check_pull
from levers.loop import Loop, OnStep, Project, Run, opened, record_opening
from levers.plan import Advice, Attempt, Circumstances, Plan, choose
from levers.plan import advise as give_advice
from levers.stack import Question, Retrieve, Stack, answer
from levers.task import Partition
from levers.task.importers import READERS, Written, write_project
from levers.task.text import refuse_halves
from levers.task.wording import did_you_mean
from levers.trial import Trial, as_dev, compare, within_margin
from levers.trial.bench import Progress, silent
from levers.tuning.pilot import LEAST_POINTS, SHARES, Piloted
from levers.verbs.figures import LATEST, SAVED, finished
from levers.verbs.results import START, Answered, Ledger, Linted, Measurement
from levers.view import Since, write_report


def load(path: Path | str = ".", progress: Progress = silent) -> Project:
    """Open a project folder. Raises UserError with every problem in its files."""
    return Project(path, progress)


def import_project(kind: str, path: Path | str, into: Path | str) -> Written:
    """Make a project of what another tool wrote; `kind` names the tool. Nothing is written unless it is sound."""
    if kind not in READERS:
        expected = f"one of {', '.join(READERS)}"
        hint = did_you_mean(kind, READERS, expected)
        raise UserError(Problem(file="levers import", found=repr(kind), expected=expected, hint=hint))
    return write_project(READERS[kind](Path(path)), Path(into), Path(path).absolute().stem)


def trial(
    project: Project,
    stack: str | Stack | None = None,
    against: str | Stack | None = None,
    partition: Partition = "dev",
    margin: float | None = None,
) -> Measurement:
    """Measure a stack over a partition, and compare it with another on the same cases. Opening test is recorded.

    With a `margin` (a share above 0 and under 1) it is tested as well whether the stack is not worse by that much.
    """
    if margin is not None and (against is None or not 0 < margin < 1):
        found = f"margin {margin:g}" + (" without a stack to compare with" if against is None else "")
        expected = "a share above 0 and under 1, beside --against"
        raise UserError(Problem(file="levers trial", found=found, expected=expected, hint="such as --margin 0.03"))
    measured = _trial(project, _stack(project, stack), partition)
    if against is None:
        return Measurement(trial=measured)
    other = _trial(project, _stack(project, against), partition)
    tested = within_margin(other, measured, margin) if margin is not None else None
    return Measurement(trial=measured, comparison=compare(other, measured, "pass"), margin=tested)


def diagnose(
    project: Project, stack: str | Stack | None = None, cap: float | None = None, most: int = MOST
) -> Diagnosis:
    """Probe the failing dev cases of a stack: what each needs, and the headroom of every lever.

    Where more than `most` cases fail, so many are drawn, always the same ones; 0 looks at all of them.

    `cap` is the most that hosted models may cost now, in USD: when the next call could exceed it, the experiments end
    and the diagnosis says so. What was paid for is kept, so a second run goes on from there.
    Raises UserError for a cap or a number under 0 or a hosted model without a price, BudgetError when not even the
    trial fits.
    """
    if most < 0:
        expected = "1 or more, or 0 for all"
        raise UserError(Problem(file="levers diagnose", field="most", found=str(most), expected=expected))
    chosen = _stack(project, stack)
    if cap is None:
        trial = as_dev(_trial(project, chosen, "dev"))
        return run_diagnosis(project.bench, chosen, trial, most=most or None)
    project.follow()
    bench, workshop = project.capped(cap)
    project.keep(chosen)
    trial = as_dev(bench.trial(chosen, "dev", "trial on dev"))
    found = run_diagnosis(bench, chosen, trial, capped=True, most=most or None)
    return found.model_copy(update={"spent": workshop.spent})


def plan(project: Project, stack: str | Stack | None = None) -> Plan:
    """Quote every lever for a stack and choose the next move.

    What the latest run tried on its way to this stack counts, while nothing that decides its outcome has changed.
    """
    situation = _situation(project, _stack(project, stack))
    quotes = [each.quote(situation) for each in LEVERS]
    answers_per_day = project.task.config.traffic.answers_per_day
    return choose(situation.stack.digest, quotes, situation.attempts, answers_per_day)


def advise(case: Circumstances, prices: Path | None = None) -> Advice:
    """Return the decision without data for a team's circumstances; nothing is measured and nothing asked.

    `prices` is a prices.yaml over the price book. Raises UserError where no symptom is named or a price is unknown.
    """
    return give_advice(case, PriceBook.load(prices))


def pull(
    project: Project, name: str, settings: dict[str, Any] | None = None, stack: str | Stack | None = None
) -> Pulled:
    """Pull one lever on a stack and put the better stack to use, unless the lever's own checks found it worse."""
    chosen, base = lever(name), _stack(project, stack)
    check_pull(chosen, project.task, settings or {}, base)
    pulled = chosen.pull(_situation(project, base), settings or {})
    project.keep(pulled.stack, use=not pulled.worse)
    return pulled


def pilot(
    project: Project,
    name: str = "tune",
    settings: dict[str, Any] | None = None,
    stack: str | Stack | None = None,
    shares: Sequence[float] = SHARES,
) -> Piloted:
    """Tune on growing parts of the examples, measure each on dev, forecast what all and more would bring.

    What came of it is kept: the plan quotes it from then on in the place of the rule of thumb.
    Raises UserError for a lever that has no pilots, fewer than four parts, or what would stop the pull.
    """
    chosen = lever(name)
    if not isinstance(chosen, Piloting):
        known = ", ".join(each.name for each in LEVERS if isinstance(each, Piloting))
        raise UserError(Problem(file="levers pilot", field="LEVER", found=repr(name), expected=f"one of {known}"))
    if len(set(shares)) < LEAST_POINTS or not all(0 < share <= 1 for share in shares):
        found, expected = ", ".join(f"{share:g}" for share in shares), "four different shares at least, each up to 1"
        raise UserError(Problem(file="levers pilot", field="shares", found=found, expected=expected))
    base = _stack(project, stack)
    check_pull(chosen, project.task, settings or {}, base)
    return chosen.pilot(_situation(project, base), settings or {}, shares)


def run(project: Project, on_step: OnStep | None = None, pilots: bool = False) -> Run:
    """Run the loop until the targets are met or nothing pays, and write the report. A killed run goes on.

    `pilots`: before a tuning is pulled, pilots on parts of the examples must foresee a gain.
    """
    project.follow()
    loop = Loop(project, on_step, pilots)
    found = loop.run()
    write_atomic(loop.folder / SAVED, found.model_dump_json())
    write_atomic(loop.folder.parent / LATEST, json.dumps({"run": found.id}))
    _write_report(project, found)
    return found


def report(project: Project, name: str | None = None) -> Run:
    """Write the report of a finished run again (the latest unless named) and return the run."""
    found = finished(project.task.root, name)
    _write_report(project, found)
    return found


def ask(project: Project, question: str, user: str | None = None, stack: str | Stack | None = None) -> Answered:
    """Answer one question with the stack in use, under the user's rights."""
    refuse_halves(question, "levers ask", "QUESTION")
    project.follow()
    chosen = _stack(project, stack)
    part = chosen.part("retrieve")
    shown = part is not None or chosen.part("inline") is not None
    index = project.index_for(chosen) if shown else None  # what shows no document waits for none
    if isinstance(part, Retrieve) and index is not None:  # of the documents and access rules as they are now
        chosen = chosen.with_part(part.model_copy(update={"index": index.digest}))
    given = answer(chosen, [Question(id="ask", input=question, user=user)], project.workshop)[0]
    cost_of = project.cost_of(chosen.model)
    return Answered(
        answer=given,
        cost=cost_of(given.usage) if cost_of else None,
        usage=given.usage,
        stack=START if chosen.digest == project.start().digest else chosen.digest,
        unsearched=project.task.documents is not None and not shown,
    )


def ledger(project: Project, action: str = "show", file: Path | str | None = None) -> Ledger:
    """Say what is kept and spent; `export` writes it to a file without keys, `import` adds what a file holds."""
    if action not in {"show", "export", "import"}:
        expected = "show, export or import"
        raise UserError(Problem(file="levers ledger", field="ACTION", found=repr(action), expected=expected))
    if action != "show" and file is None:
        raise UserError(Problem(file="levers ledger", field="FILE", found="nothing", expected=f"a file to {action}"))
    moved = project.workshop.record(action, Path(file)) if action != "show" and file is not None else None
    kept, spent = project.workshop.kept()
    return Ledger(kept=kept, spent=spent, cap=project.task.config.models.cap, moved=moved)


def lint(path: Path | str = ".", stack: str | None = None) -> Linted:
    """Lint the prompt of a project's stack, or a prompt in a file of text; asks no model."""
    given = Path(path)
    if not given.exists():
        expected = "a prompt in a file of text, or a project's folder"
        hint = "check the path; without one, lint takes the project that you stand in"
        raise UserError(Problem(file=str(path), found="no such file or folder", expected=expected, hint=hint))
    if given.is_file() and given.suffix not in {".yaml", ".yml"}:
        prompt = prompt_of_file(given)
    else:
        project = load(given)
        prompt = prompt_of(project.task, project.stack(stack), CACHE_MINIMUM)
    return Linted(prompt=prompt.file, findings=lint_prompt(prompt))


def _write_report(project: Project, found: Run) -> None:
    task = project.task
    since = Since(tuple(each for each in opened(task) if each.run != found.id), changed=found.task != task.digest)
    write_report(found, task.cases, task.root / found.report, task.config.traffic.answers_per_day, since)


def _stack(project: Project, stack: str | Stack | None) -> Stack:
    return stack if isinstance(stack, Stack) else project.stack(stack)


def _trial(project: Project, stack: Stack, partition: Partition) -> Trial:
    project.follow()
    project.keep(stack)
    if partition == "test":
        record_opening(project.task, "levers trial", stack)
    return project.bench_for(stack.model.id).trial(stack, partition, f"trial on {partition}")


def _situation(project: Project, stack: Stack) -> Situation:
    measured = as_dev(_trial(project, stack, "dev"))
    return Situation(
        bench=project.bench_for(stack.model.id).dev,
        workshop=project.workshop,
        stack=stack,
        trial=measured,
        diagnosis=run_diagnosis(project.bench, stack, measured),
        attempts=_tried(project, stack),
        index=lambda: project.index_for(stack),
    )


def _tried(project: Project, stack: Stack) -> tuple[Attempt, ...]:
    try:
        found = finished(project.task.root)
    except UserError:
        return ()  # no run has finished yet
    return found.attempts_on(stack.digest) if found.id == project.run_id() else ()
