"""The documents as experiments see them: a case's own evidence, and how far down search finds it."""

from collections.abc import Callable, Sequence

from levers.knowledge import Index, Query
from levers.stack import Passage, Retrieve, Stack
from levers.stack.workshop import as_in, passage
from levers.task.records import Case
from levers.task.references import split_reference

DEPTH = 50  # how far down evidence counts as buried; further down it counts as missed


class Shelf:
    """A library over one index; without documents it holds nothing."""

    def __init__(
        self,
        index: Index | None,
        of_stack: Callable[[str], Index],
        asked: Callable[[Case, Stack], Query] = lambda case, stack: case.question,
    ) -> None:
        """Look evidence up in this index.

        To rank as a stack searches, `of_stack` opens the index that it names, and `asked` returns what it searches for
        a case: the question, and the other wordings that its model writes.
        """
        self._index = index
        self._of_stack = of_stack
        self._asked = asked

    @property
    def ruled(self) -> bool:
        """Tell whether the documents stand under access rules."""
        return self._index is not None and bool(self._index.access.rules or self._index.access.groups)

    def evidence(self, case: Case) -> tuple[Passage, ...]:
        """Return the passages of the sections the case names, in its order; documents that do not exist are skipped."""
        if self._index is None:
            return ()
        found: list[Passage] = []
        for document, section in _references(case):
            found.extend(passage(each) for each in self._index.section(document, section))
        return tuple(dict.fromkeys(found))

    def may_find(self, passage: Passage, user: str | None) -> bool:
        """Tell whether the access rules let a user read a passage; without documents there is nothing to hide."""
        return self._index is None or self._index.may_find(passage.document, passage.section, user)

    def holds_hidden(self, text: str, inlined: tuple[str, str], user: str | None) -> bool:
        """Look for the passages of the document that the user may not read; for all of it where it is gone."""
        if self._index is None:
            return False
        name, whole = inlined
        pieces = self._index.section(name)
        hidden = [not self._index.may_find(name, each.section, user) for each in pieces]
        read = [each.text for each, closed in zip(pieces, hidden, strict=True) if not closed]
        closed = [each.text for each, closed in zip(pieces, hidden, strict=True) if closed]
        if not pieces:
            return f"{name}\n{whole}" in text
        return any(each in text and not any(each in other for other in read) for each in closed)

    def newer(self, document: str) -> str | None:
        """Return the document that replaces this one, None where none does."""
        replaced = self._index.superseded if self._index is not None else ()
        return next((each.by for each in replaced if each.document == document), None)

    def holding(self, case: Case, texts: Sequence[str], most: int) -> tuple[Passage, ...]:
        """Look through every passage that the case's user may read for one of the texts, whatever its case.

        The likest to the question come first: those that search by words ranks, then the others in their order.
        """
        wanted = [text.casefold() for text in texts if text]
        if self._index is None or not wanted:
            return ()
        ranked = self._index.search([case.question], users=[case.user], k=DEPTH, mode="bm25")[0]
        found = {
            (each.document, each.start): passage(each)
            for each in (*ranked, *self._index.chunks())
            if any(text in each.text.casefold() for text in wanted) and self.may_find(passage(each), case.user)
        }
        return tuple(found.values())[:most]

    def rank(self, case: Case, stack: Stack) -> int | None:
        """Return the best rank of any of the case's evidence for its question and user, None beyond the first 50."""
        part = stack.part("retrieve")
        if self._index is None or not isinstance(part, Retrieve):
            return None
        index = as_in(self._of_stack(part.index), part)
        query, references = self._asked(case, stack), _references(case)
        ranks = [
            index.rank_of(query, *each, user=case.user, mode=part.mode, hops=part.hops, depth=DEPTH)
            for each in references
        ]
        return min((rank for rank in ranks if rank is not None), default=None)


def _references(case: Case) -> list[tuple[str, str | None]]:
    return [split_reference(reference) for reference in case.evidence]
