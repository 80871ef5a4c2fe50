"""What a question's prompt shows of what there is: the nearest examples, the order of passages, parts of passages."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from rapidfuzz import fuzz, process

from levers.stack.prompt import Draft
from levers.stack.records import Passage, PassageOrder, Retrieve, Shots

SAME = 95  # of 100: an example this like the question is the question itself, and its answer would be given away
_SENTENCE = re.compile(r"(?:[^.!?\n]|[.!?]++(?!\s|$))*+(?:[.!?]+|\n+|$)\s*")  # the point of 4.50 ends none
_WORD = re.compile(r"\w+")


def show(part: Shots, draft: Draft) -> Draft:
    """Show a part's examples: all of them, or those nearest to the question by shared words, the nearest last."""
    if part.nearest is None:
        return replace(draft, shots=part.pairs)
    inputs = [question for question, _ in part.pairs]
    ranked = process.extract(draft.text, inputs, scorer=fuzz.token_set_ratio, limit=None)
    others = [place for text, _, place in ranked if fuzz.ratio(text, draft.text) < SAME]
    chosen = tuple(part.pairs[place] for place in reversed(others[: part.nearest]))
    return replace(draft, shots=chosen, own_shots=True)


def lay(part: Retrieve, passages: Sequence[Passage], question: str) -> tuple[Passage, ...]:
    """Cut and order the passages that were found, best first, as the part says."""
    shown = [each if part.sentences is None else cut(each, question, part.sentences) for each in passages]
    return ordered(within(shown, part.words), part.order)


def within(passages: Sequence[Passage], words: int | None) -> list[Passage]:
    """Return the first passages, best first, that hold no more than so many words together; at least one."""
    if words is None:
        return list(passages)
    ends = accumulate(len(each.text.split()) for each in passages)
    return [each for place, (each, end) in enumerate(zip(passages, ends, strict=True)) if end <= words or not place]


def ordered(passages: Sequence[Passage], order: PassageOrder) -> tuple[Passage, ...]:
    """Put passages, best first, into an order; "ends": the first at the start, the second at the end, and inward."""
    if order == "best last":
        return tuple(reversed(passages))
    if order == "ends":
        return (*passages[::2], *reversed(passages[1::2]))
    return tuple(passages)


def cut(passage: Passage, question: str, sentences: int) -> Passage:
    """Keep the run of so many sentences that shares most of the question's words; the earliest of equals."""
    spans = [(found.start(), found.end()) for found in _SENTENCE.finditer(passage.text) if found.group().strip()]
    if len(spans) <= sentences:
        return passage
    wanted = _words(question)
    runs = [(spans[at][0], spans[at + sentences - 1][1]) for at in range(len(spans) - sentences + 1)]
    start, end = max(runs, key=lambda run: len(wanted & _words(passage.text[slice(*run)])))
    text = passage.text[start:end].rstrip()
    return passage.model_copy(
        update={"text": text, "start": passage.start + start, "end": passage.start + start + len(text)}
    )


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold()) if len(word) > 2}
