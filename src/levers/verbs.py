"""The verbs of levers as functions, for notebooks and scripts; the command line calls the same ones."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from levers.diagnosis import Diagnosis
from levers.diagnosis import diagnose as run_diagnosis
from levers.diagnosis.lint import Finding, prompt_of, prompt_of_file
from levers.diagnosis.lint import lint as lint_prompt
from levers.economics import Offer, StepTime, Usage
from levers.economics import gates as known_gates
from levers.errors import Problem, UserError
from levers.knowledge import Chunking, Index, Update
from levers.knowledge import purge as purge_indexes
from levers.knowledge.beir import read_beir
from levers.knowledge.measure import Measured, measure
from levers.knowledge.watch import changes
from levers.ledger import Record, digest, write_atomic
from levers.lever import LEVERS, Pulled, Situation, lever
from levers.lever.figures import gate_check
from levers.loop import Checked, Loop, OnStep, Project, Run, check, record_opening
from levers.model import known_reference, open_embedder
from levers.plan import Advice, Circumstances, GateCheck, Plan, choose
from levers.plan import advise as give_advice
from levers.stack import Answer, Passage, Question, Retrieve, Stack, answer
from levers.stack.workshop import INDEXES, passage
from levers.task import Partition, Task, init
from levers.task import load as load_task
from levers.task.importers import READERS, Written, write_project
from levers.task.wording import did_you_mean
from levers.trial import Comparison, Margin, Trial, as_dev, compare, within_margin
from levers.trial.bench import Progress, silent
from levers.view import write_report
from levers.view.ownership import run_offers

SAVED = "run.json"
LATEST = "latest.json"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
CACHE_MINIMUM = 1024  # tokens; the least that Anthropic's and OpenAI's common models cache, by their caching guides


class Measurement(Record):
    """A trial, how it compares with another stack's if one was named, and whether it stays within a margin if asked."""

    trial: Trial
    comparison: Comparison | None = None
    margin: Margin | None = None


class Indexed(Record):
    """An index brought up to date: what it holds, what that took, and what could not be read.

    `lag` is the time in seconds from the last saved change to the index that shows it, None where nothing changed;
    `wanted` is the task's `targets.freshness` in seconds.
    """

    digest: str
    documents: int
    passages: int
    update: Update
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    lag: float | None = None
    wanted: float | None = None
    purged: bool = False

    @property
    def fresh(self) -> bool:
        """Tell whether the change showed as soon as the task wants it."""
        return self.lag is None or self.wanted is None or self.lag <= self.wanted


class Answered(Record):
    """One answer and what it cost in USD; None when no price is known."""

    answer: Answer
    cost: float | None
    usage: Usage


class Linted(Record):
    """What lint found in a prompt: findings, what breaks it first; and the file or stack that was linted."""

    prompt: str
    findings: tuple[Finding, ...]

    @property
    def breaks(self) -> bool:
        """Tell whether anything found is wrong whatever else is true."""
        return any(finding.weight == "breaks" for finding in self.findings)


class Ledger(Record):
    """What a project's ledger holds: values kept, USD spent under the cap (None without one), and lines moved."""

    kept: int
    spent: float | None
    cap: float | None
    moved: int | None = None


def load(path: Path | str = ".", progress: Progress = silent) -> Project:
    """Open a project folder. Raises UserError with every problem in its files."""
    return Project(path, progress)


def import_project(kind: str, path: Path | str, into: Path | str) -> Written:
    """Make a project of what another tool wrote; `kind` names the tool. Nothing is written unless it is sound."""
    if kind not in READERS:
        hint = did_you_mean(kind, READERS)
        raise UserError(
            Problem(file="levers import", found=repr(kind), expected=f"one of {', '.join(READERS)}", hint=hint)
        )
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


def diagnose(project: Project, stack: str | Stack | None = None) -> Diagnosis:
    """Probe the failing dev cases of a stack: what each needs, and the headroom of every lever."""
    chosen = _stack(project, stack)
    return run_diagnosis(project.bench, chosen, as_dev(_trial(project, chosen, "dev")))


