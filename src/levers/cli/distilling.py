"""`levers distill`, `review` and `merge`: from a teacher's answers to a cheaper stack, and out of here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from levers import verbs
from levers.cli import shapes
from levers.cli.console import DONE, NO, emit, err, guarded, out
from levers.cli.options import takes
from levers.errors import Problem, UserError
from levers.lever.labels import Label, Labelling, Queue, named, read_queue
from levers.verbs import Distilled, Distilling
from levers.view import Progress

ProjectOption = Annotated[Path, typer.Option("--project", "-p", help="The project's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]
KINDS = ("head", "encoder", "extractor", "adapter")
HERE = Path(".")


@dataclass(frozen=True)
class DistilOptions:
    """What `distill` may be told."""

    kind: Annotated[str, typer.Option(help="head, encoder (choose among seen answers), extractor or adapter.")] = "head"
    model: Annotated[str | None, typer.Option(help="The smaller model under an adapter; else pocket.")] = None
    inputs: Annotated[Path | None, typer.Option(help="Questions to label; else those of the examples.")] = None
    samples: Annotated[int, typer.Option(min=1, help="Answers per question, held against each other.")] = 1
    confidence: Annotated[float, typer.Option(min=0, max=1, help="Least confidence without a review.")] = 0.5
    agreement: Annotated[float, typer.Option(min=0, max=1, help="Least share of samples that agree.")] = 0.8
    margin: Annotated[float, typer.Option(help="Share of test passes that may be lost.")] = 0.03
    soft: Annotated[float, typer.Option(min=0, max=1, help="Weight of a local teacher's probabilities.")] = 0.0

    def checked(self) -> Distilling:
        """Return the settings. Raises UserError for what cannot be."""
        problems = []
        if self.kind not in KINDS:
            problems.append(Problem(file="--kind", found=repr(self.kind), expected=f"one of {', '.join(KINDS)}"))
        if not 0 < self.margin < 1:
            expected = "a share above 0 and under 1"
            problems.append(Problem(file="--margin", found=f"{self.margin:g}", expected=expected))
        if problems:
            raise UserError(problems)
        labelling = Labelling(samples=self.samples, confidence=self.confidence, agreement=self.agreement)
        told = {"kind": self.kind, "inputs": self.inputs, "margin": self.margin, "soft": self.soft}
        told |= {"model": self.model} if self.model is not None else {}
        return Distilling.model_validate({**told, "labelling": labelling})


@takes(DistilOptions)
def distill(
    given: DistilOptions,
    teacher: Annotated[str | None, typer.Argument(help="A stack's digest or `start`; else the stack in use.")] = None,
    project: ProjectOption = HERE,
    as_json: Json = False,
) -> None:
    """Teach a cheaper student what a stack answers. Exit code 1: it is not shown to be as good."""
    with guarded(as_json), Progress() as progress:
        found = verbs.distill(verbs.load(project, progress), given.checked(), teacher)
    emit(as_json, lambda: shapes.distilled(found), lambda: distilled(found))
    raise typer.Exit(DONE if found.good_enough else NO)


def review(
    accept: Annotated[list[str] | None, typer.Option(help="Accept this label, by id; repeatable.")] = None,
    reject: Annotated[list[str] | None, typer.Option(help="Reject this label, by id; repeatable.")] = None,
    project: ProjectOption = HERE,
    as_json: Json = False,
) -> None:
    """Accept, edit or reject a teacher's unsure labels, one by one or by id. Exit code 1: some still wait."""
    with guarded(as_json):
        queues = verbs.labels(verbs.load(project))
        if not queues:
            hint = "levers distill writes them"
            raise UserError(Problem(file=".levers/labels", found="no labels", expected="a teacher's", hint=hint))
        queue = max(queues, key=lambda each: each.file.stat().st_mtime_ns)
        named(queue, [*(accept or ()), *(reject or ())])  # all or nothing
        seen = queue
        for each in accept or ():
            queue = verbs.reviewed(seen, each, "accepted")
        for each in reject or ():
            queue = verbs.reviewed(seen, each, "rejected")
        if not (accept or reject or as_json):
            queue = _by_hand(seen)
        emit(as_json, lambda: {**shapes.plain(queue), "pending": queue.count("pending")}, lambda: counted(queue))
    raise typer.Exit(NO if queue.count("pending") else DONE)


