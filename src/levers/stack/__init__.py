"""Assemble parts into an answerer. A stack is data; answering with it is a fold of its parts over a batch of drafts."""

from levers.stack.answerer import Finder, Workshop, answer, answerer, ask, assemble
from levers.stack.exchange import wrong_form
from levers.stack.prompt import Draft, messages
from levers.stack.records import (
    Answer,
    Citation,
    Given,
    Inline,
    Instruct,
    ModelRef,
    Part,
    Passage,
    Question,
    Reason,
    Retrieve,
    Shots,
    Stack,
    StepTrace,
    Structure,
)

__all__ = [
    "Answer",
    "Citation",
    "Draft",
    "Finder",
    "Given",
    "Inline",
    "Instruct",
    "ModelRef",
    "Part",
    "Passage",
    "Question",
    "Reason",
    "Retrieve",
    "Shots",
    "Stack",
    "StepTrace",
    "Structure",
    "Workshop",
    "answer",
    "answerer",
    "ask",
    "assemble",
    "messages",
    "wrong_form",
]