def plan(project: Project, stack: str | Stack | None = None) -> Plan:
    """Quote every lever for a stack and choose the next move."""
    situation = _situation(project, _stack(project, stack))
    quotes = [each.quote(situation) for each in LEVERS]
    return choose(situation.stack.digest, quotes, (), project.task.config.traffic.answers_per_day)


def advise(case: Circumstances) -> Advice:
    """Return the decision without data for a team's circumstances; nothing is measured and nothing asked."""
    return give_advice(case)


def pull(
    project: Project, name: str, settings: dict[str, Any] | None = None, stack: str | Stack | None = None
) -> Pulled:
    """Pull one lever on a stack and put the better stack to use."""
    chosen = lever(name)
    pulled = chosen.pull(_situation(project, _stack(project, stack)), settings or {})
    project.keep(pulled.stack, use=True)
    return pulled


def run(project: Project, on_step: OnStep | None = None) -> Run:
    """Run the loop until the targets are met or nothing pays, and write the report. A killed run goes on."""
    loop = Loop(project, on_step)
    found = loop.run()
    write_atomic(loop.folder / SAVED, found.model_dump_json())
    write_atomic(loop.folder.parent / LATEST, json.dumps({"run": found.id}))
    _write_report(project, found)
    return found


def task_of(path: Path | str = ".") -> Task:
    """Read a project folder's task, without its documents. Raises UserError with every problem in its files."""
    return load_task(path, known_reference=known_reference, evidence_required=False)


def finished(path: Path | str = ".", name: str | None = None) -> Run:
    """Return a finished run of a project folder, the latest unless named. Raises UserError where there is none."""
    folder = task_of(path).state / "runs"
    try:
        name = name or json.loads((folder / LATEST).read_text(encoding="utf-8"))["run"]
        return Run.model_validate_json((folder / str(name) / SAVED).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError):
        raise UserError(
            Problem(file=".levers/runs", found=f"no finished run {name or ''}".strip(), hint="finish one: levers run")
        ) from None


def report(project: Project, name: str | None = None) -> Run:
    """Write the report of a finished run again (the latest unless named) and return the run."""
    found = finished(project.task.root, name)
    _write_report(project, found)
    return found


def ask(project: Project, question: str, user: str | None = None, stack: str | Stack | None = None) -> Answered:
    """Answer one question with the stack in use, under the user's rights."""
    chosen = _stack(project, stack)
    part = chosen.part("retrieve")
    if isinstance(part, Retrieve) and project.index is not None:  # of the documents and access rules as they are now
        chosen = chosen.with_part(part.model_copy(update={"index": project.index.digest}))
    given = answer(chosen, [Question(id="ask", input=question, user=user)], project.workshop)[0]
    price = project.bench.cost_of
    return Answered(answer=given, cost=price(given.usage) if price else None, usage=given.usage)


def search(project: Project, query: str, user: str | None = None, k: int = 4) -> tuple[Passage, ...]:
    """Return what retrieval would bring this user for a query, best first."""
    index = _index(project)
    found = index.search([query], users=[user], k=k)[0]
    return tuple(passage(each) for each in found)


def index(project: Project, purge: bool = False) -> Indexed:
    """Bring the index up to date with the documents. `purge` removes all other versions, and deleted text with them."""
    found = project.refresh() or _index(project)
    took = found.updated or Update()
    if purge:
        purge_indexes(project.task.state / INDEXES, found.digest)
        found = project.refresh() or found
    return _indexed(project, found, took, purge)


def watch(project: Project, stop: Event | None = None) -> Iterator[Indexed]:
    """Bring the index up to date now and after every saved change, and yield each time; ends when `stop` is set."""
    yield index(project)
    material = project.task.config.knowledge
    beside = [project.task.root / material.access] if material.access else []
    for _ in changes(project.task.documents or project.task.root, beside, stop):
        yield index(project)


def _indexed(project: Project, found: Index, took: Update, purged: bool) -> Indexed:
    wanted = project.task.config.targets.freshness
    return Indexed(
        digest=found.digest,
        documents=len(found.documents),
        passages=found.size,
        update=took,
        problems=found.problems,
        notes=found.notes,
        lag=took.lag,
        wanted=float(wanted[:-1]) * _SECONDS[wanted[-1]] if wanted else None,
        purged=purged,
    )


