"""Teacher labels: what a stack answers to questions nobody has answered, how sure it is, and what people say of it.

Only labels that are confident or reviewed may teach a student. They lie in the project's `.levers/labels`, one file for
a teacher and its questions.
"""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from levers.errors import Problem, UserError
from levers.knowledge.optional import need
from levers.ledger import Message, Record, digest, write_atomic
from levers.stack import Answer, Question, Stack, Workshop, answer
from levers.task.dev import DevTask, golden_leaks
from levers.task.golden import read_rows
from levers.task.records import Case, Example
from levers.task.rules import plain
from levers.task.text import read_text
from levers.trial import CostOf, Kit, grade
from levers.trial.graders.live import scores_live

LABELS = "labels"
Status = Literal["confident", "pending", "accepted", "edited", "rejected"]
REVIEWED: tuple[Status, ...] = ("accepted", "edited", "rejected")
TEACHES: tuple[Status, ...] = ("confident", "accepted", "edited")
_SPREAD = 0.7  # temperature of the samples that are held against each other


class Label(Record):
    """A question and the teacher's answer. `agreement` is the share of samples that say the same, 1 for one sample.

    `why` says what keeps the label from being confident. `cost` is USD for all samples, None where no price is known.
    `failed`: an answer broke off with an error, so that the label is asked for again until somebody reviews it.
    """

    id: str
    question: str
    answer: str
    confidence: float | None = None
    agreement: float = 1.0
    status: Status = "pending"
    why: str = ""
    cost: float | None = None
    line: int = 0
    failed: bool = False


class Labelling(Record):
    """How a teacher is asked, and from where its word is taken without a person's."""

    samples: int = Field(default=1, ge=1, description="answers per question; more are held against each other")
    confidence: float = Field(default=0.5, ge=0, le=1, description="least probability of every token of the answer")
    agreement: float = Field(default=0.8, ge=0, le=1, description="least share of samples that say the same")


class Queue(Record):
    """The labels of one teacher for one set of questions, and the file that keeps them."""

    file: Path
    teacher: str
    labels: tuple[Label, ...]

    def count(self, *statuses: Status) -> int:
        """Return how many labels have one of these statuses."""
        return sum(label.status in statuses for label in self.labels)

    @property
    def teaching(self) -> tuple[Label, ...]:
        """The labels that may teach."""
        return tuple(label for label in self.labels if label.status in TEACHES)

    @property
    def cost(self) -> float | None:
        """What labelling cost in USD; None where no price is known."""
        costs = [label.cost for label in self.labels]
        return None if any(cost is None for cost in costs) else sum(cost for cost in costs if cost is not None)


def read_inputs(path: Path) -> list[tuple[int, str]]:
    """Read questions with their lines: a text file with one a line, or JSON Lines with `input` (or `prompt`) each.

    Raises:
        UserError: the file cannot be read, or a line holds no question.
    """
    text, problem = read_text(path, path.name)
    if text is None or problem:
        raise UserError(problem or Problem(file=path.name, found="nothing", expected="questions"))
    if path.suffix not in {".jsonl", ".ndjson"}:
        return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    rows, problems = read_rows(text, path.name)
    found = [(number, row.get("input", row.get("prompt"))) for number, row in rows]
    problems += [
        Problem(file=path.name, line=number, field="input", found=repr(value)[:60], expected="a question as text")
        for number, value in found
        if not isinstance(value, str) or not value.strip()
    ]
    if problems:
        raise UserError(problems)
    return [(number, str(value)) for number, value in found]


def label(
    task: DevTask, teacher: Stack, inputs: Sequence[tuple[int, str]], how: Labelling, workshop: Workshop, tools: "Tools"
) -> Queue:
    """Let a teacher answer questions; what people said of a label stays, whatever samples and thresholds are set.

    What was answered before comes from the ledger, and answers that failed are asked for again. Questions that give a
    golden case away, and repeated ones, are left out.
    """
    kept = _unheld(task, inputs)
    file = task.state / LABELS / f"{digest([teacher, [text for _, text in kept]]).removeprefix('sha256-')}.jsonl"
    with _locked(file):
        _before(file)  # a damaged file, or a missing package, is told before anything is paid for
    found = _labels(task, teacher, kept, how, workshop, tools)
    with _locked(file):  # read again: somebody may have reviewed while the teacher answered
        before = _before(file)
        reviewed = {each.question: each for each in before if each.status in REVIEWED}
        labels = tuple(
            reviewed[each.question].model_copy(update={"id": each.id, "line": each.line})
            if each.question in reviewed
            else each
            for each in found
        )
        queue = Queue(file=file, teacher=teacher.digest, labels=labels)
        if labels != before:
            write_queue(queue)
    return queue


def _before(file: Path) -> tuple[Label, ...]:
    return read_queue(file).labels if file.is_file() else ()


def _locked(file: Path) -> AbstractContextManager[Any]:
    """Keep other processes from changing a file of labels between its reading and its writing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock: AbstractContextManager[Any] = need("filelock").FileLock(file.with_suffix(".lock"))
    return lock


def _id(asked: tuple[int, str]) -> str:
    return f"line {asked[0]}"


def _labels(
    task: DevTask, teacher: Stack, asked: Sequence[tuple[int, str]], how: Labelling, workshop: Workshop, tools: "Tools"
) -> tuple[Label, ...]:
    questions = [Question(id=_id(each), input=each[1]) for each in asked]
    rounds = [answer(teacher, questions, workshop)]
    for seed in range(1, how.samples):
        model = teacher.model.model_copy(update={"temperature": _SPREAD, "seed": teacher.model.seed + seed})
        rounds.append(answer(teacher.model_copy(update={"model": model}), questions, workshop))
    return tuple(_judged(task, each, [own[at] for own in rounds], how, tools) for at, each in enumerate(asked))


class Tools:
    """What labelling needs beside the teacher: the graders' kit and a price."""

    def __init__(self, kit: Kit, cost_of: CostOf | None) -> None:
        """Keep them."""
        self.kit, self.cost_of = kit, cost_of


