"""Questions that a model writes about the documents, where a team has too few of its own to sharpen search on.

The model reads one passage and writes what users might ask that it answers (InPars: Bonifacio et al., "Data
Augmentation for Information Retrieval using Large Language Models", 2022). A question stays if search brings its
passage among the first twenty (the consistency filter of Promptagator: Dai et al., ICLR 2023), is asked for one
passage only, and gives no golden case away. Only what everybody may read is shown: a tuned embedder serves every user.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from levers.economics.usage import Usage
from levers.errors import ModelError, Problem, UserError
from levers.knowledge import Found, Index
from levers.ledger import Message
from levers.lever.situation import Situation
from levers.model import Ask
from levers.stack import ModelRef
from levers.stack.rewriting import wordings
from levers.task.dev import golden_leaks
from levers.task.records import Example

MOST = 400  # passages that are asked about, spread evenly over the documents
WITHIN = 20  # places of search within which a question's own passage has to be
_TOKENS = 40  # of one question, at most
_AT_A_TIME = 32  # passages between two words of progress
_TOLD = (
    "You write {count} that a user of these documents might type into a search box and that the passage below answers. "
    "Write as a user who has not seen the passage: plain words, short. One a line, nothing else."
)


class WrittenQuestion(NamedTuple):
    """A question and the passage it was written for."""

    question: str
    passage: Found


class Written(NamedTuple):
    """The questions that stay, and what to tell about the others and the cost."""

    questions: tuple[WrittenQuestion, ...]
    notes: tuple[str, ...]


def write_questions(situation: Situation, index: Index, count: int) -> Written:
    """Have the reference model write up to `count` questions for each of at most 400 public passages, and sift them.

    Raises:
        UserError: no reference model is named.
        ModelError: it answered nothing.
    """
    writer = situation.bench.task.config.models.reference
    if not writer:
        expected = "a model that writes the questions"
        hint = "name one, such as openai/gpt-4o-mini; every public passage asked about is sent to it"
        raise UserError(Problem(file="levers.yaml", field="models.reference", expected=expected, hint=hint))
    passages = _public(index)
    passages = passages[:: -(-len(passages) // MOST)] if passages else []
    replies = []
    model = situation.workshop.model(ModelRef(id=writer))
    for at in range(0, len(passages), _AT_A_TIME):
        situation.bench.progress("write questions", at, len(passages))
        replies += model.answer([_ask(each, count) for each in passages[at : at + _AT_A_TIME]])
    situation.bench.progress("write questions", len(passages), len(passages))
    failed = [reply for reply in replies if reply.finish == "error"]
    if replies and len(failed) == len(replies):
        raise ModelError(f"{writer} wrote no question: {failed[0].error}")
    written = [
        WrittenQuestion(line, passage)
        for passage, reply in zip(passages, replies, strict=True)
        if reply.finish != "error"
        for line in wordings(reply.text, "", count)
    ]
    kept, dropped = _sifted(situation, index, written)
    cost = situation.workshop.cost(writer, sum((reply.usage for reply in replies), Usage()))
    notes = [
        f"{len(written)} questions written by {writer} for {len(passages)} public passages"
        + (f", ${cost:.2f}" if cost is not None else ""),
        *(f"{number} of them left out: {why}" for why, number in sorted(dropped.items())),
    ]
    if failed:
        notes.append(f"{len(failed)} passages got no reply: {failed[0].error}")
    return Written(tuple(kept), tuple(notes))


def _public(index: Index) -> list[Found]:
    """Return the passages that everybody may read."""
    return [each for each in index.chunks() if index.may_read(each.reference)]


def _ask(passage: Found, count: int) -> Ask:
    told = _TOLD.format(count="one question" if count == 1 else f"{count} different questions")
    turns = (Message(role="system", content=told), Message(role="user", content=passage.searchable))
    return Ask(messages=turns, max_tokens=_TOKENS * count)


def _sifted(
    situation: Situation, index: Index, written: Sequence[WrittenQuestion]
) -> tuple[list[WrittenQuestion], Counter[str]]:
    """Return the questions to learn from, and how many of the others were left out for what reason."""
    dropped: Counter[str] = Counter()
    times = Counter(each.question.casefold() for each in written)
    asked = [Example(messages=(Message(role="user", content=each.question),), answer="") for each in written]
    leaking = {leak.example for leak in golden_leaks(situation.bench.task, asked, facts=False)}
    ranked = index.search([each.question for each in written], k=WITHIN)
    kept = []
    for place, (each, found) in enumerate(zip(written, ranked, strict=True)):
        if times[each.question.casefold()] > 1:
            dropped["written for several passages"] += 1
        elif place in leaking:
            dropped["close to a golden case"] += 1
        elif (each.passage.document, each.passage.start) not in {(one.document, one.start) for one in found}:
            dropped[f"search does not bring their passage among the first {WITHIN}"] += 1
        else:
            kept.append(each)
    return kept, dropped
