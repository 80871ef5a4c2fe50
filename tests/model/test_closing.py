"""Closing the objects of a schema: whatever fits the closed one is valid as the schema was given."""

import itertools
from typing import Any

import jsonschema
import pytest

from levers.model.closing import closed

TEXT: dict[str, Any] = {"type": "string"}


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


COMBINED = {
    "properties beside anyOf": {**thing(kind=TEXT), "anyOf": [thing(a=TEXT), thing(b=TEXT)]},
    "properties beside a reference": {"$defs": {"A": thing(x=TEXT)}, "$ref": "#/$defs/A", **thing(y=TEXT)},
    "a required key that is not listed": {**thing(a=TEXT), "required": ["a", "b"]},
    "parts that combine": {"allOf": [thing(a=TEXT), thing(b=TEXT)]},
}


@pytest.mark.parametrize("schema", COMBINED.values(), ids=COMBINED)
def test_an_object_whose_parts_combine_stays_open(schema: dict[str, Any]) -> None:
    told = closed(schema)
    keys = ("kind", "a", "b", "x", "y")
    some = [{key: "v" for key in chosen} for size in range(6) for chosen in itertools.combinations(keys, size)]
    assert any(jsonschema.Draft202012Validator(told).is_valid(each) for each in some), "nothing fits any more"


@pytest.mark.parametrize(
    ("branches", "apart"),
    [
        ((thing(a=TEXT), thing(b=TEXT)), True),
        ((thing(a=TEXT), thing(a=TEXT, b=TEXT)), False),
        ((thing(kind={"const": "a"}, x=TEXT), thing(kind={"const": "b"}, x=TEXT)), True),
        ((thing(kind={"enum": ["a", "b"]}), thing(kind={"enum": ["b", "c"]})), False),
        ((TEXT, {"type": "null"}, thing(a=TEXT)), True),
    ],
)
def test_branches_of_which_one_must_fit_are_closed_where_more_than_that_tells_them_apart(
    branches: tuple[dict[str, Any], ...], apart: bool
) -> None:
    schema = {"oneOf": list(branches)}
    told = closed(schema)
    assert all(("additionalProperties" in each) is apart for each in told["oneOf"] if "properties" in each)
    values = ("a", "b", "c", "v")
    for chosen in itertools.product((None, *values), repeat=3):
        reply = {key: value for key, value in zip(("kind", "a", "b"), chosen, strict=True) if value}
        if jsonschema.Draft202012Validator(told).is_valid(reply):
            assert jsonschema.Draft202012Validator(schema).is_valid(reply)


def test_what_may_be_null_and_what_lies_within_is_closed_too() -> None:
    told = closed({"type": ["object", "null"], "properties": {"of": {"type": "array", "items": thing(a=TEXT)}}})
    assert told["additionalProperties"] is False
    assert told["properties"]["of"]["items"]["additionalProperties"] is False
    named = {"type": "object", "properties": {"properties": {"const": {"properties": {}}}}, "required": ["properties"]}
    assert closed(named)["properties"] == named["properties"], "data is no schema"
