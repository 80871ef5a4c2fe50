"""How a stack reasons: what is asked before the answer, and how the reasoning is taken out of it again."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from levers.economics.usage import Usage
from levers.ledger import Message, whole
from levers.model.contract import Ask, Reply
from levers.model.reading import unthought
from levers.stack.records import Reason

THINK = (
    "First think step by step about what is asked and what is given, between <think> and </think>. "
    "Then write the answer alone, in the form asked for."
)
THINK_JSON = (
    'First think step by step about what is asked and what is given, in "reasoning". Then give the answer in '
    '"answer", in the form asked for.'
)
VERIFY = (
    "Check your answer against everything above: is it supported, complete, and in the form asked for? "
    "Write the right answer alone, without a word about the check. If it was right, write it again."
)
REPAIR = "That reply is not valid: {wrong}. Write it again, as JSON of the schema asked for and nothing else."
_ROOT = ("$defs", "definitions", "$schema")


def asks_of(part: Reason | None, ask: Ask) -> list[Ask]:
    """Return what is asked for one question: the ask with room and a word for thought, `samples` times."""
    if part is None:
        return [ask]
    if part.think:
        ask = _thinking(part, ask)
    if part.samples == 1:
        return [ask]
    drawn = {"temperature": part.temperature}
    return [ask.model_copy(update={**drawn, "seed": ask.seed + place}) for place in range(part.samples)]


def _thinking(part: Reason, ask: Ask) -> Ask:
    told = THINK if ask.json_schema is None else THINK_JSON
    first = ask.messages[0]
    if first.role == "system":
        turns = (Message(role="system", content=f"{first.content}\n\n{told}"), *ask.messages[1:])
    else:
        turns = (Message(role="system", content=told), *ask.messages)
    added = len(turns) - len(ask.messages)
    change = {
        "messages": turns,
        "max_tokens": ask.max_tokens + part.budget,
        "json_schema": None if ask.json_schema is None else wrapped(ask.json_schema),
        "cache": ask.cache and ask.cache.model_copy(update={"turns": ask.cache.turns + added}),
    }
    return ask.model_copy(update=change)


def wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    """Put a schema behind a text of reasoning. Definitions move to the root, where references look for them."""
    root = {key: schema[key] for key in _ROOT if key in schema}
    answer = {key: value for key, value in schema.items() if key not in _ROOT}
    return {
        **root,
        "type": "object",
        "properties": {"reasoning": {"type": "string"}, "answer": answer},
        "required": ["reasoning", "answer"],
        "additionalProperties": False,
    }


def answer_alone(part: Reason | None, ask: Ask, reply: Reply) -> Reply:
    """Take the reasoning out of a reply. One that was cut while it thought has no answer."""
    if part is None or not part.think or reply.finish in {"error", "refusal", "filter"}:
        return reply
    if ask.json_schema is None:
        thought, text = unthought(reply.text)
        return reply.model_copy(update={"text": text, "thought": thought or reply.thought})
    try:
        held = json.loads(reply.text)
        thought, text = str(held["reasoning"]), whole(json.dumps(held["answer"], ensure_ascii=False))
    except (ValueError, KeyError, TypeError, RecursionError):
        return reply.model_copy(update={"text": "", "thought": reply.text})
    return reply.model_copy(update={"text": text, "thought": thought})


def unwrapped(reply: Reply) -> Reply:
    """Return the reply with the value of "answer" as its text; one that is no such object stays as it is."""
    try:
        value = json.loads(reply.text)["answer"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return reply
    return reply.model_copy(update={"text": value if isinstance(value, str) else json.dumps(value)})


def voted(replies: Sequence[Reply]) -> Reply:
    """Return the reply whose answer most of them give, the earliest of equals; usage of all, confidence its share.

    Answers are the same when they are the same JSON, or the same words whatever their case. Replies without an answer
    have no vote; one lost to an outage might have changed it. Samples of a model that runs here take their time one
    after the other, a server's all at once.
    """
    done = [reply for reply in replies if reply.finish != "error" and reply.text.strip()]
    usage = sum((reply.usage for reply in replies), Usage())
    times = [reply.seconds for reply in replies]
    seconds = sum(times) if usage.compute_seconds else max(times)
    lost = any(reply.outage for reply in replies)
    spent: dict[str, Any] = {"usage": usage, "seconds": seconds, "outage": lost}
    if not done:
        return replies[0].model_copy(update=spent)
    counts = Counter(_same(reply.text) for reply in done)
    best, votes = counts.most_common(1)[0]
    chosen = next(reply for reply in done if _same(reply.text) == best)
    return chosen.model_copy(update={**spent, "confidence": votes / len(replies)})


def _same(text: str) -> str:
    try:
        return json.dumps(json.loads(text), sort_keys=True).casefold()
    except (ValueError, RecursionError):
        return " ".join(text.casefold().split())


def once_more(ask: Ask, answer: str, told: str) -> Ask:
    """Return the ask that sends an answer back with a word on it."""
    back = (Message(role="assistant", content=answer), Message(role="user", content=told))
    return ask.model_copy(update={"messages": (*ask.messages, *back)})