def bench(
    folder: Path, split: str = "test", embed: str = "minilm", words: Sequence[int] = (), progress: Progress = silent
) -> list[Measured]:
    """Measure search on a data set in BEIR's form: BM25, dense and hybrid, for every chunk size in `words`.

    Without sizes each document is one chunk. Indexes are kept under `.levers/bench`, so a second run embeds nothing.
    Raises UserError with every problem of the folder's files.
    """
    judged = read_beir(folder, split)
    embedder = open_embedder(embed)
    state = Path(".levers") / "bench" / digest([str(folder.resolve())], 12)
    sizes: list[Chunking | None] = [Chunking(words=each) for each in words]
    show = partial(progress, "embed passages")
    return [row for size in sizes or [None] for row in measure(judged, embedder, state, size, on_progress=show)]


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
    if given.is_file() and given.suffix not in {".yaml", ".yml"}:
        prompt = prompt_of_file(given)
    else:
        project = load(given)
        prompt = prompt_of(project.task, project.stack(stack), CACHE_MINIMUM)
    return Linted(prompt=prompt.file, findings=lint_prompt(prompt))


def headroom(diagnosis: Diagnosis) -> dict[str, dict[str, Any]]:
    """Return the headroom by lever: gain and interval in pass share, and in mean credit."""
    found: dict[str, dict[str, Any]] = {}
    for each in LEVERS:
        room = diagnosis.headroom_of(each.probes)
        if room is not None:
            found[each.name] = room.model_dump(mode="json", exclude={"probes"})
    return found


def step_offers(path: Path | str = ".") -> dict[str, Offer]:
    """Return the stacks of a project's latest run as offers, `@0` for the start: what each was measured to cost."""
    return {f"@{number}": offer for number, offer in run_offers(finished(path)).items()}


def step_times(path: Path | str = ".") -> tuple[list[StepTime], StepTime]:
    """Return p50 and p95 of the final stack's steps in a project's latest run, and of the whole answer."""
    trial = finished(path).final.dev
    source = f"measured on {len(trial.outcomes)} dev cases"
    times = {
        name: StepTime(name=name, p50=each.p50_ms, p95=each.p95_ms, provenance="measured", source=source)
        for name, each in trial.latency.items()
    }
    return [each for name, each in times.items() if name != "total"], times["total"]


def gates(have: dict[str, int], path: Path | str | None = None) -> tuple[GateCheck, ...]:
    """Set every data gate beside what there is: by goal, for all goals (""), or what a project holds."""
    held = {"cases": 0, "examples": 0}
    if path is not None:
        task = task_of(path)
        held = {"cases": len(task.cases), "examples": len(task.examples)}
    return tuple(
        gate_check(goal, have.get(goal, have.get("", held.get(each.unit, 0)))) for goal, each in known_gates().items()
    )


def _write_report(project: Project, found: Run) -> None:
    task = project.task
    write_report(found, task.cases, task.root / found.report, task.config.traffic.answers_per_day)


def _stack(project: Project, stack: str | Stack | None) -> Stack:
    return stack if isinstance(stack, Stack) else project.stack(stack)


def _trial(project: Project, stack: Stack, partition: Partition) -> Trial:
    project.keep(stack)
    if partition == "test":
        record_opening(project.task.state, "trial", stack)
    return project.bench.trial(stack, partition, f"trial on {partition}")


def _situation(project: Project, stack: Stack) -> Situation:
    measured = _trial(project, stack, "dev")
    return Situation(
        bench=project.bench,
        workshop=project.workshop,
        stack=stack,
        trial=measured,
        diagnosis=run_diagnosis(project.bench, stack, as_dev(measured)),
        index=lambda: project.index,
    )


def _index(project: Project) -> Index:
    if project.index is None:
        raise UserError(Problem(file="levers.yaml", field="knowledge.documents", expected="documents to search"))
    return project.index


__all__ = [
    "Answered",
    "Checked",
    "Indexed",
    "Measured",
    "Ledger",
    "Linted",
    "Measurement",
    "ask",
    "bench",
    "check",
    "diagnose",
    "headroom",
    "index",
    "init",
    "ledger",
    "lint",
    "load",
    "plan",
    "pull",
    "report",
    "run",
    "search",
    "trial",
    "watch",
]
