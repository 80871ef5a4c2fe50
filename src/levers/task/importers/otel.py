"""Traces in OTLP JSON with OpenTelemetry's GenAI attributes: what was asked and answered in production."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from levers.errors import Problem, UserError
from levers.task.importers.chats import content_text
from levers.task.importers.records import (
    Faults,
    Imported,
    as_expected,
    as_input,
    common_system,
    fitting_graders,
    rows_of,
    text_of,
)
from levers.task.text import parse_json

_OLD_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
}
_REVIEW = "expected answers are what the model said then, tagged unreviewed: review them before you trust a figure"

Turns = list[dict[str, str]]


def read_otel(path: Path) -> Imported:
    """Read spans of chat operations from OTLP JSON: a file of one export, or one export a line (the file exporter's).

    Messages come from `gen_ai.input.messages`, `gen_ai.output.messages` and `gen_ai.system_instructions`; from the
    message events of conventions before 1.37; or from `gen_ai.prompt.N.content` as OpenLLMetry writes it. Spans without
    recorded messages are left out: recording content is off by default.
    """
    found, talks, silent = Imported(), list[tuple[str, Turns, str, str]](), 0
    for span in _spans(path):
        attributes = _attributes(span.get("attributes"))
        if not any(name.startswith("gen_ai.") for name in attributes):
            continue
        turns, answer = _messages(attributes, span)
        if not answer or not turns or turns[-1]["role"] != "user":
            silent += 1
            continue
        model = str(attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model") or "")
        talks.append((str(span.get("spanId") or f"span-{len(talks) + 1}"), turns, answer, model))
    if not talks:
        hint = (
            "switch on the recording of message content in your instrumentation" if silent else "export traces as JSON"
        )
        spans = f"{silent} GenAI spans, none with a question and an answer" if silent else "no GenAI span"
        raise UserError(Problem(file=path.name, found=spans, expected="spans with recorded messages", hint=hint))
    found.instructions = common_system(turns for _, turns, _, _ in talks)
    for name, turns, answer, model in talks:
        asked = as_input(turns[1:] if found.instructions else turns)
        tags = ["unreviewed", *([f"model:{model}"] if model else [])]
        found.cases.append({"id": name, "input": asked, "expected": as_expected(answer), "tags": tags})
    found.note(_REVIEW)
    if silent:
        found.note(f"{silent} GenAI spans are left out: they recorded no question and answer")
    found.graders = fitting_graders(found.cases)
    return found


def _spans(path: Path) -> list[dict[str, Any]]:
    text = text_of(path)
    whole, problem = parse_json(text, path.name)
    exports = [(1, whole)] if problem is None and isinstance(whole, dict) else rows_of(path)
    faults, spans = Faults(path.name), list[dict[str, Any]]()
    for line, export in exports:
        data = faults.objects(line, "data", export["data"]) if isinstance(export.get("data"), list) else [export]
        for resource in _inner(faults, line, data, "resourceSpans"):
            old = "scopeSpans" if resource.get("scopeSpans") else "instrumentationLibrarySpans"
            for span in _inner(faults, line, _inner(faults, line, [resource], old), "spans"):
                faults.objects(line, "events", span.get("events"))
                faults.objects(line, "attributes", span.get("attributes"))
                spans.append(span)
    faults.stop()
    return spans


def _inner(faults: Faults, line: int, outer: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Return the objects that stand under a key of others."""
    return [inner for each in outer for inner in faults.objects(line, key, each.get(key))]


def _attributes(pairs: Any) -> dict[str, Any]:
    """Turn OTLP's list of keys and typed values into a dictionary."""
    listed = pairs if isinstance(pairs, list) else []
    return {str(each["key"]): _value(each.get("value")) for each in listed if isinstance(each, dict) and "key" in each}


def _value(value: Any) -> Any:
    """Unwrap an AnyValue."""
    if not isinstance(value, dict):
        return value
    for key in ("arrayValue", "kvlistValue"):
        if key in value:
            held = value[key].get("values") if isinstance(value[key], dict) else None
            listed = held if isinstance(held, list) else []
            return [_value(each) for each in listed] if key == "arrayValue" else _attributes(listed)
    return next((each for key, each in value.items() if key.endswith("Value")), None)


def _messages(attributes: dict[str, Any], span: dict[str, Any]) -> tuple[Turns, str]:
    """Return the turns that were sent, and the first answer."""
    if "gen_ai.input.messages" in attributes:
        turns = _turns(attributes["gen_ai.input.messages"])
        system = _turns([{"role": "system", "parts": _json(attributes.get("gen_ai.system_instructions"))}])
        answers = _turns(attributes.get("gen_ai.output.messages"))
        return [*system, *turns], answers[0]["content"] if answers else ""
    events = [(str(each.get("name")), _attributes(each.get("attributes"))) for each in span.get("events") or []]
    turns = [
        {"role": _OLD_EVENTS[name], "content": content_text(found.get("content"))}
        for name, found in events
        if name in _OLD_EVENTS and found.get("content")
    ]
    choices = [found for name, found in events if name == "gen_ai.choice"]
    if turns and choices:
        message = _json(choices[0].get("message")) or choices[0]
        return turns, content_text(message.get("content")) if isinstance(message, dict) else ""
    return _numbered(attributes)


def _numbered(attributes: dict[str, Any]) -> tuple[Turns, str]:
    turns: Turns = []
    while (content := attributes.get(f"gen_ai.prompt.{len(turns)}.content")) is not None:
        role = str(attributes.get(f"gen_ai.prompt.{len(turns)}.role") or "user")
        turns.append({"role": role, "content": content_text(_json(content) if _is_list(content) else content)})
    return turns, content_text(attributes.get("gen_ai.completion.0.content"))


def _turns(value: Any) -> Turns:
    """Read messages as the conventions define them: a role and parts; as JSON text or structured."""
    found = _json(value)
    turns = []
    for each in found if isinstance(found, list) else []:
        if isinstance(each, dict):
            text = content_text(each.get("parts") if each.get("parts") is not None else each.get("content"))
            if text:
                turns.append({"role": str(each.get("role") or "user"), "content": text})
    return turns


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _is_list(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip().startswith("[")
