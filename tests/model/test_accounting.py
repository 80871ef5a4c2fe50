"""Twelve exchanges in the forms that providers document, each with a bill worked out by hand.

Prices in USD per 1M tokens. gpt-4o: input 2.50, cached 1.25, output 10. Sonnet: input 3, read 0.30, written 3.75 for
five minutes and 6 for an hour, output 15. A model with an automatic disk cache, as DeepSeek's: miss 0.28, hit 0.028,
output 0.42.
"""

from typing import Any

import pytest

from levers.economics import Origin, Price, Usage, answer_cost, at_lifetime
from levers.errors import ModelError
from levers.ledger import Message
from levers.model import Ask, CacheMark
from levers.stack import Draft, ModelRef, Question, Stack, ask

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from levers.model.anthropic_messages import MessagesWire
from levers.model.openai_chat import ChatWire
from levers.model.openai_responses import ResponsesWire

GPT = Price(model="openai/gpt-4o", input=2.5, cache_read=1.25, cache_write=2.5, output=10)
SONNET = Price(model="anthropic/claude-sonnet*", input=3, cache_read=0.3, cache_write=3.75, output=15)
HOUR = at_lifetime(SONNET, "1h")
DISK = Price(model="openai/deepseek-chat", input=0.28, cache_read=0.028, cache_write=0.28, output=0.42)


def chat(usage: dict[str, Any]) -> Usage:
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    return ChatWire("m", None).read({"choices": [choice], "usage": usage}).usage


def responses(usage: dict[str, Any]) -> Usage:
    item = {"type": "message", "content": [{"type": "output_text", "text": "ok"}]}
    return ResponsesWire("m", None).read({"status": "completed", "output": [item], "usage": usage}).usage


def message(usage: dict[str, Any]) -> Usage:
    block = {"type": "text", "text": "ok"}
    return MessagesWire("m", None).read({"content": [block], "stop_reason": "end_turn", "usage": usage}).usage


