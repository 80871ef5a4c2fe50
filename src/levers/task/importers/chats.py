"""Conversations whose last turn is the answer: OpenAI chat lines and TensorZero datapoints."""

import json
from pathlib import Path
from typing import Any

from levers.task.importers.records import (
    Faults,
    Imported,
    as_expected,
    as_input,
    common_system,
    fitting_graders,
    rows_of,
)

Turns = list[dict[str, str]]


def read_openai(path: Path) -> Imported:
    """Read OpenAI chat JSON Lines ({"messages": […]}), the form of its tuning files: the last turn is expected.

    Content may be a text or a list of text parts. Lines that end in a tool call have no text to compare and are left
    out. A system message that all lines share becomes the brief.
    """
    faults, talks = Faults(path.name), list[tuple[str, Turns]]()
    skipped = 0
    for line, row in rows_of(path):
        messages = row.get("messages")
        if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
            faults.add(line, "messages", messages if messages is not None else "nothing", "a list of messages")
            continue
        turns = [_turn(each) for each in messages]
        if not turns[-1]["content"] or any(each["role"] == "tool" for each in turns):
            skipped += 1
        elif turns[-1]["role"] != "assistant" or turns[-2:-1] == [] or turns[-2]["role"] != "user":
            faults.add(line, "messages", turns[-1]["role"], "a user message, then the assistant's answer, at the end")
        else:
            talks.append((str(row.get("id") or f"q{line}"), turns))
    faults.stop()
    return _imported(talks, skipped, "end in a tool call or use tools")


def read_tensorzero(path: Path) -> Imported:
    """Read TensorZero datapoints as its gateway lists them, chat and JSON functions: JSON Lines or a JSON list.

    `output` is expected: the texts of a chat output, `parsed` (else `raw`) of a JSON output. Datapoints without one,
    and those that call tools, are left out. Each keeps its function and tags.
    """
    faults, talks, skipped = Faults(path.name), list[tuple[str, Turns]](), 0
    tags: dict[str, list[str]] = {}
    for line, row in rows_of(path):
        given = row.get("input")
        if not isinstance(given, dict) or not isinstance(given.get("messages"), list):
            faults.add(line, "input", given if given is not None else "nothing", 'an object with "messages"')
            continue
        answer = _output(row.get("output"))
        turns = [_turn(each) for each in given["messages"] if isinstance(each, dict)]
        if not answer or not turns or turns[-1]["role"] != "user":
            skipped += 1
            continue
        system = given.get("system")
        if system:
            turns.insert(0, {"role": "system", "content": system if isinstance(system, str) else json.dumps(system)})
        name, given_tags = str(row.get("id") or f"q{line}"), row.get("tags") or {}
        if not isinstance(given_tags, dict):
            faults.add(line, "tags", given_tags, "an object of names and texts")
            continue
        tags[name] = [str(row["function_name"])] if row.get("function_name") else []
        tags[name] += [f"{key}:{value}" for key, value in given_tags.items()]
        talks.append((name, [*turns, {"role": "assistant", "content": answer}]))
    faults.stop()
    found = _imported(talks, skipped, "have no output of text, or do not end with the user")
    for case in found.cases:
        case["tags"] = tags[case["id"]]
    functions = sorted({each[0] for each in tags.values() if each})
    if len(functions) > 1:
        found.note(f"several functions in one set ({', '.join(functions)}): one task a project works better")
    return found


def _imported(talks: list[tuple[str, Turns]], skipped: int, why: str) -> Imported:
    found = Imported(instructions=common_system(turns for _, turns in talks))
    for name, turns in talks:
        asked = turns[1:-1] if found.instructions else turns[:-1]
        found.cases.append({"id": name, "input": as_input(asked), "expected": as_expected(turns[-1]["content"])})
    if skipped:
        found.note(f"{skipped} conversations are left out: they {why}")
    found.graders = fitting_graders(found.cases) if found.cases else []
    return found


def _turn(message: dict[str, Any]) -> dict[str, str]:
    """Return a message as role and text."""
    role = str(message.get("role"))
    if message.get("tool_calls") or message.get("function_call"):
        return {"role": "tool", "content": ""}
    return {"role": "system" if role == "developer" else role, "content": content_text(message.get("content"))}


def content_text(content: Any) -> str:
    """Return a content's text: a text, or the text parts of a list (`text`, `value` or `content` of each)."""
    if isinstance(content, str):
        return content.strip()
    if not isinstance(content, list):
        return ""
    found = []
    for part in content:
        if isinstance(part, dict) and part.get("type") in ("text", None, "input_text", "output_text"):
            value = next((part[key] for key in ("text", "value", "content", "arguments") if part.get(key)), "")
            found.append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return "\n".join(found).strip()


def _output(output: Any) -> str:
    if isinstance(output, dict):  # of a JSON function
        parsed = output.get("parsed")
        return json.dumps(parsed, ensure_ascii=False) if isinstance(parsed, dict) else str(output.get("raw") or "")
    if isinstance(output, list) and any(isinstance(each, dict) and each.get("type") == "tool_call" for each in output):
        return ""
    return content_text(output)
