"""Imitation: what eight shown examples add on label sets never trained on, from HWU64."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from levers.model import Model

from .asking import prompt, texts
from .material import Command, commands
from .scoring import share

TASKS, CLASSES, SHOWN, SEED = 10, 5, 8, 64


class LabelTask(NamedTuple):
    """Five labels, eight examples that show each at least once, and the commands to sort."""

    labels: tuple[str, ...]
    shots: tuple[Command, ...]
    cases: tuple[Command, ...]


def label_tasks(limit: int | None = None) -> list[LabelTask]:
    """Draw the tasks: examples from the training split, cases (at most `limit` a task) from the test split."""
    asked = {command.text for command in commands("test")}  # a few commands stand in both splits
    unasked = [command for command in commands("train") if command.text not in asked]
    names = sorted({command.label for command in commands("test")} & {command.label for command in unasked})
    out = []
    for number in range(TASKS):
        rng = random.Random(f"{SEED}/{number}")
        labels = rng.sample(names, CLASSES)
        known = [command for command in unasked if command.label in labels]
        rng.shuffle(known)
        first = [next(command for command in known if command.label == label) for label in labels]
        shots = first + [command for command in known if command not in first][: SHOWN - CLASSES]
        rng.shuffle(shots)
        cases = [command for command in commands("test") if command.label in labels]
        rng.shuffle(cases)
        out.append(LabelTask(tuple(labels), tuple(shots), tuple(cases[:limit])))
    return out


def _accuracy(model: Model, task: LabelTask, shots: Sequence[Command], constrained: bool) -> float:
    listed = ", ".join(task.labels)
    system = f"Give the label of the message. The label is one of: {listed}. Reply with the label only."
    schema = {"enum": list(task.labels)} if constrained else None
    asks = [prompt(system, None, case.text, shots=shots, schema=schema, tokens=24) for case in task.cases]
    replies = [text.strip().strip('"') for text in texts(model.answer(asks))]
    return share([reply == case.label for reply, case in zip(replies, task.cases, strict=True)])


def imitation(model: Model, limit: int | None = None) -> dict[str, Any]:
    """Return mean accuracy over the tasks with and without shown examples, free and decoded under the labels."""
    tasks = label_tasks(limit)
    out: dict[str, Any] = {"tasks": len(tasks), "n": sum(len(task.cases) for task in tasks)}
    for name, constrained in (("free", False), ("constrained", True)):
        none = [_accuracy(model, task, (), constrained) for task in tasks]
        shown = [_accuracy(model, task, task.shots, constrained) for task in tasks]
        mean_none, mean_shown = sum(none) / len(none), sum(shown) / len(shown)
        out[name] = {
            "none": round(mean_none, 1),
            f"k{SHOWN}": round(mean_shown, 1),
            "lift": round(mean_shown - mean_none, 1),
        }
    return out
