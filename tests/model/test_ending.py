"""A reply that runs out of room under a schema is closed: valid, within its room, and begun as it was."""

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from levers.ledger import Message
from levers.model import Ask, open_model

from .conftest import save_tiny

llguidance = pytest.importorskip("llguidance")
transformers = pytest.importorskip("transformers")

from levers.model.structure import Constrainer  # noqa: E402

TEXT = {"type": "string"}
CODE = {"type": "string", "pattern": "^[a-z]+-[0-9]{2}$"}
PERSON = {"type": "object", "properties": {"name": TEXT, "age": {"type": "integer"}}, "required": ["name", "age"]}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"answer": TEXT}, "required": ["answer"]},
    {"type": "array", "items": PERSON},
    {"type": "array", "items": {"type": "number"}, "minItems": 2},
    {"type": "object", "properties": {"people": {"type": "array", "items": PERSON}, "by": TEXT}, "required": ["by"]},
    {"type": "object", "additionalProperties": {"type": "array", "items": {"type": ["string", "null"]}}},
    {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"of": {"anyOf": [{"$ref": "#/$defs/node"}, TEXT, {"type": "boolean"}]}},
                "required": ["of"],
            }
        },
    },
    {"type": "object", "properties": {"at": {"type": "string", "format": "time"}}, "required": ["at"]},
    {"type": "object", "properties": {"code": CODE}, "required": ["code"]},
]


@cache
def constrainer(folder: Path) -> tuple[Constrainer, Any]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return Constrainer(tokenizer, len(tokenizer), [1]), tokenizer


def wander(found: Constrainer, schema: dict[str, Any], room: int, draw: random.Random) -> tuple[Any, list[int]]:
    """Write tokens at random, as far as the schema and the room go."""
    matcher, written = found.matcher(schema), list[int]()
    while len(written) < room and not matcher.is_stopped():
        allowed = found.allowed([matcher])[0].nonzero()[0].tolist()
        token = draw.choice([each for each in allowed if each != 1] or allowed)
        matcher.consume_token(token)
        written.append(token)
    return matcher, written


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SCHEMAS), st.integers(40, 120), st.integers(0, 2**32))
def test_any_beginning_has_a_valid_end(tiny: Path, schema: dict[str, Any], room: int, seed: int) -> None:
    found, tokenizer = constrainer(tiny)
    matcher, written = wander(found, schema, room, random.Random(seed))
    whole = found.whole(matcher, written, room)
    assert whole is not None and len(whole) <= room
    assert Draft202012Validator(schema).is_valid(json.loads(tokenizer.decode(whole)))


def test_as_much_as_can_be_kept_is_kept(tiny: Path) -> None:
    found, tokenizer = constrainer(tiny)
    matcher = found.matcher(SCHEMAS[0])
    written = tokenizer('{"answer": "' + "the refund takes three days " * 20)["input_ids"][:60]
    assert all(matcher.consume_token(token) for token in written)
    whole = found.whole(matcher, written, 60)
    assert whole is not None and whole[:57] == written[:57]
    assert len(found.whole(matcher, written, 70) or []) in {61, 62}


def test_a_reply_that_is_whole_stays_as_it_is(tiny: Path) -> None:
    found, tokenizer = constrainer(tiny)
    matcher = found.matcher({"type": "integer"})
    written = tokenizer("12345")["input_ids"]
    assert all(matcher.consume_token(token) for token in written)
    assert found.whole(matcher, written, len(written)) == written


def test_where_nothing_fits_there_is_nothing(tiny: Path) -> None:
    found, _ = constrainer(tiny)
    matcher = found.matcher(SCHEMAS[3])
    assert found.whole(matcher, [], 3) is None


def test_replies_that_are_cut_are_valid_and_say_that_they_were(tmp_path: Path) -> None:
    model = open_model(f"hf/{save_tiny(tmp_path, window=512)}")
    asks = [
        Ask(messages=(Message(role="user", content=f"{at}"),), max_tokens=room, json_schema=schema)
        for at, schema in enumerate(SCHEMAS[:5])
        for room in (40, 90)
    ]
    replies = model.answer(asks)
    assert {reply.finish for reply in replies} <= {"stop", "length"}
    assert any(reply.finish == "length" for reply in replies)
    for ask, reply in zip(asks, replies, strict=True):
        assert Draft202012Validator(ask.json_schema or {}).is_valid(json.loads(reply.text))
        assert reply.usage.output <= ask.max_tokens
