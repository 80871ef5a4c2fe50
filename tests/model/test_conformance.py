"""What every model must do, whatever stands behind it, and what every hosted one must do besides."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from levers.economics.usage import Usage
from levers.ledger import Message, Replay
from levers.model import Ask, CacheMark, Model, Replayed, Reply, Tool, ToolCall, Turn, open_model, speak
from levers.model.pocket import weights_path
from levers.testing import FakeServer, Scripted, ScriptedModel, wires

HOSTED = ("openai", "openai-responses", "anthropic")


def _words(request: Any) -> str:
    found = re.search("'(x+)'", str(request))
    return f"heard {len(found[1]) if found else 0} characters"


@pytest.fixture(scope="module")
def pocket() -> Model:
    pytest.importorskip("torch")
    if not (weights_path() / "model.safetensors").is_file():
        pytest.skip("pocket's weights are not here")
    return open_model("pocket")


@pytest.fixture(params=["scripted", "local", "pocket", "replayed", *HOSTED])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Model]:
    if request.param == "local":
        yield open_model(f"hf/{request.getfixturevalue('tiny')}")
    elif request.param == "pocket":
        yield request.getfixturevalue("pocket")
    elif request.param in HOSTED:
        pytest.importorskip("anthropic" if request.param == "anthropic" else "openai")
        with FakeServer(_words) as server:
            yield open_model(f"{request.param}/small", base_url=server.base_url)
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


def test_pieces_make_up_the_reply(model: Model) -> None:
    *pieces, last = speak(model, asks()[0])
    assert isinstance(last, Reply)
    assert "".join(str(piece) for piece in pieces).strip() == last.text
    again = model.answer(asks()[:1])[0]
    assert last.text == again.text
    assert (last.usage.input, last.usage.output) == (again.usage.input, again.usage.output)


# ── hosted models: one suite for three protocols, whole and streamed ─────────────────────────────────────────────────


@pytest.fixture(params=[(provider, streamed) for provider in HOSTED for streamed in (False, True)], ids=str)
def protocol(request: pytest.FixtureRequest) -> tuple[str, bool]:
    pytest.importorskip("anthropic" if request.param[0] == "anthropic" else "openai")
    return request.param


def one(protocol: tuple[str, bool], script: Any, ask: Ask) -> tuple[Reply, dict[str, Any]]:
    from levers.model.hosted import HostedSettings

    with FakeServer(script) as server:
        settings = HostedSettings(stream=protocol[1])
        model = open_model(f"{protocol[0]}/small", base_url=server.base_url, settings=settings)
        reply = model.answer([ask])[0]
        sent = server.requests[-1]
        assert bool(sent.get("stream")) == protocol[1]
        assert (reply.first_seconds is not None) == (
            protocol[1] and bool(reply.text) and reply.finish != "refusal"
        ) or (
            protocol[0] == "anthropic"  # a refusal comes as text there
        )
        return reply, sent


def ask(text: str = "hello", **more: Any) -> Ask:
    return Ask(messages=(Message(role="system", content="Be brief."), Message(role="user", content=text)), **more)


OUTCOMES = [
    (Scripted("a whole reply"), "stop"),
    (Scripted("a cut repl", finish="length"), "length"),
    (Scripted("", refusal="I would rather not"), "refusal"),
    (Scripted("", calls=(("c1", "look", '{"at": "x"}'),), finish="tool_calls"), "tools"),
]


@pytest.mark.parametrize(("answer", "finish"), OUTCOMES, ids=[finish for _, finish in OUTCOMES])
def test_outcomes_differ(protocol: tuple[str, bool], answer: Scripted, finish: str) -> None:
    reply, _ = one(protocol, lambda request: answer, ask())
    assert reply.finish == finish
    assert reply.error is None
    assert reply.text == (answer.refusal or answer.text)
    assert reply.usage.output == len(answer.text.split()) or answer.refusal


def test_a_filtered_reply_is_its_own_outcome(protocol: tuple[str, bool]) -> None:
    if protocol[0] == "anthropic":
        said = Scripted("Output blocked by content filtering policy", status=400)
    else:
        said = Scripted("half of i", finish="content_filter")
    assert one(protocol, lambda request: said, ask())[0].finish == "filter"


def test_four_buckets(protocol: tuple[str, bool]) -> None:
    long = ask("one two three four five six seven eight")
    reply, sent = one(protocol, lambda request: Scripted("two words", cached=3, written=2), long)
    words = sum(len(str(each).split()) for each in [sent.get("system", ""), *_contents(sent)])
    assert reply.usage == Usage(input=words - 5, cache_read=3, cache_write=2, output=2, calls=1)


def _contents(sent: dict[str, Any]) -> list[Any]:
    return [message["content"] for message in sent.get("messages") or sent["input"]]


def test_a_schema_goes_out_by_the_providers_own_means(protocol: tuple[str, bool]) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    reply, sent = one(protocol, lambda request: Scripted('{"a": "b"}'), ask(json_schema=schema))
    assert json.loads(reply.text) == {"a": "b"}
    form = {
        "openai": lambda: sent["response_format"]["json_schema"]["schema"],
        "openai-responses": lambda: sent["text"]["format"]["schema"],
        "anthropic": lambda: sent["output_config"]["format"]["schema"],
    }[protocol[0]]()
    assert form["properties"] == schema["properties"]


def test_tools_are_offered_called_and_answered(protocol: tuple[str, bool]) -> None:
    tool = Tool(name="look", description="Look it up.", parameters={"type": "object", "properties": {"at": {}}})
    answer = Scripted("wait", calls=(("c1", "look", '{"at": "x"}'), ("c2", "look", "{}")), finish="tool_calls")
    reply, sent = one(protocol, lambda request: answer, ask(tools=(tool,), tool_choice="look"))
    assert [(each.id, each.name, json.loads(each.arguments)) for each in reply.calls] == [
        ("c1", "look", {"at": "x"}),
        ("c2", "look", {}),
    ]
    assert "look" in json.dumps(sent["tools"]) and "look" in json.dumps(sent["tool_choice"])
    done = Turn(role="tool", content="found", call="c1")
    turns = (*ask().messages, Turn(role="assistant", content="wait", calls=reply.calls[:1]), done)
    again, sent = one(protocol, lambda request: "thanks", Ask(messages=turns, tools=(tool,)))
    assert again.text == "thanks"
    assert "found" in json.dumps(sent) and "c1" in json.dumps(sent)


def test_images_pass_through_untouched(protocol: tuple[str, bool]) -> None:
    data, link = "data:image/png;base64,iVBORw0KGgo=", "https://example.org/a.png"
    turn = Turn(role="user", content="What is it?", images=(data, link))
    _, sent = one(protocol, lambda request: "a cat", Ask(messages=(turn,)))
    content = (sent.get("messages") or sent["input"])[0]["content"]
    expected = {
        "openai": [
            {"type": "image_url", "image_url": {"url": data}},
            {"type": "image_url", "image_url": {"url": link}},
        ],
        "openai-responses": [
            {"type": "input_image", "image_url": data, "detail": "auto"},
            {"type": "input_image", "image_url": link, "detail": "auto"},
        ],
        "anthropic": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            {"type": "image", "source": {"type": "url", "url": link}},
        ],
    }[protocol[0]]
    assert content[:2] == expected
    assert content[2]["text"] == "What is it?"


def test_stops_end_the_reply_whoever_applies_them(protocol: tuple[str, bool]) -> None:
    reply, sent = one(protocol, lambda request: Scripted("one two END three"), ask(stop=("END",)))
    assert reply.text == "one two"
    named = {"openai": "stop", "openai-responses": None, "anthropic": "stop_sequences"}[protocol[0]]
    assert named is None or sent[named] == ["END"]


def test_thoughts_are_no_part_of_the_answer(protocol: tuple[str, bool]) -> None:
    reply, _ = one(protocol, lambda request: Scripted("four", thought="two and two"), ask())
    assert reply.text == "four"
    assert reply.thought == "two and two"
    if protocol[0] != "openai-responses":
        aloud, _ = one(protocol, lambda request: Scripted("<think>two and two</think>\nfour"), ask())
        assert (aloud.text, aloud.thought) == ("four", "two and two")


def test_log_probabilities_where_the_protocol_has_them(protocol: tuple[str, bool]) -> None:
    reply, _ = one(protocol, lambda request: Scripted("yes it is"), ask(logprobs=True))
    if protocol[0] == "anthropic":
        assert reply.logprobs is None and reply.confidence is None
    else:
        assert reply.logprobs and "".join(each.token for each in reply.logprobs) == "yes it is"
        assert reply.confidence == pytest.approx(0.6065, abs=1e-4)


def test_requests_are_of_the_sdks_own_types(protocol: tuple[str, bool]) -> None:
    tool = Tool(name="look", parameters={"type": "object"})
    turns = (*ask().messages, Turn(role="user", content="and this?", images=("https://example.org/a.png",)))
    schema = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
    mark = CacheMark(turns=1)
    full = Ask(messages=turns, tools=(tool,), stop=("x",), logprobs=True, json_schema=schema, cache=mark)
    with FakeServer(lambda request: "fine") as server:
        from levers.model.hosted import HostedSettings

        settings = HostedSettings(stream=protocol[1])
        open_model(f"{protocol[0]}/small", base_url=server.base_url, settings=settings).answer([full])
        sent = server.requests[0]
    if protocol[0] == "anthropic":
        from anthropic.types import message_create_params as params

        kind: Any = params.MessageCreateParamsStreaming if protocol[1] else params.MessageCreateParamsNonStreaming
    elif protocol[0] == "openai":
        from openai.types.chat import completion_create_params as params

        kind = params.CompletionCreateParamsStreaming if protocol[1] else params.CompletionCreateParamsNonStreaming
    else:
        from openai.types.responses import response_create_params as params

        kind = params.ResponseCreateParamsStreaming if protocol[1] else params.ResponseCreateParamsNonStreaming
    known = set(kind.__required_keys__ | kind.__optional_keys__)
    unknown = set(sent) - known - ({"temperature"} if protocol[0] == "anthropic" else set())
    assert not unknown, f"not in the SDK's own type: {unknown}"
    if protocol[1]:
        return  # the turns are the same
    named = "input" if protocol[0] == "openai-responses" else "messages"
    hints = _hints(kind)
    for key in (named, "tools"):
        TypeAdapter(hints[key], config={"arbitrary_types_allowed": True}).validate_python(sent[key])


BODIES = [
    Scripted("a whole reply"),
    Scripted("two words", cached=3, written=2, long=1),
    Scripted("wait", calls=(("c1", "look", "{}"),), finish="tool_calls"),
    Scripted("a cut repl", finish="length"),
    Scripted("four", thought="two and two"),
]


def test_the_fake_servers_bodies_and_events_are_of_the_sdks_own_types() -> None:
    chat = pytest.importorskip("openai.types.chat")
    responses = pytest.importorskip("openai.types.responses")
    anthropic = pytest.importorskip("anthropic.types")
    kinds = {
        "/v1/chat/completions": (chat.ChatCompletion, chat.ChatCompletionChunk),
        "/v1/responses": (responses.Response, responses.ResponseStreamEvent),
        "/v1/messages": (anthropic.Message, anthropic.RawMessageStreamEvent),
    }
    turn = [{"role": "user", "content": "hello"}]
    request = {"model": "m", "messages": turn, "input": turn, "logprobs": True}
    for path, (whole, event) in kinds.items():
        for answer in BODIES:
            TypeAdapter(whole).validate_python(wires.whole(answer, path, request))
            told = [text.split("data: ", 1)[1].strip() for text in wires.events(answer, path, request)]
            for each in told:
                assert each == "[DONE]" or TypeAdapter(event).validate_python(json.loads(each))


def _hints(kind: Any) -> dict[str, Any]:
    import typing

    return typing.get_type_hints(kind)


def test_calls_can_be_written_and_read_back() -> None:
    turn = Turn(role="assistant", calls=(ToolCall(id="1", name="f", arguments="{}"),))
    asked = Ask(messages=(turn, Message(role="user", content="x")))
    assert Ask.model_validate_json(asked.model_dump_json()) == asked
    assert set(Ask(messages=()).model_dump()) == {"messages", "max_tokens", "temperature", "seed", "json_schema"}
