"""JSON Schemas to hold enforcement against: those of real replies, and generated ones over what schemas can say.

Of the schemas of real replies there are two kinds: with a maximum for every string, array and number, so that any model
comes to an end by itself, and as people write them, with none. Of the parts of generated ones a fifth have none.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
STRING, ITEMS = 12, 2  # the longest string in characters and the longest array
_MAXIMA = {"maxLength", "maxItems", "minimum", "maximum"}
KINDS = 3  # of items that an array's schema tells apart
DEPTH = 3  # of a generated schema
ENDLESS = 0.2  # of a generated schema's parts: those without a maximum
_NAMES = [
    "id",
    "name",
    "city",
    "total",
    "paid",
    "due",
    "tags",
    "lines",
    "note",
    "status",
    "kind",
    "rate",
    "from",
    "to",
    "by",
    "ref",
    "unit",
    "größe",
    "名前",
    "e-mail",
]
_WORDS = [
    "open",
    "closed",
    "refund",
    "delivery",
    "north",
    "south",
    "gold",
    "plain",
    "yes",
    "no",
    "n/a",
    "7",
    "größer",
    "東京",
    "it's",
]


def of_replies(file: Path, bounded: bool = True) -> list[Schema]:
    """Return the schema of every chat's last reply in a file of chats whose replies are JSON, repeats left out."""
    found: dict[str, Schema] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        reply = json.loads(json.loads(line)["messages"][-1]["content"])
        schema = schema_of(reply) if bounded else unbounded(schema_of(reply))
        found[json.dumps(schema, sort_keys=True)] = schema
    return list(found.values())


def schema_of(value: Any) -> Schema:
    """Return the schema of one JSON value: its keys, all required, its types, and bounds."""
    if isinstance(value, dict):
        properties = {key: schema_of(each) for key, each in value.items()}
        return {"type": "object", "properties": properties, "required": [*value], "additionalProperties": False}
    if isinstance(value, list):
        kinds = {json.dumps(schema): schema for schema in map(schema_of, value)}
        items = list(kinds.values())[:KINDS]
        kind: Schema = items[0] if len(items) == 1 else {"anyOf": items} if items else {"type": "null"}
        return {"type": "array", "items": kind, "maxItems": ITEMS}
    if isinstance(value, bool) or value is None:
        return {"type": "boolean" if value is not None else "null"}
    if isinstance(value, int | float):
        return {"type": "integer", "minimum": -99_999, "maximum": 99_999}
    return {"type": "string", "maxLength": STRING}


def unbounded(node: Any) -> Any:
    """Return a schema without its maxima: strings, arrays and numbers may go on for ever."""
    if isinstance(node, list):
        return [unbounded(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: unbounded(value) for key, value in node.items() if key not in _MAXIMA}
    if "properties" in node:  # its keys are names of the data's, "maximum" may be one
        kept["properties"] = {name: unbounded(each) for name, each in node["properties"].items()}
    return {**kept, "type": "number"} if kept.get("type") == "integer" else kept


def generated(count: int, seed: int = 0) -> Iterator[Schema]:
    """Yield random schemas: nested objects, optional keys, enums, constants, patterns, formats, unions, references."""
    draw = random.Random(seed)
    known: set[str] = set()
    while len(known) < count:
        schema = _object(draw, DEPTH)
        if draw.random() < 0.2:
            schema["$defs"] = {"part": _object(draw, 1)}
            schema["properties"]["part"] = {"$ref": "#/$defs/part"}
            schema["required"] = [*schema["required"], "part"]
        if str(schema) not in known:
            known.add(str(schema))
            yield schema


def _object(draw: random.Random, depth: int) -> Schema:
    names = draw.sample(_NAMES, draw.randint(1, 4))
    properties = {name: _any(draw, depth - 1) for name in names}
    required = [name for name in names if draw.random() < 0.7]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _any(draw: random.Random, depth: int) -> Schema:
    if depth > 0 and draw.random() < 0.4:
        inner = _object(draw, depth)
        return inner if draw.random() < 0.6 else {"type": "array", "items": inner, "maxItems": ITEMS}
    low = draw.randint(-50, 50)
    leaves: list[Schema] = [
        {"type": "string", "maxLength": draw.randint(0, STRING)},
        {"type": "string", "minLength": 2, "maxLength": STRING},
        {"type": "string", "pattern": draw.choice([r"^[A-Z]{2}-[0-9]{3}$", r"^(yes|no|maybe)$", r"^\d{1,4}(,\d\d)?$"])},
        {"type": "string", "format": draw.choice(["date", "uuid", "ipv4"])},
        {"enum": draw.sample([*_WORDS, 3, None, True], 4)},
        {"const": draw.choice([*_WORDS, 0, False])},
        {"type": "integer", "minimum": low, "maximum": low + draw.randint(0, 2000)},
        {"type": "boolean"},
        {"type": ["string", "null"], "maxLength": STRING},
        {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 9}]},
        {"type": "array", "items": {"enum": draw.sample(_WORDS, 3)}, "minItems": 1, "maxItems": ITEMS},
    ]
    endless: list[Schema] = [
        {"type": "string"},
        {"type": "number"},
        {"type": "string", "format": "time"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "array", "items": _object(draw, 1) if depth > 0 else {"type": "integer"}, "minItems": 1},
        {"type": "object", "additionalProperties": {"type": "boolean"}},
    ]
    return draw.choice(endless if draw.random() < ENDLESS else leaves)
