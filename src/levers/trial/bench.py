"""The bench: a task, a workshop and a price, and so the way to measure any stack on any of its cases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Literal

from levers.economics import Price, Usage, answer_cost, at_lifetime, cost_figure
from levers.errors import LeversError
from levers.model.contract import Model
from levers.stack import ModelRef, Stack, Workshop, answerer
from levers.task.dev import DevTask, dev_task
from levers.task.records import Case, DevCase, Partition, Task
from levers.trial.graders import Kit
from levers.trial.graders.notes import grader_notes
from levers.trial.measure import CostOf, Judge, check_cases, grader_names, summarise
from levers.trial.records import DevTrial, Outcome, Trial, as_dev
from levers.trial.shown import Library, Shown

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much is done, and out of how much."""


def silent(what: str, done: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Bench:
    """What experiments run on. `cost_of` turns one answer's usage into USD; None when no price is known.

    `kit` is what graders may use; without one they get the task's schemas and the workshop's models. `price` is the
    answering model's; a stack that marks its prompt for a cache is charged for that lifetime.
    """

    task: Task
    workshop: Workshop
    library: Library
    cost_of: CostOf | None = None
    progress: Progress = silent
    kit: Kit | None = None
    price: Price | None = None

    def trial(self, stack: Stack, partition: Partition, what: str) -> Trial:
        """Measure the stack over one partition; `what` names the work in the progress display."""
        cases = self.task.partition(partition)
        specs, outcomes = self.task.config.graders, self._ask(stack, cases, what)
        trial = summarise(
            self.task,
            cases,
            outcomes,
            stack=stack.digest,
            cost_source=self._source(stack, outcomes),
            notes=grader_notes(specs, grader_names(specs), self.tools),
        )
        told = Shown(self.library, stack, cases, outcomes)
        return trial.model_copy(update={"leaks": told.leaks(), "context": told.context()})

    def outcomes(self, stack: Stack, cases: Sequence[Case], what: str) -> tuple[Outcome, ...]:
        """Answer and grade some cases of one partition."""
        return tuple(self._ask(stack, cases, what)) if cases else ()

    @cached_property
    def tools(self) -> Kit:
        """What graders may use."""
        return self.kit or Kit(schemas=self.task.schemas, root=self.task.root, open_model=self._open)

    @cached_property
    def dev(self) -> "DevBench":
        """The same bench with the dev cases only, for diagnosis and levers."""
        own = {each.name: getattr(self, each.name) for each in fields(Bench)}
        return DevBench(**{**own, "task": dev_task(self.task), "kit": self.tools})

    def _open(self, reference: str) -> Model:
        return self.workshop.model(ModelRef(id=reference))

    def _ask(self, stack: Stack, cases: Sequence[Case], what: str) -> list[Outcome]:
        check_cases(cases)
        self.progress(what, 0, len(cases))
        judge = Judge(self.task, self.tools, self._cost_of(stack))
        return judge.outcomes(cases, answerer(stack, self.workshop), lambda at, of: self.progress(what, at, of))

    def _source(self, stack: Stack, outcomes: Sequence[Outcome]) -> str:
        """Name the standing and the sources of the prices that these answers were charged at."""
        if self.price is None:
            return "no price known"
        usage = sum((each.answer.usage for each in outcomes), Usage())
        figure = cost_figure(usage, at_lifetime(self.price, stack.model.cache))
        return f"{figure.provenance}: {figure.source}"

    def _cost_of(self, stack: Stack) -> CostOf | None:
        if self.price is None or stack.model.cache is None:
            return self.cost_of
        return partial(answer_cost, price=at_lifetime(self.price, stack.model.cache))


@dataclass(frozen=True)
class DevBench(Bench):
    """A bench without held-out cases: what diagnosis and levers are handed. `Bench.dev` makes it."""

    task: DevTask

    @cached_property
    def dev(self) -> "DevBench":
        """This bench."""
        return self

    def trial(self, stack: Stack, partition: Literal["dev"], what: str) -> DevTrial:  # type: ignore[override]
        """Measure the stack over dev. Raises LeversError for any other partition."""
        return as_dev(super().trial(stack, partition, what))

    def outcomes(self, stack: Stack, cases: Sequence[DevCase], what: str) -> tuple[Outcome, ...]:  # type: ignore[override]
        """Answer and grade some dev cases. Raises LeversError for others."""
        for case in cases:
            if case.partition != "dev":
                raise LeversError(f"diagnosis and levers look at dev cases only, not at {case.partition}")
        return super().outcomes(stack, cases, what)
