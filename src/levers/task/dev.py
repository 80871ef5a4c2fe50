"""A task as diagnosis and levers see it: its dev cases only."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import PrivateAttr

from levers.errors import LeversError
from levers.task.leaks import find_leaks, find_source_leaks
from levers.task.records import Case, DevCase, Example, Partition, Task


class DevTask(Task):
    """A task without its held-out cases: a type checker refuses to ask it for them, and it does not have them to give.

    `whole` is the digest of the whole task, so that what is measured on dev belongs to that. `dev_task` makes it.
    """

    whole: str
    _golden: tuple[Case, ...] = PrivateAttr(default=())  # for the guard against leaks, which names and shows no text

    def partition(self, name: Literal["dev"]) -> tuple[DevCase, ...]:  # type: ignore[override]
        """Return the dev cases, in file order. Raises LeversError for any other partition."""
        if name != "dev":
            raise LeversError(f"diagnosis and levers look at dev cases only, not at {name}")
        return tuple(DevCase(case) for case in self.cases)

    @property
    def digest(self) -> str:
        """The whole task's name."""
        return self.whole


class GoldenLeak(NamedTuple):
    """An example (its place) that gives a golden case away, how, and the case's id and partition."""

    example: int
    how: str
    case: str
    partition: Partition


def dev_task(task: Task) -> DevTask:
    """Return the task with its dev cases only."""
    if isinstance(task, DevTask):
        return task
    fields = {name: getattr(task, name) for name in Task.model_fields}
    found = DevTask.model_construct(**{**fields, "cases": task.partition("dev")}, whole=task.digest)
    found._golden = task.cases
    return found


def golden_leaks(task: Task, examples: Sequence[Example], facts: bool = True) -> list[GoldenLeak]:
    """Find the examples that give any golden case away, held-out ones too; of those nothing but id and partition.

    With `facts`, examples that teach the very fact of a held-out case count as well.
    """
    cases = task._golden if isinstance(task, DevTask) else task.cases
    leaks = find_leaks(cases, examples)
    known = {leak.example for leak in leaks}
    if facts:
        leaks += [each for each in find_source_leaks(cases, examples) if each.example not in known]
    return [GoldenLeak(each.example, each.how, cases[each.case].id, cases[each.case].partition) for each in leaks]