def merge(
    into: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    stack: Annotated[str | None, typer.Option("--stack", "-s", help="A stack's digest, or `start`.")] = None,
    project: ProjectOption = HERE,
    as_json: Json = False,
) -> None:
    """Write a tuned stack's adapter, its merged weights and the commands that serve them."""
    with guarded(as_json), Progress() as progress:
        found = verbs.merge(verbs.load(project, progress), into, stack)
        lines = [f"{found.folder}: adapter{' and merged weights' if found.merged else ''}", *found.commands]
        if found.merged:
            lines.insert(1, f"largest difference of log-probabilities by merging: {found.difference:.1e}")
        emit(as_json, lambda: shapes.plain(found), lambda: "\n".join(lines))


def _by_hand(queue: Queue) -> Queue:
    """Ask about every pending label; what was said is kept at once, so that one can stop at any time.

    What another reviewer settled meanwhile is not asked again.
    """
    waiting = [each for each in queue.labels if each.status == "pending"]
    for place, each in enumerate(waiting, 1):
        now = read_queue(queue.file).labels
        if any(other.question == each.question and other.status != "pending" for other in now):
            continue
        out.print(_shown(each, place, len(waiting)))
        said = typer.prompt("[a]ccept, [e]dit, [r]eject, [s]kip, [q]uit", default="s", err=True).strip().lower()[:1]
        if said == "q":
            break
        if said == "a":
            verbs.reviewed(queue, each.id, "accepted")
        elif said == "r":
            verbs.reviewed(queue, each.id, "rejected")
        elif said == "e":
            verbs.reviewed(queue, each.id, "edited", typer.prompt("the right answer", err=True))
        elif said != "s":
            err.print(f"{said!r} is none of a, e, r, s, q: skipped")
    return read_queue(queue.file)


def _shown(each: Label, place: int, of: int) -> RenderableType:
    lines = [f"{place} of {of}, {each.id}: {each.why}", f"  asked     {each.question}", f"  answered  {each.answer}"]
    return Text("\n".join(lines))


def counted(queue: Queue) -> RenderableType:
    """Say how many labels may teach and how many wait."""
    teaching = len(queue.teaching)
    return Text(f"{len(queue.labels)} labels: {teaching} may teach, {queue.count('pending')} wait for a review")


def distilled(found: Distilled) -> RenderableType:
    """Say what the student learnt, how it compares with its teacher, and when it is paid back."""
    teacher, student = found.teacher_test, found.student_test
    if found.cost_ratio is not None:
        ratio = f"{found.cost_ratio:,.1f} times cheaper"
    elif teacher.cost_per_answer is None or student.cost_per_answer is None:
        ratio = "no price known"
    else:
        ratio = "the student is free"
    lines = [
        f"learnt {found.learnt}; {found.labels} labels, {found.confident} confident, {found.reviewed} reviewed, "
        f"{found.pending} wait for levers review",
        f"test: teacher {teacher.quality:.1%}, student {student.quality:.1%}; a loss of {found.margin.margin:.0%} or "
        f"more is {'ruled out' if found.margin.not_worse else 'not ruled out'} (p = {found.margin.p_worse:.3f}, "
        f"{found.margin.required_cases} cases would show it)",
        *_on_edge(found),
        f"cost: {ratio} ({teacher.cost_source}; {student.cost_source}), {_paid_back(found)}",
        f"median latency: {found.latency_ratio:,.1f} times faster; {found.tokens_saved:,.0f} fewer prompt tokens",
        *_foreseen(found),
        f"{'stack in use' if found.promoted else 'not promoted'}: {found.student.digest}",
    ]
    return Text("\n".join(lines))


def _paid_back(found: Distilled) -> str:
    before, after = found.teacher_test.cost_per_answer, found.student_test.cost_per_answer
    if found.breakeven is not None:
        return f"paid back after {found.breakeven:,.0f} answers"
    if before is not None and after is not None and after >= before:
        return "paid back never"
    return "when it is paid back is not known"


def _on_edge(found: Distilled) -> list[str]:
    edge = found.edge
    if edge is None:
        return []
    worse = "not decisively worse" if found.good_enough else "worse, so it is not promoted"
    return [f"edge: {edge.lost} cases lost, {edge.gained} gained (p = {edge.p_value:.3f}): {worse}"]


def _foreseen(found: Distilled) -> list[str]:
    if found.forecast is None:
        return []
    span = f"{found.forecast.right:.1%} of held-out labels ({found.forecast.low:.1%} to {found.forecast.high:.1%})"
    return [f"forecast: {found.forecast.examples:,} labels would reach {span}"]
