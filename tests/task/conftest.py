import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CONFIG = """\
name: shop
instructions: brief.md
golden: golden.jsonl
knowledge: {documents: docs/}
examples: examples.jsonl
models: {answer: pocket, embed: minilm}
graders:
  - kind: exact
targets: {quality: 0.9}
"""


def case(number: int, partition: str, **more: Any) -> dict[str, Any]:
    topics = ["tents", "boots", "stoves", "ropes", "maps", "filters", "bags", "lamps", "knives", "socks"]
    return {
        "id": f"c{number}",
        "input": f"How long is the guarantee on {topics[number % 10]} of type {number}?",
        "expected": "two years",
        "partition": partition,
        **more,
    }


def cases() -> list[dict[str, Any]]:
    return [
        case(1, "dev", evidence=["docs/returns.md#refunds"]),
        case(2, "dev"),
        case(3, "test"),
        case(4, "test"),
        case(5, "edge"),
    ]


def as_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a sound project, then replace (or, with None, remove) the files given."""

    def write(files: dict[str, str | bytes | None] | None = None) -> Path:
        root = tmp_path / "project"
        turns = [{"role": "user", "content": "May I swap a jacket?"}, {"role": "assistant", "content": "Yes."}]
        sound: dict[str, str | bytes | None] = {
            "levers.yaml": CONFIG,
            "brief.md": "Answer in a few words.\n",
            "golden.jsonl": as_lines(cases()),
            "examples.jsonl": as_lines([{"messages": turns}]),
            "docs/returns.md": "# Returns\n\n## Refunds\n\nWithin 30 days.\n",
        }
        for name, content in {**sound, **(files or {})}.items():
            if content is None:
                continue
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return write


def tree_hash(root: Path) -> str:
    """Name everything under a folder: paths, contents and times of change."""
    parts = [
        f"{path.relative_to(root)} {path.stat().st_mtime_ns} {path.read_bytes().hex() if path.is_file() else ''}"
        for path in sorted(root.rglob("*"))
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
