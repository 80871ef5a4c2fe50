"""What a trial's cases were shown, held against the access rules and against the evidence they name."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

from levers.stack import Given, Inline, Passage, Stack
from levers.task.records import Case
from levers.trial.records import Context, Leaks, Outcome, Slice
from levers.trial.statistics import paired_bootstrap, wilson_of


class Library(Protocol):
    """What experiments ask of the documents."""

    @property
    def ruled(self) -> bool:
        """Tell whether there are access rules."""

    def evidence(self, case: Case) -> tuple[Passage, ...]:
        """Return the passages the case names as evidence; none when the documents do not hold them."""

    def may_find(self, passage: Passage, user: str | None) -> bool:
        """Tell whether the access rules let a user read a passage."""

    def holds_hidden(self, text: str, inlined: tuple[str, str], user: str | None) -> bool:
        """Tell whether a prompt's text holds of an inlined document (name, text) what the user may not read."""

    def newer(self, document: str) -> str | None:
        """Return the document that replaces this one, None where none does; what is replaced is shown to nobody."""

    def holding(self, case: Case, texts: Sequence[str], most: int) -> tuple[Passage, ...]:
        """Return passages that the case's user may read and that hold one of the texts, the likest to it first."""

    def rank(self, case: Case, stack: Stack) -> int | None:
        """Return the best rank (from 1) of the case's evidence in the stack's search; None beyond the first 50."""


@dataclass(frozen=True)
class Shown:
    """A stack's cases and outcomes, in the same order, and the documents they are held against."""

    library: Library
    stack: Stack
    cases: Sequence[Case]
    outcomes: Sequence[Outcome]

    def leaks(self) -> Leaks:
        """Count who asked for what the rules hide, and name who was shown it."""
        part, given, attempts, leaks = self.stack.part("inline"), self.stack.part("given"), 0, []
        inlined = part.documents if isinstance(part, Inline) else ()
        for case, outcome in zip(self.cases, self.outcomes, strict=True):
            attempts += any(not self.library.may_find(each, case.user) for each in self.library.evidence(case))
            handed = given.passages.get(case.id, ()) if isinstance(given, Given) else ()  # a probe may show anything
            known = {each.reference for each in handed}
            shown = [each for each in outcome.answer.passages if each.reference not in known]
            if any(not self.library.may_find(each, case.user) for each in shown) or any(
                self.library.holds_hidden(_system(outcome), each, case.user) for each in inlined
            ):
                leaks.append(case.id)
        return Leaks(attempts=attempts, leaks=tuple(leaks), ruled=self.library.ruled)

    def context(self) -> Context | None:
        """Return how much of the evidence stood in the prompts; None where no case names any that its user may read."""
        shares: list[float] = []
        tagged: dict[str, list[float]] = defaultdict(list)
        for case, outcome in zip(self.cases, self.outcomes, strict=True):
            sections = self._readable(case)
            if sections:
                share = fmean(any(_stands_in(each, outcome) for each in section) for section in sections)
                shares.append(share)
                for tag in case.slices:
                    tagged[tag].append(share)
        if not shares:
            return None
        return Context(
            cases=len(shares),
            recall=fmean(shares),
            interval=paired_bootstrap(shares) if len(set(shares)) > 1 else wilson_of(shares[0], len(shares)),
            whole=sum(share == 1 for share in shares),
            slices={tag: Slice(cases=len(part), recall=fmean(part)) for tag, part in sorted(tagged.items())},
        )

    def _readable(self, case: Case) -> list[list[Passage]]:
        """Return the passages that the case's user may read of each section it names, without those that hold none."""
        named = (case.model_copy(update={"evidence": (reference,)}) for reference in case.evidence)
        held = (tuple(self.library.evidence(one)) for one in named)
        open_to = ([each for each in section if self.library.may_find(each, case.user)] for section in held)
        return [section for section in open_to if section]


def _system(outcome: Outcome) -> str:
    return "\n\n".join(each.content for each in outcome.answer.prompt if each.role == "system")


def _stands_in(evidence: Passage, outcome: Outcome) -> bool:
    """Look for a passage among those shown, also as a part of it or as its duplicate, and in the inlined documents."""
    return evidence.text in _system(outcome) or any(
        each.text == evidence.text
        or (each.document == evidence.document and each.start < evidence.end and evidence.start < each.end)
        for each in outcome.answer.passages
    )
