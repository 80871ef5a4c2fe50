"""What stands in everybody's prompt, inlined documents and shown examples, held against what is public now.

A stack keeps texts as they were when it was made. Rights are taken away and documents deleted since, so the texts are
looked up again whenever a prompt is made, and what is not public any more never reaches it.
"""

from collections.abc import Callable, Sequence

from levers.knowledge import Found, Index
from levers.stack.records import Inline, Shots
from levers.task.records import Case, Example

_NAMED = 5  # documents that a word about them names


class Shared:
    """The documents and examples of a project as they are now."""

    def __init__(self, index: Callable[[], Index | None], examples: Sequence[Example]) -> None:
        """`index` returns the index of the documents as they are now, under the access rules of now."""
        self._index = index
        self._examples = examples

    def inline(self, part: Inline) -> tuple[Inline, str]:
        """Return the part with its documents' public text of now, and a word on what is left out or new; or none."""
        index = self._index()
        texts = {name: public_text(index, name) if index is not None else "" for name, _ in part.documents}
        gone = [name for name, text in texts.items() if not text]
        other = [name for name, text in part.documents if texts[name] and texts[name] != text]
        told = [f"not public any more, left out: {_names(gone)}"] if gone else []
        told += [f"not as they were, taken as they are now: {_names(other)}"] if other else []
        now = tuple((name, text) for name, text in texts.items() if text)
        return (part.model_copy(update={"documents": now}) if told else part), "; ".join(told)

    def shots(self, part: Shots) -> tuple[Shots, str]:
        """Return the part with those pairs that are public examples now, and a word on those left out; or none."""
        index = self._index()
        known = {(each.question, each.answer) for each in self._examples if is_public(each, index)}
        kept = tuple(pair for pair in part.pairs if pair in known)
        left_out = len(part.pairs) - len(kept)
        if not left_out:
            return part, ""
        return part.model_copy(update={"pairs": kept}), f"not public or no example any more, left out: {left_out}"


def public_text(index: Index, document: str) -> str:
    """Return the text of a document that anybody may read, under its headings; empty where there is none."""
    return laid_out([each for each in index.section(document) if index.may_find(each.document, each.section)])


def laid_out(pieces: Sequence[Found]) -> str:
    """Return passages as an inlined document shows them."""
    return "\n\n".join(f"{each.heading}\n{each.text}" if each.heading else each.text for each in pieces)


def is_public(example: Example | Case, index: Index | None) -> bool:
    """Tell whether everybody may read all of the evidence: what is shown in a prompt is shown to all users."""
    return all(index is None or index.may_read(reference) for reference in example.evidence)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
