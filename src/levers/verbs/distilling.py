"""Distil a stack into a student: label, review, teach, and promote what is shown not to be worse."""

from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from levers.errors import Problem, UserError
from levers.ledger import Record, write_atomic
from levers.lever.labels import (
    Labelling,
    Queue,
    Status,
    Tools,
    label,
    queues,
    read_inputs,
    review,
)
from levers.loop import Project, record_opening
from levers.loop.verdict import fell
from levers.model import billed, is_hosted, open_embedder
from levers.model.registry import STUDENT, known_reference
from levers.stack import ModelRef, Question, Stack, assemble, messages
from levers.stack.workshop import ADAPTERS
from levers.task import Case
from levers.trial import Comparison, Margin, Trial, compare, within_margin
from levers.tuning import Sample, fit, recipe_for
from levers.tuning.fit import base_folder
from levers.tuning.handover import HandedOver, hand_over
from levers.tuning.pilot import Forecast
from levers.tuning.soft import soften
from levers.tuning.students import Lesson, Pair, foresee, teach

StudentKind = Literal["head", "encoder", "extractor", "adapter"]
TAUGHT = "taught"  # files named by a student's adapter that hold its teacher's digest
HELD_OUT = 10  # one label in ten decides which epoch of an adapter is kept


class Distilling(Record):
    """How to distil. `model` is the smaller causal model of kind `adapter` alone; `inputs` a file of questions.

    Without `inputs` the questions of the reviewed examples are labelled. `margin` is the share of passes on test that
    the student may lose; `promote` puts it to use if it is shown to lose less. `soft` is the weight that kind `adapter`
    gives to a local teacher's probabilities of every token, the answers have the rest.
    """

    kind: StudentKind = "head"
    model: str = "pocket"
    inputs: Path | None = None
    labelling: Labelling = Labelling()
    lesson: Lesson = Lesson()
    margin: float = Field(default=0.03, gt=0, lt=1)
    soft: float = Field(default=0.0, ge=0, le=1)
    promote: bool = True


class Distilled(Record):
    """What came of it. Ratios are teacher over student, measured in the same run: costs, and median latencies.

    `edge` compares both on the edge cases, None where there are none, or test did not show the student good enough.
    `forecast` is what twice the labels would teach a linear head, None for other students and for few labels.
    `breakeven` is the number of answers after which labelling and teaching are paid back, None where no price is known
    or the student is not cheaper.
    """

    teacher: str
    student: Stack
    labels: int
    confident: int
    reviewed: int
    pending: int
    label_cost: float | None
    learnt: str
    teacher_test: Trial
    student_test: Trial
    margin: Margin
    edge: Comparison | None
    cost_ratio: float | None
    latency_ratio: float
    tokens_saved: float
    breakeven: float | None
    forecast: Forecast | None
    promoted: bool

    @property
    def good_enough(self) -> bool:
        """Whether test rules out a loss of the margin, and edge did not fall."""
        return _good_enough(self.margin, self.edge)


def distill(project: Project, how: Distilling | None = None, teacher: str | Stack | None = None) -> Distilled:
    """Teach a student what a stack answers, and measure it against that stack on test, which is recorded.

    Without `how` all settings are the defaults of `Distilling`; without `teacher` it is the stack in use, or where that
    is a student, the stack that taught it: nobody learns from its own answers.

    Raises:
        UserError: a setting cannot be, there are no questions, no label is confident or reviewed, or the stack in use
            is a student of an unknown teacher.
        ModelError: the smaller model is not to be had.
    """
    project.follow()
    how = how or Distilling()
    stack = teacher if isinstance(teacher, Stack) else _teacher(project, teacher)
    _check(project, stack, how)  # before the teacher is paid
    queue = label_with(project, stack, how)
    if not queue.teaching:
        found, hint = f"{len(queue.labels)} labels, none confident or reviewed", "levers review, or --confidence lower"
        raise UserError(Problem(file=queue.file.name, found=found, expected="labels that may teach", hint=hint))
    student, learnt, seconds = _teach(project, stack, queue, how)
    foreseen = foresee(_pairs(queue), how.lesson, open_embedder("minilm")) if how.kind == "head" else None
    project.keep(stack)
    project.keep(student)
    if student.model.adapter and student.model.adapter != stack.model.adapter:  # it may learn its own answers anew
        write_atomic(project.task.state / TAUGHT / student.model.adapter, stack.digest)
    trials = [_test(project, each) for each in (stack, student)]
    margin = within_margin(trials[0], trials[1], how.margin)
    edge = _edge(project, stack, student) if margin.not_worse else None
    promoted = how.promote and _good_enough(margin, edge)
    if promoted:
        project.keep(student, use=True)
    cost, saved = _saving(*trials)
    spent = _spent(project, queue, student, seconds)
    return Distilled(
        teacher=stack.digest,
        student=student,
        labels=len(queue.labels),
        confident=queue.count("confident"),
        reviewed=queue.count("accepted", "edited", "rejected"),
        pending=queue.count("pending"),
        label_cost=queue.cost,
        learnt=learnt,
        teacher_test=trials[0],
        student_test=trials[1],
        margin=margin,
        edge=edge,
        cost_ratio=cost,
        latency_ratio=trials[0].latency["total"].p50_ms / max(trials[1].latency["total"].p50_ms, 1e-9),
        tokens_saved=_tokens(trials[0]) - _tokens(trials[1]),
        breakeven=spent / saved if spent is not None and saved is not None and saved > 0 else None,
        forecast=foreseen,
        promoted=promoted,
    )


