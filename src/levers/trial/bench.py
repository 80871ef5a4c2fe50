"""The bench: a task, a workshop and a price, and so the way to measure any stack on any of its cases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from levers.stack import Passage, Stack, Workshop, answerer
from levers.task.records import Case, Partition, Task
from levers.trial.measure import CostOf, run_trial
from levers.trial.records import Outcome, Trial

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much is done, and out of how much."""


class Library(Protocol):
    """What experiments ask of the documents."""

    def evidence(self, case: Case) -> tuple[Passage, ...]:
        """Return the passages the case names as evidence; none when the documents do not hold them."""

    def rank(self, case: Case, stack: Stack) -> int | None:
        """Return the best rank (from 1) of the case's evidence in the stack's search; None beyond the first 50."""


def silent(what: str, done: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Bench:
    """What experiments run on. `cost_of` turns one answer's usage into USD; None when no price is known."""

    task: Task
    workshop: Workshop
    library: Library
    cost_of: CostOf | None = None
    cost_source: str = "no price known"
    progress: Progress = silent

    def trial(self, stack: Stack, partition: Partition, what: str) -> Trial:
        """Measure the stack over one partition; `what` names the work in the progress display."""
        return self._run(stack, self.task.partition(partition), what)

    def outcomes(self, stack: Stack, cases: Sequence[Case], what: str) -> tuple[Outcome, ...]:
        """Answer and grade some cases of one partition."""
        return self._run(stack, cases, what).outcomes if cases else ()

    def _run(self, stack: Stack, cases: Sequence[Case], what: str) -> Trial:
        self.progress(what, 0, len(cases))
        return run_trial(
            self.task,
            cases,
            answerer(stack, self.workshop),
            stack=stack.digest,
            cost_of=self.cost_of,
            cost_source=self.cost_source,
            on_progress=lambda done, total: self.progress(what, done, total),
        )