def _unheld(task: DevTask, inputs: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    first: dict[str, tuple[int, str]] = {}
    for number, text in inputs:
        first.setdefault(plain(text), (number, text))
    asked = list(first.values())
    examples = [Example(messages=(Message(role="user", content=text),), answer="") for _, text in asked]
    leaking = {leak.example for leak in golden_leaks(task, examples, facts=False)}
    return [each for place, each in enumerate(asked) if place not in leaking]


def _judged(task: DevTask, asked: tuple[int, str], answers: Sequence[Answer], how: Labelling, tools: Tools) -> Label:
    number, question = asked
    first = answers[0]
    said = Counter(plain(each.text) for each in answers if each.error is None)
    agreement = said[plain(first.text)] / len(answers)
    why = _doubt(first, agreement, how) or _form(task, question, first, tools.kit)
    price = tools.cost_of
    return Label(
        id=first.id,
        question=question,
        answer=first.text,
        confidence=first.confidence,
        agreement=agreement,
        status="pending" if why else "confident",
        why=why,
        cost=None if price is None else sum(price(each.usage) for each in answers),
        line=number,
        failed=any(each.error is not None for each in answers),
    )


def _doubt(first: Answer, agreement: float, how: Labelling) -> str:
    if first.error or first.finish not in {"stop"}:
        return first.error or f"the answer ended by {first.finish}"
    if first.confidence is None and how.samples == 1:
        return "the teacher does not tell how sure it is: ask for samples"
    if first.confidence is not None and first.confidence < how.confidence:
        return f"confidence {first.confidence:.2f} is under {how.confidence:g}"
    return f"{agreement:.0%} of the samples agree, {how.agreement:.0%} are wanted" if agreement < how.agreement else ""


def _form(task: DevTask, question: str, first: Answer, kit: Kit) -> str:
    """Say what the graders that need no right answer hold against this one."""
    case = Case(id=first.id, input=question, expected="", partition="dev")
    specs = [spec for spec in task.config.graders if spec.kind in {"schema", "tone", "regex"} and scores_live(spec)]
    grades = [(spec, grade(spec, case, first, kit)) for spec in specs if spec.only is None]
    return "; ".join(f"{spec.name}: {got.why}" for spec, got in grades if got.passed is False)


def read_queue(file: Path) -> Queue:
    """Read labels. Raises UserError naming the line that is damaged."""
    text, problem = read_text(file, file.name)
    if text is None or problem:
        raise UserError(problem or Problem(file=file.name, found="nothing", expected="labels"))
    labels = []
    head, *lines = text.removesuffix("\n").split("\n")
    try:
        teacher = str(json.loads(head)["teacher"])
    except (ValueError, KeyError, TypeError):
        found = repr(head[:60]) if head else "nothing"
        expected = 'the teacher, {"teacher": "sha256-…"}'
        raise UserError(Problem(file=file.name, line=1, found=found, expected=expected)) from None
    for number, line in enumerate(lines, 2):
        try:
            labels.append(Label.model_validate_json(line))
        except ValueError as error:
            reason = str(error).split("\n", 1)[0]
            raise UserError(Problem(file=file.name, line=number, found=reason, expected="a label")) from None
    return Queue(file=file, teacher=teacher, labels=tuple(labels))


def write_queue(queue: Queue) -> None:
    """Write labels in one step: a line for the teacher, then one for each label."""
    lines = [json.dumps({"teacher": queue.teacher}), *(each.model_dump_json() for each in queue.labels)]
    write_atomic(queue.file, "\n".join(lines) + "\n")


def queues(state: Path) -> list[Queue]:
    """Return all labels of a project, the teachers in the order of their files' names."""
    return [read_queue(file) for file in sorted((state / LABELS).glob("*.jsonl"))]


def named(queue: Queue, ids: Sequence[str]) -> tuple[Label, ...]:
    """Return labels by their ids. Raises UserError naming every id that no label has."""
    known = {each.id: each for each in queue.labels}
    problems = [
        Problem(file=queue.file.name, field="id", found=repr(id), expected="a label of this file")
        for id in ids
        if id not in known
    ]
    if problems:
        raise UserError(problems)
    return tuple(known[id] for id in ids)


def review(queue: Queue, id: str, status: Status, answer: str | None = None) -> Queue:
    """Write down what a person says of one label: accepted, edited (with the right answer) or rejected.

    `queue` is what the person saw. The file may have moved on since, by another's review or new labels: only this
    question's label is changed, and it is the answer seen that counts. Returns the labels as they are now.

    Raises:
        UserError: there is no such label.
    """
    (seen,) = named(queue, [id])
    changed = {"status": status, "answer": seen.answer if answer is None else answer}
    with _locked(queue.file):
        now = read_queue(queue.file)
        labels = tuple(
            each.model_copy(update=changed) if each.question == seen.question else each for each in now.labels
        )
        found = now.model_copy(update={"labels": labels})
        write_queue(found)
    return found
