"""Close the objects of a JSON Schema that leave other keys open, so that a model cannot go on adding keys."""

import json
from typing import Any


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Close every object that lists properties and leaves others open; not under `allOf`, where parts must combine."""
    return schema if '"allOf"' in json.dumps(schema) else dict(_closed(schema))


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    inner = {key: _closed_value(key, value) for key, value in node.items()}
    if isinstance(inner.get("properties"), dict) and inner.get("type", "object") == "object":
        inner.setdefault("additionalProperties", False)
    return inner


def _closed_value(key: str, value: Any) -> Any:
    if key in {"const", "enum", "default", "examples"}:  # data, not schemas
        return value
    if key in {"properties", "$defs", "definitions"} and isinstance(value, dict):  # names, each with a schema
        return {name: _closed(schema) for name, schema in value.items()}
    return _closed(value)
