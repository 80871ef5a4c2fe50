import asyncio
import time

import pytest

from levers.ledger import Message
from levers.model.pace import Pace, seconds_until


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("250ms", 0.25),
        ("1h2m", 3720),
        ("12", 12),
        ("2001-01-01T00:00:00Z", 0),
        ("soon", None),
    ],
)
def test_resets_in_all_their_forms(text: str, seconds: float | None) -> None:
    assert seconds_until(text) == seconds


def waited(pace: Pace, tokens: int = 1) -> float:
    begun = time.monotonic()
    asyncio.run(pace.ready(tokens))
    return time.monotonic() - begun


def test_calls_wait_for_what_the_headers_promise() -> None:
    pace = Pace(patience=5)
    assert waited(pace) < 0.1
    pace.learn({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "300ms"})
    assert waited(pace) < 0.1
    assert waited(pace) > 0.1
    pace.learn(
        {"anthropic-ratelimit-input-tokens-remaining": "10", "anthropic-ratelimit-input-tokens-reset": "nonsense"}
    )
    assert waited(pace, 100) < 0.1
    pace.learn({"x-ratelimit-remaining-tokens": "10", "x-ratelimit-reset-tokens": "300ms"})
    assert waited(pace, 5) < 0.1
    assert waited(pace, 100) > 0.1


def test_nothing_holds_a_call_longer_than_patience() -> None:
    pace = Pace(patience=0.2)
    pace.learn({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1h"})
    assert 0.1 < waited(pace) < 5
    pace.hold(3600)
    pace.learn({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "1h"})
    assert waited(pace) < 0.1


def test_what_repeats_is_asked_first() -> None:
    from levers.model import Ask, CacheMark
    from levers.model.hosted import leaders

    def ask(head: str, text: str, marked: bool = True) -> Ask:
        turns = (Message(role="system", content=head), Message(role="user", content=text))
        return Ask(messages=turns, cache=CacheMark(turns=1) if marked else None)

    asks = [ask("a", "1"), ask("b", "2"), ask("a", "3"), ask("c", "4", False), ask("c", "5", False), ask("b", "6")]
    assert leaders(asks) == [0, 1]
    assert leaders(asks[3:5]) == []


def test_what_is_written_to_the_cache_counts_towards_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    from levers.model import Ask, CacheMark, open_model
    from levers.testing import FakeServer

    promised: list[int] = []

    async def ready(pace: Pace, tokens: int) -> None:
        promised.append(tokens)

    monkeypatch.setattr(Pace, "ready", ready)
    turns = (Message(role="system", content="Be brief. " * 50), Message(role="user", content="Hello"))
    with FakeServer() as server:
        model = open_model("openai/small", base_url=server.base_url)
        model.answer([Ask(messages=turns), Ask(messages=turns, cache=CacheMark(turns=1))])
    assert len(promised) == 2 and promised[0] == promised[1] > 100
