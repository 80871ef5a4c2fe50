"""Ask a model for the answers of many drafts: once each, or as often as the stack's reasoning and structure want."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from levers.model.contract import Ask, Model, Reply
from levers.model.replayed import Streams
from levers.stack.reasoning import REPAIR, VERIFY, answer_alone, asks_of, once_more, unwrapped, voted
from levers.stack.records import Reason, Stack, StepTrace, Structure

_FINAL = frozenset({"error", "refusal", "filter"})  # nothing to check or to mend in these
_LONGEST = 300  # characters of what is wrong with a reply


@dataclass(frozen=True)
class Exchange:
    """What was asked for one draft, and the reply that counts; usage of all calls is in it, seconds step by step."""

    ask: Ask
    reply: Reply
    steps: tuple[StepTrace, ...]


def exchanges(stack: Stack, asks: Sequence[Ask], model: Model) -> Iterator[tuple[int, Exchange]]:
    """Yield (place, exchange) for every ask, in any order; those that are final at once come as they come."""
    reason, structure = stack.part("reason"), stack.part("structure")
    found = _first(reason if isinstance(reason, Reason) else None, asks, model)
    if isinstance(reason, Reason) and reason.verify:
        found = _again(found, model, "verify", lambda done: VERIFY if done.reply.finish not in _FINAL else "")
    for _ in range(structure.repairs if isinstance(structure, Structure) else 0):
        found = _again(found, model, "repair", _wrong_form)
    if isinstance(structure, Structure) and structure.unwrap:
        return ((place, replace(done, reply=unwrapped(done.reply))) for place, done in found)
    return found


def _first(part: Reason | None, asks: Sequence[Ask], model: Model) -> Iterator[tuple[int, Exchange]]:
    """Ask once, or as often as votes are wanted; reasoning is taken out of the replies."""
    sent = [asks_of(part, ask) for ask in asks]
    whole = [(place, each) for place, group in enumerate(sent) for each in group]
    gathered: dict[int, dict[int, Reply]] = {}
    for number, reply in replies(model, [ask for _, ask in whole]):
        place, ask = whole[number]
        group = gathered.setdefault(place, {})
        group[number] = answer_alone(part, ask, reply)
        if len(group) == len(sent[place]):
            drawn = [group[each] for each in sorted(group)]
            final = voted(drawn) if len(drawn) > 1 else drawn[0]
            detail = final.finish if len(drawn) == 1 else f"{final.finish}, vote of {len(drawn)}"
            trace = StepTrace(name="answer", seconds=final.seconds, detail=detail)
            yield place, Exchange(asks[place] if part else ask, final, (trace,))


def _again(
    found: Iterator[tuple[int, Exchange]], model: Model, name: str, told: Callable[[Exchange], str]
) -> Iterator[tuple[int, Exchange]]:
    """Pass on what needs no second look; ask for the rest again, all at once. `told` says what to say, "" for no."""
    back: list[tuple[int, Exchange, Ask]] = []
    for place, done in found:
        word = told(done)
        if not word:
            yield place, done
            continue
        back.append((place, done, once_more(done.ask, done.reply.text, word)))
    for number, reply in replies(model, [ask for _, _, ask in back]):
        place, done, _ = back[number]
        yield place, _joined(done, reply, name)


def _joined(done: Exchange, reply: Reply, name: str) -> Exchange:
    """Let the second reply count where there is one; both are paid for."""
    trace = StepTrace(name=name, seconds=reply.seconds, detail=reply.finish)
    usage = done.reply.usage + reply.usage
    kept = done.reply if reply.finish in _FINAL or not reply.text.strip() else reply
    lost = done.reply.outage or reply.outage
    kept = kept.model_copy(update={"usage": usage, "thought": done.reply.thought or kept.thought, "outage": lost})
    return replace(done, reply=kept, steps=(*done.steps, trace))


def _wrong_form(done: Exchange) -> str:
    """Say what is wrong with the form of a reply; empty where nothing is, or where nothing can be mended."""
    if done.ask.json_schema is None or done.reply.finish in _FINAL or done.reply.finish == "length":
        return ""  # what was cut would be cut again
    wrong = wrong_form(done.reply.text, done.ask.json_schema)
    return REPAIR.format(wrong=wrong) if wrong else ""


def wrong_form(text: str, schema: dict[str, object]) -> str:
    """Say why a text is no JSON of that schema, with the place; empty when it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"it is no JSON ({error})"[:_LONGEST]
    try:
        found = next(Draft202012Validator(schema).iter_errors(value), None)
    except SchemaError:
        return ""  # the schema itself is broken: its grader says so
    return f"at {found.json_path}: {found.message}"[:_LONGEST] if found else ""


def replies(model: Model, asks: Sequence[Ask]) -> Iterator[tuple[int, Reply]]:
    """Yield (place among the asks, reply) as soon as each is there."""
    if not asks:
        return
    if isinstance(model, Streams):
        for done in model.stream(asks):
            yield from done.items()
        return
    yield from enumerate(model.answer(asks))
