"""YAML with line numbers, and one exception for whatever the parser dislikes."""

from typing import Any


class YamlFault(ValueError):
    """The text is not YAML we can use; `line` counts from 1."""

    def __init__(self, message: str, line: int | None) -> None:
        """Keep the parser's message in one line, and where it stopped."""
        super().__init__(message)
        self.line = line


def parse(text: str) -> Any:
    """Parse YAML into mappings and lists that remember their lines. Raises YamlFault."""
    from ruamel.yaml import YAML

    try:
        return YAML(typ="rt", pure=True).load(text)
    except Exception as error:  # the parser also raises its own internals' errors on odd input
        mark = getattr(error, "problem_mark", None)
        message = getattr(error, "problem", None) or str(error).split("\n", 1)[0] or type(error).__name__
        raise YamlFault(str(message), None if mark is None else mark.line + 1) from error


def line_of(container: Any, key: Any) -> int | None:
    """Return the line (from 1) of a mapping's key or a list's item, if the parser kept it."""
    places = getattr(getattr(container, "lc", None), "data", None) or {}
    place = places.get(key)
    return None if place is None else int(place[0]) + 1
