"""Other wordings of a question, for search: a model writes them before anything is looked up.

A question that follows others leaves unsaid what it is about, and people use other words than documents do. Several
queries for one question find more than any of them (multi-query; Ma et al., "Query Rewriting for Retrieval-Augmented
Large Language Models", 2023, has a model write them). The model sees the conversation and no document, so a wording can
tell nothing that the asker may not know; what it finds is filtered by the asker's rights like any other query.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from levers.ledger import Message
from levers.model.contract import Ask, Model
from levers.stack.prompt import Draft
from levers.stack.records import StepTrace

TOLD = (
    "Write {count} for a search in documents that the last question below needs. Each stands alone: what the question "
    "leaves unsaid because of the conversation before it is said, and other words for the same thing are used. One a "
    "line, nothing else. Do not answer the question."
)
_TOKENS = 48  # of one wording, at most
_LONGEST = 300  # characters of one
_MARK = re.compile(r"^\s*(?:[-*\u2022]|\(?\d{1,2}[.):])\s+")


def reworded(count: int, drafts: Sequence[Draft], model: Model, seed: int = 0) -> list[Draft]:
    """Return the drafts with up to `count` other wordings of their questions, and what those cost.

    A draft whose wordings the model does not give, or gives wrongly, keeps its question alone.
    """
    done = []
    for draft, reply in zip(drafts, model.answer([_ask(count, draft, seed) for draft in drafts]), strict=True):
        lines = () if reply.finish == "error" else wordings(reply.text, draft.text, count)
        trace = StepTrace(name="rewrite", seconds=reply.seconds, detail=f"{len(lines)} other wordings")
        usage, lost = draft.usage + reply.usage, draft.outage or reply.outage
        done.append(replace(draft, wordings=lines, usage=usage, steps=(*draft.steps, trace), outage=lost))
    return done


def wordings(text: str, question: str, count: int) -> tuple[str, ...]:
    """Read a reply: a wording a line, marks of a list taken off, neither twice nor the question itself."""
    kept: dict[str, str] = {_same(question): ""}
    for line in text.splitlines():
        wording = _MARK.sub("", line).strip().strip('"\u201c\u201d').strip()
        if wording and len(wording) <= _LONGEST:
            kept.setdefault(_same(wording), wording)
    return tuple(wording for wording in kept.values() if wording)[:count]


def _ask(count: int, draft: Draft, seed: int) -> Ask:
    told = TOLD.format(count="one query" if count == 1 else f"{count} different queries")
    given = draft.question.input
    turns = [] if isinstance(given, str) else [f"{turn.role}: {turn.content}" for turn in given[:-1]]
    asked = "\n".join([*turns, f"Question: {draft.text}"])
    return Ask(
        messages=(Message(role="system", content=told), Message(role="user", content=asked)),
        max_tokens=_TOKENS * count,
        seed=seed,
    )


def _same(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
