"""`levers.yaml`: from text to a typed configuration, every problem with its line."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from levers.errors import Problem
from levers.ledger.yaml import parse_yaml
from levers.task.records import GraderSpec, TaskConfig
from levers.task.text import read_text, show
from levers.task.wording import FIELDS, explain, hint_of, unwritten

NAME = "levers.yaml"

_DEEPEST = 50  # a file that refers to itself through anchors has no end


@dataclass(frozen=True)
class Written:
    """A YAML file as written: plain data, and the tree that knows the lines."""

    file: str
    data: dict[str, Any]
    tree: Any

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line (from 1) of the deepest part of `path` that exists."""
        return line_of(self.tree, path)

    def text(self, *path: str) -> str | None:
        """Return the text at a path, or None when nothing or something else stands there."""
        value: Any = self.data
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, str) and value.strip() else None

    def graders(self) -> list[tuple[int, GraderSpec]]:
        """Return the well-formed graders with their places in the list."""
        entries = self.data.get("graders")
        specs = []
        for place, entry in enumerate(entries if isinstance(entries, list) else []):
            try:
                specs.append((place, GraderSpec.model_validate(entry)))
            except ValidationError:
                continue
        return specs


def line_of(tree: Any, path: Sequence[str | int]) -> int:
    """Return the line (from 1) where a ruamel tree holds the deepest existing part of a path."""
    line, node = 1, tree
    for key in path:
        try:
            position = node.lc.item(key) if isinstance(key, int) else node.lc.key(key)
            node = node[key]
        except (KeyError, IndexError, AttributeError, TypeError):
            break
        line = position[0] + 1
    return line


def read_config(root: Path) -> tuple[Written | None, TaskConfig | None, list[Problem]]:
    """Read the project's `levers.yaml`: as written if it is a mapping, typed if it is right, and all that is wrong."""
    text, problem = read_text(root / NAME, NAME)
    if text is None or problem:
        return None, None, [problem] if problem else []
    tree, problem = parse_yaml(text, NAME)
    if problem:
        return None, None, [problem]
    try:
        data = plain_data(tree)
    except RecursionError:
        data = None
    if not isinstance(data, dict):
        found = "an empty file" if tree is None else f"{show(data)}"
        hint = "start from the project that `levers init` writes"
        return (
            None,
            None,
            [Problem(file=NAME, line=1, found=found, expected="keys such as name, golden, graders", hint=hint)],
        )
    written = Written(NAME, data, tree)
    problems = [_odd(written, path, value) for path, value in _leaves(data) if _is_odd(path, value)]
    try:
        config = TaskConfig.model_validate(data)
    except ValidationError as error:
        return written, None, explain(error, TaskConfig, data, NAME, written.line) + problems
    return written, None if problems else config, problems


def plain_data(node: Any, depth: int = 0) -> Any:
    """Return a ruamel tree as plain data; keys become text. Raises RecursionError for one too deep to be walked."""
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(node, dict):
        return {str(key): plain_data(value, depth + 1) for key, value in node.items()}
    if isinstance(node, list):
        return [plain_data(value, depth + 1) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    return next((kind(node) for kind in (str, int, float) if isinstance(node, kind)), node)


def _leaves(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from _leaves(value, (*path, place))
    else:
        yield path, data


def _is_odd(path: tuple[str | int, ...], value: Any) -> bool:
    """Say whether pydantic would take the value for a number although nobody means it so: true, .nan, .inf."""
    truth = isinstance(value, bool) and path[-1:] != ("pairwise",)
    return truth or (isinstance(value, float) and not math.isfinite(value))


def _odd(written: Written, path: tuple[str | int, ...], value: Any) -> Problem:
    name = str(path[-1])
    key = next((key for key in FIELDS if key.split(".")[1] == name), "")
    return Problem(
        file=written.file,
        line=written.line(path),
        field=unwritten(path),
        found=show(value),
        expected=FIELDS.get(key, "a text or a number"),
        hint=hint_of(key),
    )
