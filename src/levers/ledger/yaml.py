"""YAML that people write: trees that remember their lines, and one wording for whatever the parser dislikes."""

import warnings
from typing import Any

from levers.errors import Problem

_MOST = 100_000  # values that aliases may make of a file, or as many as it has characters
_TWICE, _LOOK = "keep one of the two", "look at indentation, colons and quotes around this line; indent with spaces"
_END = ("end of stream", "<stream end>", "document separator")  # something was opened above and is never closed
_PLAIN = {  # the parser's words for the commonest slips
    "mapping values are not allowed here": 'a ":" where none may stand',
    "could not find expected ':'": 'a line without a ":"',
}


def parse_yaml(text: str, shown: str) -> tuple[Any, Problem | None]:
    """Parse YAML 1.2 into a ruamel tree that keeps line numbers. The tree is None where there is a problem.

    A value that holds itself, or that aliases make too large to walk through, is one.
    """
    from ruamel.yaml import YAML  # imported here: `import levers` stays light
    from ruamel.yaml.error import ReusedAnchorWarning

    try:
        with warnings.catch_warnings():  # a repeated anchor is legal YAML
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            if "*" in text:
                _measure(YAML(typ="rt", pure=True).compose(text), max(_MOST, len(text)), {})
            return YAML(typ="rt", pure=True).load(text), None
    except Exception as error:  # the parser also raises its own internals' errors on odd input
        return None, _problem(error, text, shown)


class _Swollen(Exception):
    """What aliases make endless or too large."""

    def __init__(self, problem: str, node: Any) -> None:
        super().__init__(problem)
        self.problem = problem
        self.problem_mark = node.start_mark


def _measure(node: Any, most: int, known: dict[int, int]) -> int:
    """Return how many values, at most `most`, a node stands for with aliases written out; `known` are those so far."""
    size = known.get(id(node))
    if size is None:
        known[id(node)] = 0
        inner = node.value if isinstance(getattr(node, "value", None), list) else ()
        parts = (part for each in inner for part in (each if isinstance(each, tuple) else (each,)))
        size = known[id(node)] = 1 + sum(_measure(part, most, known) for part in parts)
    if size == 0:
        raise _Swollen("a value that holds itself", node)
    if size > most:
        raise _Swollen(f"aliases that stand for more than {most:,} values", node)
    return size


def _problem(error: Exception, text: str, shown: str) -> Problem:
    problem, context = getattr(error, "problem", None) or "", getattr(error, "context", None) or ""
    mark, opened = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    reason = " ".join((problem or context or str(error) or type(error).__name__).split("\n")[0].split())
    hint = _LOOK
    left_open = "quote" if "quoted" in context else "bracket" if "flow" in context else ""
    if left_open and any(end in reason for end in _END):
        mark, reason = opened or mark, f"a {left_open} that is never closed"
    elif isinstance(error, _Swollen):
        hint = "write it out, without an alias such as *name"
    elif "duplicate key" in reason:
        reason, hint = reason.split(" with value")[0], _TWICE
    elif reason in _PLAIN:
        mark, reason = opened or mark, _PLAIN[reason]
    for found in (", but found ", ", but got "):
        expected, _, reason = reason.rpartition(found)
        if expected:
            break
    expected = expected.removeprefix("expected ")
    last = text.rstrip().count("\n") + 1  # the parser may stop behind it
    return Problem(
        file=shown,
        line=min(mark.line + 1, last) if mark else 1,
        found=reason.removeprefix("but ").removeprefix("found "),
        expected=f"valid YAML ({expected})" if expected else "valid YAML",
        hint=hint,
    )


def line_of(container: Any, key: Any) -> int | None:
    """Return the line (from 1) of a mapping's key or a list's item, if the parser kept it."""
    places = getattr(getattr(container, "lc", None), "data", None) or {}
    place = places.get(key)
    return None if place is None else int(place[0]) + 1


def describe(value: Any) -> str:
    """Return what stands in a YAML file, in few words."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "a mapping"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
