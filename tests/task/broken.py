"""Malformed projects as data: what is broken, and what `levers check` has to say about it."""

from dataclasses import dataclass
from typing import Any

from tests.task.conftest import CONFIG, as_lines, cases


def config(old: str, new: str) -> str:
    assert old in CONFIG
    return CONFIG.replace(old, new)


def golden(*extra: dict[str, Any]) -> str:
    return as_lines([*cases(), *extra])


def example(question: str, answer: str = "Yes.") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


@dataclass
class Broken:
    name: str
    files: dict[str, str | bytes | None]
    file: str
    line: int | None
    found: str
    hint: str
    field: str | None = None


SCHEMA_CONFIG = config("- kind: exact", "- {kind: schema, schema: answer.schema.json}")
