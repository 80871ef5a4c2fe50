"""Twelve things that break on the wire, in three protocols: the right outcome, no answer lost, nothing paid twice."""

from pathlib import Path
from typing import Any

import pytest

from levers.economics.usage import Usage
from levers.errors import ModelError
from levers.ledger import Message, Replay
from levers.model import Ask, Budget, Replayed, Reply, open_model
from levers.model.hosted import HostedSettings, most
from levers.model.retry import Retries
from levers.testing import FAULTS, FakeServer, Fault, Scripted, wires

pytest.importorskip("openai")
pytest.importorskip("anthropic")

PROVIDERS = ("openai", "openai-responses", "anthropic")
PASSING: tuple[Fault, ...] = (
    "broken", "overloaded", "limited", "slow", "cut", "malformed", "page", "empty", "reset",
)  # fmt: skip
FATAL: dict[Fault, str] = {"key": "refused the key", "spent": "credit is spent"}
MAY_BE_BILLED: tuple[Fault, ...] = ("slow", "cut", "malformed", "page", "empty", "reset")
SETTINGS = HostedSettings(timeout=60, concurrency=3, retries=Retries(tries=2, first=0.01, longest=0.02, patience=2))


def asks() -> list[Ask]:
    return [Ask(messages=(Message(role="user", content=f"number {n}"),), max_tokens=4) for n in range(3)]


class Breaking:
    """Answers every question with its number; question 1 breaks for the first `times`."""

    def __init__(self, fault: Fault, times: int) -> None:
        self.fault, self.left = fault, times
        self.answered: list[str] = []

    def __call__(self, request: dict[str, Any]) -> Scripted:
        number = str(request).split("number ")[1][0]
        if number == "1" and self.left:
            self.left -= 1
            return Scripted(
                "" if self.fault == "refused" else "one", fault=self.fault, delay=1.6 * (self.fault == "slow")
            )
        self.answered.append(number)
        return Scripted(number)


def cost(usage: Usage) -> float:
    return float(usage.input + usage.cache_read + usage.cache_write + usage.output)


def rig(server: FakeServer, provider: str, streamed: bool, replay: Replay, timeout: float) -> tuple[Replayed, Budget]:
    budget = Budget(cap=10_000, cost_of=cost)
    settings = SETTINGS.model_copy(update={"stream": streamed, "timeout": timeout})
    model = open_model(f"{provider}/small", base_url=server.base_url, settings=settings, budget=budget)
    return Replayed(model, replay), budget


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_once(provider: str, fault: Fault, tmp_path: Path) -> None:
    check_once(provider, fault, tmp_path, streamed=False)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_once_in_a_stream(provider: str, fault: Fault, tmp_path: Path) -> None:
    check_once(provider, fault, tmp_path, streamed=True)


def charged(replies: list[Reply]) -> float:
    return sum(cost(each.usage) for each in replies)


def lost(fault: Fault) -> float:
    """A call that broke off may have been billed: it counts with its most, once."""
    return cost(most(asks()[1])) if fault in MAY_BE_BILLED else 0.0


def check_once(provider: str, fault: Fault, tmp_path: Path, streamed: bool) -> None:
    script, replay = Breaking(fault, times=1), Replay(tmp_path / "kept.db")
    with FakeServer(script) as server:
        model, budget = rig(server, provider, streamed, replay, 1.5 if fault == "slow" else 60)
        if fault in FATAL:
            with pytest.raises(ModelError, match=FATAL[fault]):
                model.answer(asks())
        else:
            replies = model.answer(asks())
            passed = fault in PASSING
            assert [each.text for each in replies] == (["0", "1", "2"] if passed else ["0", "", "2"])
            assert [each.finish for each in replies] == ["stop", "stop" if passed else "error", "stop"]
            assert [each.tries for each in replies] == [1, 2 if passed else 1, 1]
            assert passed or "400: refused" in (replies[1].error or "")
            assert budget.spent == pytest.approx(charged(replies) + lost(fault))
        paid = list(script.answered)
        again = model.answer(asks())
        assert [each.text for each in again] == ["0", "1", "2"]
        assert len(script.answered) == 3, f"asked again what was answered: {paid} then {script.answered}"
        assert budget.spent == pytest.approx(charged(again) + lost(fault))


