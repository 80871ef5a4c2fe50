"""Lay reviewed examples out as samples to tune on: each in the very prompt that the stack would send."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from levers.lever.situation import Situation
from levers.stack import Draft, Passage, Question, assemble, messages
from levers.stack.shared import is_public
from levers.stack.workshop import passage
from levers.task.records import Example
from levers.task.references import split_reference
from levers.tuning import Sample

_WORDS = re.compile(r"\w+")


class Laid(NamedTuple):
    """The samples, and how many of them search alone would not have grounded.

    `left_out` examples have not their facts in their prompts; `restricted` ones rest on what not everybody may read.
    """

    samples: list[Sample]
    handed: int
    left_out: int
    restricted: int


def lay_out(situation: Situation, examples: Sequence[Example]) -> Laid:
    """Lay every public example out as the stack would; drop those whose answer's facts are not in the prompt.

    An adapter serves every user, so an example is taken only if everybody may read its evidence. Where search misses
    the evidence, it takes the place of one of the passages found (as RAFT does: Zhang et al., "Adapting Language Model
    to Domain Specific RAG", 2024).
    """
    index = situation.index()
    public = [each for each in examples if is_public(each, index)]
    questions = [
        Question(id=f"line {each.line}", input=each.messages if len(each.messages) > 1 else each.question)
        for each in public
    ]
    samples: list[Sample] = []
    handed = 0
    for example, found in zip(public, assemble(situation.stack, questions, situation.workshop), strict=True):
        draft = found
        if found.passages is not None and example.evidence:
            sections = _evidence(situation, example)
            if not _shown(example.answer, sections, found):
                draft = _with_evidence(example, sections, found)
                if not _shown(example.answer, sections, draft):
                    continue
                handed += 1
        samples.append(Sample(messages=messages(draft), answer=example.answer, line=example.line))
    return Laid(samples, handed, len(public) - len(samples), len(examples) - len(public))


def _evidence(situation: Situation, example: Example) -> list[Passage]:
    """Return the passages of the sections that an example names, those that hold its answer's words first."""
    index = situation.index()
    found = [
        passage(each)
        for reference in example.evidence
        if index is not None
        for each in index.section(*split_reference(reference))
    ]
    return sorted(found, key=lambda each: not _grounded(example.answer, each.text))


def _shown(answer: str, sections: Sequence[Passage], draft: Draft) -> bool:
    """Tell whether a prompt holds what its answer rests on.

    That is the answer's own words where the evidence has them. Where it has not (a label, yes or no, a figure that is
    written otherwise, a sentence of one's own) it is a passage of the evidence.
    """
    if sections and not _grounded(answer, sections[0].text):
        places = {(each.document, each.section) for each in sections}
        return any((each.document, each.section) in places for each in draft.passages or ())
    return _grounded(answer, messages(draft)[-1].content)


def _with_evidence(example: Example, sections: Sequence[Passage], draft: Draft) -> Draft:
    """Put an example's evidence in the place of one of its passages; which one follows from the line."""
    shown = list(draft.passages or ())
    if sections:
        place = example.line % max(len(shown), 1)
        shown[place : place + 1] = sections[:1]
    return replace(draft, passages=tuple(shown))


def _grounded(answer: str, prompt: str) -> bool:
    """Tell whether the first value of an answer stands in the prompt, word by word."""
    try:
        parsed = json.loads(answer)
    except (ValueError, RecursionError):
        parsed = answer
    value = next(iter(parsed.values()), "") if isinstance(parsed, dict) else parsed
    wanted = " ".join(_WORDS.findall(str(value).casefold()))
    return f" {wanted} " in f" {' '.join(_WORDS.findall(prompt.casefold()))} "
