"""Digests are of content, kept values stay, and files are whole or absent."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.ledger import Message, Record, Replay, Schema, canonical, digest, whole, write_atomic

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_canonical_json_is_json_of_the_same_value(value: Any) -> None:
    assert json.loads(canonical(value)) == value
    assert digest(json.loads(canonical(value))) == digest(value)


@given(st.dictionaries(st.text(max_size=5), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert digest(dict(reversed(value.items()))) == digest(value)


def test_a_digest_is_the_same_on_every_machine() -> None:
    assert digest({"b": [1, "é"], "a": None}) == "sha256-f8f17faab95c0248"
    assert digest(Message(role="user", content="x")) == digest({"role": "user", "content": "x"})


def test_kept_values_keep_their_first_value_and_survive_reopening(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "kept.sqlite")
    many = {f"key {number}": {"n": number} for number in range(1200)}
    replay.put(many)
    replay.put({"key 1": "another"})
    replay.close()
    again = Replay(tmp_path / "kept.sqlite")
    assert again.get([*many, "unknown"]) == many
    again.close()


def test_a_failed_write_keeps_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "kept.sqlite")
    with pytest.raises(UnicodeEncodeError):
        replay.put({"good": 1, "lone surrogate": "\ud800"})
    assert replay.get(["good"]) == {}
    replay.put({"good": 2})
    assert replay.get(["good"]) == {"good": 2}
    replay.close()


def test_many_threads_write_at_once(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "kept.sqlite")
    threads = [threading.Thread(target=replay.put, args=({f"{n}": n, "shared": "same"},)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replay.get([f"{n}" for n in range(8)]) == {f"{n}": n for n in range(8)}
    replay.close()


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "file.json"
    write_atomic(path, "old")

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, "new")
    assert path.read_text() == "old" and [each.name for each in path.parent.iterdir()] == ["file.json"]


HALVES = st.characters(categories=["Cs"])


@given(st.text(st.characters() | HALVES))
def test_halves_of_a_pair_are_joined_or_replaced_and_nothing_else_changes(text: str) -> None:
    found = whole(text)
    found.encode()
    if not any("\ud800" <= each <= "\udfff" for each in text):
        assert found == text


def test_a_pair_in_two_halves_is_one_character_again() -> None:
    assert whole("a\ud83d\ude00") == "a\U0001f600"
    assert whole("\ufeffa\ud83d") == "\ufeffa\ufffd" and whole("\ude00b") == "\ufffdb"


class _Asked(Record):
    shape: Schema


def test_the_order_of_a_schemas_properties_counts_and_no_other() -> None:
    def named(schema: dict[str, Any]) -> str:
        return digest([_Asked(shape=schema)])

    why, score = {"why": {"type": "string"}}, {"score": {"type": "integer"}}
    first, second = {"type": "object", "properties": why | score}, {"type": "object", "properties": score | why}
    assert named(first) != named(second)
    assert named({"items": first}) != named({"items": second})
    assert named(first) == named(dict(reversed(first.items())))
    assert named(second) == digest([{"shape": second}])  # in the order of the alphabet the name is what it always was
    assert _Asked(shape=first).model_dump(mode="json") == {"shape": first}
