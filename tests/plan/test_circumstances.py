"""Circumstances: a record that code makes is held to what the command line is held to."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from levers.errors import UserError
from levers.plan import Circumstances
from levers.plan.circumstances import read


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("symptoms", ("fact",), "'fact' is none of facts"),
        ("tried", ("retreive",), "'retreive' is none of"),
        ("stage", "foo", "'foo' is none of scratch"),
        ("privacy", "some", "'some' is none of none"),
        ("expertise", "expert", "'expert' is none of low"),
        ("weights", {"speed": 2.0}, "'speed' is none of data freshness"),
        ("weights", {"latency": -1.0}, "neither 0 nor between 1e-15 and 1e+15"),
        ("volume", math.nan, "neither 0 nor between 1e-15 and 1e+15"),
        ("volume", math.inf, "neither 0 nor between 1e-15 and 1e+15"),
        ("volume", -1.0, "neither 0 nor between 1e-15 and 1e+15"),
        ("volume", 1e300, "neither 0 nor between 1e-15 and 1e+15"),
        ("volume", 1e-300, "neither 0 nor between 1e-15 and 1e+15"),
        ("p95_ms", -5.0, "neither 0 nor between 1e-15 and 1e+15"),
        ("corpus", -4, "neither 0 nor between 1e-15 and 1e+15"),
        ("prompt", 10**20, "neither 0 nor between 1e-15 and 1e+15"),
        ("schema_failures", 1.5, "less than or equal to 1"),
    ],
)
def test_a_record_with_a_wrong_answer_is_not_made(field: str, value: Any, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Circumstances.model_validate({field: value})
    assert all(each["loc"][0] == field for each in caught.value.errors()) and says in str(caught.value)


def test_whatever_can_be_read_makes_a_record() -> None:
    most = {"volume": "1e15/day", "p95_ms": "1e12s", "seconds": "1e15s", "corpus": "1e15", "weights": "latency=1e15"}
    found = read({**most, "documents_change": "live", "schema_failures": "100%", "stage": "Tuned"})
    assert found.p95_ms == found.volume == 1e15 and found.stage == "tuned"
    with pytest.raises(UserError, match="p95_ms"):
        read({"p95_ms": "1e13s"})


def test_a_weight_that_is_given_twice_is_refused() -> None:
    with pytest.raises(UserError, match="two of latency"):
        read({"weights": "latency=2, latency=0"})