def streamed(start: dict[str, Any], end: dict[str, Any]) -> Usage:
    gathering = MessagesWire("m", None).gather()
    gathering.feed({"type": "message_start", "message": {"usage": start}})
    gathering.feed({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    gathering.feed({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}})
    gathering.feed({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": end})
    gathering.feed({"type": "message_stop"})
    return gathering.reply().usage


def openai_usage(prompt: int, cached: int, output: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def claude_usage(fresh: int, read: int, short: int, long: int, output: int) -> dict[str, Any]:
    return {
        "input_tokens": fresh,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": short + long,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": output,
    }


def disk_usage(hit: int, miss: int, output: int) -> dict[str, Any]:
    total = {"prompt_tokens": hit + miss, "completion_tokens": output, "total_tokens": hit + miss + output}
    return {**total, "prompt_cache_hit_tokens": hit, "prompt_cache_miss_tokens": miss}


RESPONSES_USAGE = {
    "input_tokens": 3000,
    "input_tokens_details": {"cached_tokens": 2048, "cache_write_tokens": 0},
    "output_tokens": 500,
    "output_tokens_details": {"reasoning_tokens": 300},
    "total_tokens": 3500,
}

# what came, the four buckets, the price, the bill by hand in USD
EXCHANGES: list[tuple[str, Usage, tuple[int, int, int, int], Price, float]] = [
    # 1000 x 2.5 + 200 x 10 = 2500 + 2000 = 4500 millionths
    ("openai, nothing cached", chat(openai_usage(1000, 0, 200)), (1000, 0, 0, 200), GPT, 0.0045),
    # (2000 - 1920) x 2.5 + 1920 x 1.25 + 100 x 10 = 200 + 2400 + 1000
    ("openai, most of it cached", chat(openai_usage(2000, 1920, 100)), (80, 1920, 0, 100), GPT, 0.0036),
    # an older server tells no details: 500 x 2.5 + 50 x 10
    (
        "openai, no details",
        chat({"prompt_tokens": 500, "completion_tokens": 50, "total_tokens": 550}),
        (500, 0, 0, 50),
        GPT,
        0.00175,
    ),
    # (3000 - 2048) x 2.5 + 2048 x 1.25 + 500 x 10 = 2380 + 2560 + 5000; thoughts are within the output
    ("openai, responses", responses(RESPONSES_USAGE), (952, 2048, 0, 500), GPT, 0.00994),
    # 20 x 3 + 4000 x 3.75 + 100 x 15 = 60 + 15000 + 1500
    ("anthropic, 5 minutes, written", message(claude_usage(20, 0, 4000, 0, 100)), (20, 0, 4000, 100), SONNET, 0.01656),
    # 20 x 3 + 4000 x 0.3 + 100 x 15 = 60 + 1200 + 1500
    ("anthropic, 5 minutes, read", message(claude_usage(20, 4000, 0, 0, 100)), (20, 4000, 0, 100), SONNET, 0.00276),
    # 50 x 3 + 4000 x 0.3 + 600 x 3.75 + 80 x 15 = 150 + 1200 + 2250 + 1200
    (
        "anthropic, 5 minutes, read and grown",
        message(claude_usage(50, 4000, 600, 0, 80)),
        (50, 4000, 600, 80),
        SONNET,
        0.0048,
    ),
    # 20 x 3 + 4000 x 6 + 100 x 15 = 60 + 24000 + 1500
    ("anthropic, an hour, written", message(claude_usage(20, 0, 0, 4000, 100)), (20, 0, 4000, 100), HOUR, 0.02556),
    # 20 x 3 + 4000 x 0.3 + 100 x 15: reading costs the same, however long it is kept
    ("anthropic, an hour, read", message(claude_usage(20, 4000, 0, 0, 100)), (20, 4000, 0, 100), HOUR, 0.00276),
    # the stream's first event counts one token of output, its last all 120: 30 x 3 + 2000 x 0.3 + 120 x 15
    (
        "anthropic, streamed",
        streamed(claude_usage(30, 2000, 0, 0, 1), {"output_tokens": 120}),
        (30, 2000, 0, 120),
        SONNET,
        0.00249,
    ),
    # 512 x 0.28 + 0 + 64 x 0.42 = 143.36 + 26.88
    ("disk cache, missed", chat(disk_usage(0, 512, 64)), (512, 0, 0, 64), DISK, 0.00017024),
    # 88 x 0.28 + 1024 x 0.028 + 64 x 0.42 = 24.64 + 28.672 + 26.88
    ("disk cache, hit", chat(disk_usage(1024, 88, 64)), (88, 1024, 0, 64), DISK, 0.000080192),
]


@pytest.mark.parametrize(("name", "usage", "buckets", "price", "bill"), EXCHANGES, ids=[each[0] for each in EXCHANGES])
def test_four_buckets_make_up_the_bill(
    name: str, usage: Usage, buckets: tuple[int, int, int, int], price: Price, bill: float
) -> None:
    assert (usage.input, usage.cache_read, usage.cache_write, usage.output) == buckets
    assert answer_cost(usage, price) == pytest.approx(bill, rel=1e-12)


def test_there_are_twelve() -> None:
    assert len(EXCHANGES) == 12


def test_only_anthropic_has_a_price_for_an_hour() -> None:
    assert HOUR.cache_write == 6 and HOUR.origins["cache_write"].provenance == "price book"
    own = Origin(provenance="price book", source="prices.yaml")
    mine = SONNET.model_copy(update={"origins": {"input": own, "cache_write": own}})
    assert at_lifetime(mine, "1h") is mine  # what the team pays for writing is not worked out for it
    assert at_lifetime(GPT, "1h") is GPT and at_lifetime(SONNET, "5m") is SONNET


def test_the_mark_stands_at_the_end_of_what_repeats() -> None:
    turns = [("system", "rules"), ("user", "1?"), ("assistant", "one"), ("user", "2?")]
    messages = tuple(Message.model_validate({"role": role, "content": text}) for role, text in turns)
    marked = MessagesWire("m", None).request(
        Ask(messages=messages, cache=CacheMark(turns=3, lifetime="1h")), frozenset()
    )
    mark = {"type": "ephemeral", "ttl": "1h"}
    assert marked["system"][-1]["cache_control"] == mark
    blocks = [message["content"][-1] for message in marked["messages"]]
    assert [block.get("cache_control") for block in blocks] == [None, mark, None]
    plain = MessagesWire("m", None).request(Ask(messages=messages), frozenset())
    assert "cache_control" not in str(plain)


def test_a_stack_marks_what_all_its_questions_share() -> None:
    stack = Stack(model=ModelRef(id="anthropic/m", cache="5m"))
    draft = Draft(question=Question(id="1", input="2?"), system=("rules",), shots=(("1?", "one"),))
    assert ask(stack, draft).cache == CacheMark(turns=3)
    assert ask(Stack(model=ModelRef(id="anthropic/m")), draft).cache is None
    assert ask(stack, Draft(question=Question(id="1", input="2?"))).cache is None


def test_without_a_cache_the_names_stay_what_they_were() -> None:
    assert "cache" not in ModelRef(id="pocket").model_dump()


def test_no_key_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "LEVERS_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ModelError, match=r"no key for api\.anthropic\.com"):
        MessagesWire("m", None).open(1)