@pytest.mark.parametrize("fault", [fault for fault in PASSING if fault != "slow"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_for_good(provider: str, fault: Fault, tmp_path: Path) -> None:
    """A fault that stays is an error reply beside good ones; it is not kept, so the next run asks it again."""
    settings = SETTINGS.model_copy(update={"retries": Retries(tries=1, first=0.01)})
    script, replay = Breaking(fault, times=2), Replay(tmp_path / "kept.db")
    budget = Budget(cap=10_000, cost_of=cost)
    with FakeServer(script) as server:
        hosted = open_model(f"{provider}/small", base_url=server.base_url, settings=settings, budget=budget)
        model = Replayed(hosted, replay)
        replies = model.answer(asks())
        assert [each.finish for each in replies] == ["stop", "error", "stop"]
        assert replies[1].error and replies[1].tries == 2
        again = model.answer(asks())
        assert [each.text for each in again] == ["0", "1", "2"]
        assert sorted(script.answered) == ["0", "1", "2"]
        assert budget.spent == pytest.approx(charged(again) + 2 * lost(fault))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_that_breaks_before_a_reader_is_not_begun_again(provider: str) -> None:
    with FakeServer(lambda request: Scripted("a long answer that is cut", fault="cut")) as server:
        model: Any = open_model(f"{provider}/small", base_url=server.base_url, settings=SETTINGS)
        *pieces, last = model.pieces(asks()[0])
        assert len(server.requests) == 1
    assert pieces and last.finish == "error"
    assert last.text == "".join(pieces).strip() or last.text == "".join(pieces)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_reader_who_leaves_ends_the_stream(provider: str) -> None:
    with FakeServer(lambda request: "word " * 50) as server:
        model: Any = open_model(f"{provider}/small", base_url=server.base_url, settings=SETTINGS)
        pieces = model.pieces(asks()[0])
        assert next(pieces)
        pieces.close()


ODD: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"usage": None}, True),
    ({"usage": [1]}, False),
    ({"choices": [{"message": {"content": "0"}, "logprobs": {"content": [{"token": "0", "logprob": None}]}}]}, False),
]


@pytest.mark.parametrize(("odd", "readable"), ODD)
def test_an_odd_body_is_one_error_reply_and_untold_usage_counts_with_its_most(
    odd: dict[str, Any], readable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = wires.whole

    def changed(answer: Scripted, path: str, request: dict[str, Any]) -> dict[str, Any]:
        return whole(answer, path, request) | (odd if "number 1" in str(request) else {})

    monkeypatch.setattr(wires, "whole", changed)
    budget = Budget(cap=10_000, cost_of=cost)
    settings = SETTINGS.model_copy(update={"retries": Retries(tries=0)})
    with FakeServer(lambda request: str(request).split("number ")[1][0]) as server:
        model = open_model("openai/small", base_url=server.base_url, settings=settings, budget=budget)
        replies = model.answer(asks())
    assert [each.text for each in replies] == ["0", "1" if readable else "", "2"]
    assert readable or "cannot be read" in (replies[1].error or "")
    assert budget.spent == pytest.approx(charged(replies) + (cost(most(asks()[1])) if odd else 0.0))


@pytest.mark.parametrize("name", ["look", "answer"])
def test_a_tools_input_that_is_cut_in_a_stream_is_a_reply_cut_at_its_limit(name: str) -> None:
    from levers.model.anthropic_messages import MessagesWire

    gathering = MessagesWire("small", None).gather()
    block = {"type": "tool_use", "id": "1", "name": name, "input": {}}
    for event in (
        {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"a": "b'}},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ):
        gathering.feed(event)
    reply = gathering.reply()
    assert reply.finish == "length"
    assert (reply.text if name == "answer" else reply.calls[0].arguments) == '{"a": "b'


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_server_at_all(provider: str) -> None:
    model: Any = open_model(f"{provider}/small", base_url="http://127.0.0.1:9/v1", settings=SETTINGS)
    with pytest.raises(ModelError, match="no connection"):
        model.answer(asks())
    with pytest.raises(ModelError, match="no connection"):
        list(model.pieces(asks()[0]))
