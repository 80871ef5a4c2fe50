"""Close the objects of a JSON Schema that leave other keys open, so that a model cannot go on adding keys."""

import json
from itertools import permutations
from typing import Any

_PARTS = (
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
)  # what is said of the same object elsewhere


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Close every object that lists properties and leaves others open; whatever fits is valid as the schema was given.

    Left open are objects whose parts combine (`allOf`, `anyOf` or `$ref` beside properties, a required key that is not
    listed), and the branches of a `oneOf` that nothing but being closed would tell apart.
    """
    return schema if '"allOf"' in json.dumps(schema) or _joined(schema) else dict(_closed(schema))


def _joined(node: Any) -> bool:
    """Tell whether an object lists properties beside a reference: what is referred to must not be closed either."""
    if isinstance(node, list):
        return any(_joined(item) for item in node)
    if not isinstance(node, dict):
        return False
    return ("$ref" in node and "properties" in node) or any(_joined(value) for value in node.values())


def _closed(node: Any, close: bool = True) -> Any:
    """Close a schema and those within it; without `close` itself and the parts that speak of the same object stay."""
    if isinstance(node, list):
        return [_closed(item, close) for item in node]
    if not isinstance(node, dict):
        return node
    listed = node.get("properties") if isinstance(node.get("properties"), dict) else None
    combined = listed is not None and (
        any(key in node for key in _PARTS) or not set(node.get("required", ())) <= set(listed)
    )
    close = close and not combined
    inner = {key: _closed_value(key, value, close) for key, value in node.items()}
    kinds = node.get("type", "object")
    if close and listed is not None and "object" in ([kinds] if isinstance(kinds, str) else kinds):
        inner.setdefault("additionalProperties", False)
    return inner


def _closed_value(key: str, value: Any, close: bool) -> Any:
    if key in {"const", "enum", "default", "examples"}:  # data, not schemas
        return value
    if key in {"properties", "$defs", "definitions"} and isinstance(value, dict):  # names, each with a schema
        return {name: _closed(schema) for name, schema in value.items()}
    if key == "oneOf" and isinstance(value, list):
        return _closed(value, close and all(_apart(one, other) for one, other in permutations(value, 2)))
    return _closed(value, close if key in _PARTS else True)


def _apart(one: Any, other: Any) -> bool:
    """Tell whether what fits the first, closed, cannot fit the second, be that one open."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return False
    kinds = [each.get("type", "object") for each in (one, other)]
    if kinds != ["object", "object"]:
        return all(isinstance(kind, str) for kind in kinds) and kinds[0] != kinds[1]
    mine, theirs = one.get("properties", {}), other.get("properties", {})
    if not set(other.get("required", ())) <= set(mine):
        return True
    there = set(one.get("required", ())) & set(mine) & set(theirs)
    return any(
        not _values(mine[key]) & _values(theirs[key]) for key in there if _values(mine[key]) and _values(theirs[key])
    )


def _values(schema: Any) -> set[str]:
    """Return the few values that a schema allows, as JSON; none where it names none."""
    if not isinstance(schema, dict):
        return set()
    named = [schema["const"]] if "const" in schema else schema.get("enum", [])
    return {json.dumps(value, sort_keys=True) for value in named}
