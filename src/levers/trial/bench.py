"""The bench: a task, a workshop and a price, and so the way to measure any stack on any of its cases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from levers.stack import Given, Inline, Passage, Stack, Workshop, answerer
from levers.task.records import Case, Partition, Task
from levers.trial.measure import CostOf, run_trial
from levers.trial.records import Leaks, Outcome, Trial

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much is done, and out of how much."""


class Library(Protocol):
    """What experiments ask of the documents."""

    def evidence(self, case: Case) -> tuple[Passage, ...]:
        """Return the passages the case names as evidence; none when the documents do not hold them."""

    def may_read(self, document: str, user: str | None) -> bool:
        """Tell whether the access rules let a user read a document."""

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
        trial = run_trial(
            self.task,
            cases,
            answerer(stack, self.workshop),
            stack=stack.digest,
            cost_of=self.cost_of,
            cost_source=self.cost_source,
            on_progress=lambda done, total: self.progress(what, done, total),
        )
        return trial.model_copy(update={"leaks": self._leaks(stack, cases, trial.outcomes)})

    def _leaks(self, stack: Stack, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> Leaks:
        """Hold what every case was shown against the access rules."""
        part = stack.part("inline")
        inlined = [name for name, _ in part.documents] if isinstance(part, Inline) else []
        attempts, leaks = 0, []
        for case, outcome in zip(cases, outcomes, strict=True):
            wanted = {each.document for each in self.library.evidence(case)}
            attempts += any(not self.library.may_read(name, case.user) for name in wanted)
            given = stack.part("given")
            handed = given.passages.get(case.id, ()) if isinstance(given, Given) else ()  # a probe may show anything
            shown = {each.document for each in outcome.answer.passages} - {each.document for each in handed}
            if any(not self.library.may_read(name, case.user) for name in (*shown, *inlined)):
                leaks.append(case.id)
        return Leaks(attempts=attempts, leaks=tuple(leaks))
