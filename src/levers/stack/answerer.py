"""Answer questions with a stack: fold its parts over a batch of drafts, then ask the model once for all of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from levers.errors import LeversError
from levers.knowledge import Query
from levers.ledger import digest
from levers.model.contract import Ask, CacheMark, Model
from levers.stack.choosing import lay, show
from levers.stack.citations import cite
from levers.stack.exchange import Exchange, exchanges
from levers.stack.prompt import Draft, messages, shared_turns
from levers.stack.records import (
    Answer,
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
from levers.stack.rewriting import reworded


class Finder(Protocol):
    """What the retrieve part needs of an index: passages for a batch of queries, under one user's rights."""

    def find(self, queries: Sequence[Query], user: str | None, part: Retrieve) -> list[tuple[Passage, ...]]:
        """Return the passages for each query, best first; nothing the user may not read."""


class Workshop(Protocol):
    """Opens what stacks refer to by name, models and indexes, and knows what everybody's prompt may hold."""

    def model(self, reference: ModelRef) -> Model:
        """Open the model of that reference, adapter included."""

    def finder(self, index: str) -> Finder:
        """Open the index of that digest."""

    @property
    def spared(self) -> float:
        """Seconds that searches did not take so far, for what they ask for was kept."""

    def inline(self, part: Inline) -> tuple[Inline, str]:
        """Return the part with what everybody may read of its documents now, and a word on what changed; or none."""

    def shots(self, part: Shots) -> tuple[Shots, str]:
        """Return the part with the pairs that everybody may read now, and a word on what was left out; or none."""


def answer(stack: Stack, questions: Sequence[Question], workshop: Workshop) -> list[Answer]:
    """Answer a batch of questions, in their order. A question that fails is an answer with `error` set."""
    answers = {place: found for place, found in stream(stack, questions, workshop)}
    if len(answers) != len(questions):
        raise LeversError(f"stack {digest(stack)} answered {len(answers)} of {len(questions)} questions")
    return [answers[place] for place in range(len(questions))]


def stream(stack: Stack, questions: Sequence[Question], workshop: Workshop) -> Iterator[tuple[int, Answer]]:
    """Yield (place among the questions, answer) as soon as each is there, in any order."""
    drafts = assemble(stack, questions, workshop)
    asks = [ask(stack, draft) for draft in drafts]
    for place, done in exchanges(stack, asks, workshop.model(stack.model)):
        yield place, _answer(drafts[place], done)


def assemble(stack: Stack, questions: Sequence[Question], workshop: Workshop) -> list[Draft]:
    """Fold the stack's parts over the questions: the finished drafts, whose answers are still to be asked for."""
    drafts = [Draft(question=question) for question in questions]
    for part in stack.parts:
        drafts = apply(part, drafts, stack.model, workshop)
    return drafts


def ask(stack: Stack, draft: Draft) -> Ask:
    """Turn a finished draft into the ask that the model gets."""
    turns = shared_turns(draft)
    return Ask(
        messages=messages(draft),
        max_tokens=stack.model.max_tokens,
        temperature=stack.model.temperature,
        seed=stack.model.seed,
        json_schema=draft.json_schema,
        cache=CacheMark(turns=turns, lifetime=stack.model.cache) if stack.model.cache and turns else None,
    )


def apply(part: Part, drafts: list[Draft], model: ModelRef, workshop: Workshop) -> list[Draft]:
    """Let one part of the stack of that model change every draft."""
    if isinstance(part, Instruct):
        return [replace(draft, system=(part.text, *draft.system)) for draft in drafts]
    if isinstance(part, Inline):
        inlined, told = workshop.inline(part)
        texts = tuple(f"{name}\n{text}" for name, text in inlined.documents)
        return [_tell(part, replace(draft, system=(*draft.system, *texts)), told) for draft in drafts]
    if isinstance(part, Shots):
        shown, told = workshop.shots(part)
        return [_tell(part, show(shown, draft), told) for draft in drafts]
    if isinstance(part, Structure):
        return [replace(draft, json_schema=part.json_schema) for draft in drafts]
    if isinstance(part, Given):
        return [_given(part, draft) for draft in drafts]
    if isinstance(part, Reason):
        return drafts  # how the drafts are asked, not what is in them
    return _retrieve(part, _reworded(part, drafts, model, workshop), workshop)


def searched(stack: Stack, question: Question, workshop: Workshop) -> Query:
    """Return what the stack searches for a question: the question, and the other wordings that its model writes."""
    part, drafts = stack.part("retrieve"), [Draft(question=question)]
    if isinstance(part, Retrieve):
        drafts = _reworded(part, drafts, stack.model, workshop)
    return drafts[0].query


def _reworded(part: Retrieve, drafts: list[Draft], model: ModelRef, workshop: Workshop) -> list[Draft]:
    if not part.rewrites:
        return drafts
    plain = model.model_copy(update={"adapter": None})  # an adapter knows how to answer, not to ask
    return reworded(part.rewrites, drafts, workshop.model(plain), plain.seed)


def _tell(part: Part, draft: Draft, told: str) -> Draft:
    """Put a word on what a part did among the steps, if there is one."""
    return replace(draft, steps=(*draft.steps, StepTrace(name=part.kind, seconds=0.0, detail=told))) if told else draft


def _given(part: Given, draft: Draft) -> Draft:
    case = draft.question.id
    told = (part.told[case],) if case in part.told else ()
    return replace(
        draft,
        passages=part.passages.get(case, draft.passages),
        shots=part.pairs.get(case, draft.shots),
        json_schema=part.schemas.get(case, draft.json_schema),
        system=(*draft.system, *told),
    )


def _retrieve(part: Retrieve, drafts: list[Draft], workshop: Workshop) -> list[Draft]:
    finder = workshop.finder(part.index)
    detail = f"{{}} passages, {part.mode}{', reranked' if part.rerank else ''}"
    done: dict[int, Draft] = {}
    for user in dict.fromkeys(draft.question.user for draft in drafts):
        places = [place for place, draft in enumerate(drafts) if draft.question.user == user]
        started, spared = time.perf_counter(), workshop.spared
        found = finder.find([drafts[place].query for place in places], user, part)
        seconds = (time.perf_counter() - started + workshop.spared - spared) / len(places)
        for place, best in zip(places, found, strict=True):
            passages = lay(part, best, drafts[place].text)
            trace = StepTrace(name="retrieve", seconds=seconds, detail=detail.format(len(passages)))
            steps = (*drafts[place].steps, trace)
            done[place] = replace(drafts[place], passages=passages, around=part.around, steps=steps)
    return [done[place] for place in range(len(drafts))]


def _answer(draft: Draft, done: Exchange) -> Answer:
    shown, reply = draft.passages or (), done.reply
    return Answer(
        id=draft.question.id,
        text=reply.text,
        citations=cite(reply.text, shown),
        passages=shown,
        prompt=done.ask.messages,
        usage=draft.usage + reply.usage,
        steps=(*draft.steps, *done.steps),
        finish=reply.finish,
        confidence=reply.confidence,
        error=reply.error,
        thought=reply.thought,
        outage=draft.outage or reply.outage,
    )


def answerer(stack: Stack, workshop: Workshop) -> Callable[[Sequence[Question]], Iterator[Answer]]:
    """Return the stack as a function from questions to answers, each given as soon as it is there."""

    def run(questions: Sequence[Question]) -> Iterator[Answer]:
        return (found for _, found in stream(stack, questions, workshop))

    return run
