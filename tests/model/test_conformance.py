"""What every model must do, whatever stands behind it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from levers.ledger import Message, Replay
from levers.model import Ask, Model, Replayed, open_model
from levers.testing import FakeServer, ScriptedModel


def _words(request: Any) -> str:
    return f"heard {len(str(request))} characters"


@pytest.fixture(params=["scripted", "local", "hosted", "replayed"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Model]:
    if request.param == "local":
        yield open_model(f"hf/{request.getfixturevalue('tiny')}")
    elif request.param == "hosted":
        pytest.importorskip("openai")
        with FakeServer(_words) as server:
            yield open_model("openai/small", base_url=server.base_url)
    elif request.param == "replayed":
        yield Replayed(ScriptedModel(_words), Replay(tmp_path / "kept.db"))
    else:
        yield ScriptedModel(_words)


def asks() -> list[Ask]:
    system = Message(role="system", content="Be brief.")
    shown = (Message(role="user", content="1?"), Message(role="assistant", content="one"))
    return [Ask(messages=(system, *shown, Message(role="user", content="x" * n)), max_tokens=8) for n in (5, 40, 1, 5)]


def test_as_many_replies_as_asks_in_their_order(model: Model) -> None:
    batch = asks()
    replies = model.answer(batch)
    assert len(replies) == len(batch)
    assert replies[0].text == replies[3].text
    assert [each.text for each in replies] == [model.answer([one])[0].text for one in batch]


def test_an_empty_batch_is_answered_by_nothing(model: Model) -> None:
    assert model.answer([]) == []


def test_usage_is_counted_and_replies_are_whole(model: Model) -> None:
    for reply in model.answer(asks()):
        assert reply.finish in {"stop", "length"}
        assert reply.error is None
        assert reply.usage.input > 0
        assert 0 <= reply.usage.output <= 8
        assert reply.seconds >= 0


def test_the_id_is_stable(model: Model) -> None:
    before = model.id
    model.answer(asks()[:1])
    assert model.id == before