def _good_enough(margin: Margin, edge: Comparison | None) -> bool:
    return margin.not_worse and not (edge and fell(edge))


def _teacher(project: Project, name: str | None) -> Stack:
    """Return the stack of that name; where none is named and the one in use is a student, the stack that taught it."""
    stack = project.stack(name)
    if name is not None or not stack.model.adapter:
        return stack
    taught = project.task.state / TAUGHT / stack.model.adapter
    if taught.is_file():
        return project.stack(taught.read_text(encoding="utf-8"))
    if stack.model.id == STUDENT:
        found, expected = "a student in use, and no word of its teacher", "the teacher by name: `start` or a digest"
        raise UserError(Problem(file="levers distill", field="TEACHER", found=found, expected=expected))
    return stack


def _check(project: Project, teacher: Stack, how: Distilling) -> None:
    """Refuse settings that cannot be. Raises UserError, and ModelError where the smaller model is not to be had."""

    def wrong(field: str, found: str, expected: str, hint: str = "") -> UserError:
        return UserError(Problem(file="levers distill", field=field, found=found, expected=expected, hint=hint))

    if how.kind != "adapter":
        for field, given in (("soft", how.soft > 0), ("model", "model" in how.model_fields_set)):
            if given:
                raise wrong(field, f"kind {how.kind}", "kind adapter, which alone takes it")
        return
    root = project.task.root
    problem = known_reference(how.model, "answer", root)
    if problem or is_hosted(how.model):
        raise wrong("model", repr(how.model), "local weights: pocket or hf/", problem.hint if problem else "")
    if how.soft and (is_hosted(teacher.model.id) or teacher.model.id == STUDENT):
        raise wrong("soft", f"a teacher {teacher.model.id}", "local weights that write text, such as pocket or hf/")
    base_folder(how.model, root)


def merge(project: Project, into: Path | str, stack: str | Stack | None = None) -> HandedOver:
    """Write a stack's adapter, the weights with it merged in, and the commands that serve them into a new folder.

    Raises:
        UserError: the stack has no adapter, or the folder is not empty.
        ModelError: merged and unmerged weights do not score alike.
    """
    project.follow()
    chosen = stack if isinstance(stack, Stack) else project.stack(stack)
    if not chosen.model.adapter or chosen.model.id == STUDENT:
        found = "a student" if chosen.model.adapter else "no adapter"
        hint = "levers pull tune makes one; students are served by levers alone"
        raise UserError(Problem(file="the stack in use", found=found, expected="a tuned model", hint=hint))
    drafts = assemble(chosen, [Question(id="sample", input=case.question) for case in _few(project)], project.workshop)
    samples = [Sample(messages=messages(draft), answer="") for draft in drafts]
    adapter = project.workshop.adapter(chosen.model.adapter)
    return hand_over(chosen.model.id, adapter, Path(into), samples, project.task.root)


def _few(project: Project) -> tuple[Case, ...]:
    return project.task.partition("dev")[:4]


def label_with(project: Project, stack: Stack, how: Distilling) -> Queue:
    """Let a stack label the questions of `how`, or return what it said before with the reviews since."""
    project.follow()
    task = project.task
    inputs = read_inputs(how.inputs) if how.inputs else [(each.line, each.question) for each in task.examples]
    if not inputs:
        hint = "--inputs names a file with a question a line"
        raise UserError(Problem(file="levers distill", found="no questions", expected="questions to label", hint=hint))
    bench = project.bench_for(stack.model.id)
    return label(
        bench.dev.task, stack, inputs, how.labelling, project.workshop, Tools(bench.tools, project.cost_of(stack.model))
    )


