"""How a prompt is laid out: the stable part first (so that it can be cached), then passages, then the question.

system     instructions, inlined documents
turns      shown examples, then the conversation's earlier turns
user       Passages: [1] document > heading … / Question: …
"""

import re
from dataclasses import dataclass, field
from typing import Any

from levers.economics.usage import Usage
from levers.knowledge import Query
from levers.ledger import Message
from levers.stack.records import Passage, Question, StepTrace

NO_PASSAGES = "(none found)"
_NUMBER = re.compile(r"^[ \t]*\[(\d+)\]", re.MULTILINE)


@dataclass(frozen=True)
class Draft:
    """A prompt in the making for one question. Parts turn drafts into drafts; `messages` lays the last one out.

    `own_shots`: the examples were chosen for this question. `around`: the question stands before the passages too.
    `wordings` of the question are searched beside it; `usage` is what was spent before the answer is asked, and
    `outage` tells that a reply was lost by then.
    """

    question: Question
    system: tuple[str, ...] = ()
    shots: tuple[tuple[str, str], ...] = ()
    passages: tuple[Passage, ...] | None = None
    json_schema: dict[str, Any] | None = None
    steps: tuple[StepTrace, ...] = field(default=())
    own_shots: bool = False
    around: bool = False
    wordings: tuple[str, ...] = ()
    usage: Usage = field(default=Usage())
    outage: bool = False

    @property
    def text(self) -> str:
        """The question as one text: the last user turn."""
        given = self.question.input
        return given if isinstance(given, str) else given[-1].content

    @property
    def query(self) -> Query:
        """What is searched for it: its text, with the other wordings there are."""
        return (self.text, *self.wordings) if self.wordings else self.text


def messages(draft: Draft) -> tuple[Message, ...]:
    """Lay a draft out as chat messages."""
    turns: list[Message] = []
    if draft.system:
        turns.append(Message(role="system", content="\n\n".join(draft.system)))
    for shown, reply in draft.shots:
        turns.append(Message(role="user", content=shown))
        turns.append(Message(role="assistant", content=reply))
    if not isinstance(draft.question.input, str):
        turns.extend(draft.question.input[:-1])
    turns.append(Message(role="user", content=_user_turn(draft)))
    return tuple(turns)


def shared_turns(draft: Draft) -> int:
    """Count the leading messages that every question of a stack shares: the system text and the shown examples."""
    return bool(draft.system) + (0 if draft.own_shots else 2 * len(draft.shots))


def _user_turn(draft: Draft) -> str:
    if draft.passages is None:
        return draft.text
    first = f"Question: {draft.text}\n\n" if draft.around else ""
    return f"{first}Passages:\n{passage_block(draft.passages)}\n\nQuestion: {draft.text}"


def passage_block(passages: tuple[Passage, ...]) -> str:
    """Number the passages from 1, each under its document and heading path.

    A line of a document that begins like such a number, `[2]`, gets round brackets: it could pass for another passage.
    """
    if not passages:
        return NO_PASSAGES
    return "\n\n".join(_numbered(number, passage) for number, passage in enumerate(passages, start=1))


def _numbered(number: int, passage: Passage) -> str:
    heading = f" > {passage.heading}" if passage.heading else ""
    text = _NUMBER.sub(r"(\1)", passage.text)
    return f"[{number}] {passage.document}{heading}\n{text}"