def labels(project: Project) -> list[Queue]:
    """Return every queue of labels of a project."""
    return queues(project.task.state)


def reviewed(queue: Queue, id: str, status: Status, answer: str | None = None) -> Queue:
    """Write down what a person says of one label."""
    return review(queue, id, status, answer)


def _teach(project: Project, teacher: Stack, queue: Queue, how: Distilling) -> tuple[Stack, str, float]:
    """Return the student's stack, what it learnt in words, and the seconds of teaching."""
    folder = project.task.state / ADAPTERS
    if how.kind == "adapter":
        return _tune(project, teacher, queue, how)
    pairs = _pairs(queue)
    lesson = how.lesson.model_copy(update={"kind": how.kind})
    taught = teach(pairs, lesson, open_embedder("minilm"), folder, partial(project.progress, "teach"))
    right = taught.held_out_right
    checked = "none held out to check" if not taught.held_out else f"{right:.1%} right on those held out"
    words = f"{taught.labels} answers from {taught.pairs} labels, {checked}"
    return Stack(model=ModelRef(id=STUDENT, adapter=taught.folder.name)), words, taught.seconds


def _pairs(queue: Queue) -> list[Pair]:
    return [Pair(text=each.question, label=each.answer, line=each.line) for each in queue.teaching]


def _tune(project: Project, teacher: Stack, queue: Queue, how: Distilling) -> tuple[Stack, str, float]:
    """Tune a smaller model on the bare question and the teacher's answer: the long prompt goes into the weights."""
    folder, root = project.task.state / ADAPTERS, project.task.root
    plain_stack = Stack(model=project.start().model.model_copy(update={"id": how.model, "adapter": None}))
    samples = _laid_out(project, plain_stack, queue)
    train = [sample for place, sample in enumerate(samples) if place % HELD_OUT]
    recipe = recipe_for(how.model, examples=len(train))
    if how.soft:
        asked = [each for place, each in enumerate(_laid_out(project, teacher, queue)) if place % HELD_OUT]
        adapter = project.workshop.adapter(teacher.model.adapter) if teacher.model.adapter else None
        recipe = recipe.model_copy(
            update={"soft": how.soft, "taught": soften(teacher.model.id, adapter, asked, folder, root)}
        )
    fitted = fit(
        how.model,
        train,
        samples[::HELD_OUT],
        recipe,
        folder,
        on_progress=lambda now: project.progress("teach", now.step, now.steps),
        root=root,
    )
    model = plain_stack.model.model_copy(update={"adapter": fitted.adapter.name})
    losses = ", ".join(f"{loss:.3f}" for loss in fitted.dev_losses)
    words = f"an adapter on {how.model} from {fitted.examples} labels, dev loss per epoch {losses}"
    return plain_stack.model_copy(update={"model": model}), words, fitted.seconds


def _laid_out(project: Project, stack: Stack, queue: Queue) -> list[Sample]:
    """Return each label that may teach in the prompt that a stack would send."""
    questions = [Question(id=each.id, input=each.question) for each in queue.teaching]
    drafts = assemble(stack, questions, project.workshop)
    return [
        Sample(messages=messages(draft), answer=each.answer, line=each.line)
        for draft, each in zip(drafts, queue.teaching, strict=True)
    ]


def _test(project: Project, stack: Stack) -> Trial:
    record_opening(project.task, "levers distill", stack)
    return project.bench_for(stack.model.id).trial(stack, "test", "trial on test")


def _edge(project: Project, teacher: Stack, student: Stack) -> Comparison | None:
    """Compare both on the edge cases, which must not be worse either; None where there are none."""
    if not project.task.partition("edge"):
        return None
    trials = [project.bench_for(each.model.id).trial(each, "edge", "trial on edge") for each in (teacher, student)]
    return compare(trials[0], trials[1])


def _saving(teacher: Trial, student: Trial) -> tuple[float | None, float | None]:
    """Return how many times as much the teacher's answer costs, and USD saved with each answer.

    No number says how many times as much as nothing.
    """
    before, after = teacher.cost_per_answer, student.cost_per_answer
    if before is None or after is None:
        return None, None
    return before / after if after > 0 else None, before - after


def _spent(project: Project, queue: Queue, student: Stack, seconds: float) -> float | None:
    """Return what labelling and teaching cost in USD: teaching at the price of the student's machine."""
    price = project.prices.find(billed(student.model.id))
    if queue.cost is None or price is None:
        return None
    return queue.cost + seconds / 3600 * price.compute_hour


def _tokens(trial: Trial) -> float:
    usage = trial.usage
    return (usage.input + usage.cache_read + usage.cache_write) / max(len(trial.outcomes), 1)
