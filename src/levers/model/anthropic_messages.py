"""Messages: Anthropic's own protocol, `anthropic/<model>`, with cache marks. Imports the anthropic SDK.

It knows no `seed` and no log-probabilities. A schema goes out as `output_config`; a server that refuses that gets the
schema as the only tool, which it must call.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

import anthropic

from levers.economics.usage import Usage
from levers.errors import ModelError
from levers.ledger import Message
from levers.model.closing import closed
from levers.model.contract import Ask, Finish, Reply, ToolCall, Turn
from levers.model.reading import unthought
from levers.model.retry import CallFailed
from levers.model.transport import trusted
from levers.model.wire import count, reference_of

ANTHROPIC_URL = "https://api.anthropic.com"
ANSWER_TOOL = "answer"
FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tools",
    "refusal": "refusal",
}


class MessagesWire:
    """`anthropic/<model>` at api.anthropic.com or at `base_url`."""

    sdk = anthropic
    host = "api.anthropic.com"
    path = "/v1/messages"
    key = "ANTHROPIC_API_KEY"
    optional = frozenset({"temperature", "output_config", "stop_sequences"})
    # No longer in the SDK, for newer models refuse it (and get none then); the older ones want it.
    extra = frozenset({"temperature"})

    def __init__(self, name: str, base_url: str | None) -> None:
        """Name model and server."""
        self.name = name
        self.base_url = base_url
        self.reference = reference_of("anthropic", name, base_url)

    def open(self, timeout: float) -> Any:
        """Open the SDK's client without retries of its own.

        Raises:
            ModelError: Anthropic itself is asked and no key is set.
        """
        own = os.environ.get("LEVERS_API_KEY", "")
        key = own if self.base_url is not None else os.environ.get(self.key, "") or own
        if self.base_url is None and not key:
            hint = "set ANTHROPIC_API_KEY, or name another server by base_url"
            raise ModelError("no key for api.anthropic.com", hint)
        # A server's address may end in /v1, as OpenAI's do; the SDK adds that itself.
        url = (self.base_url or ANTHROPIC_URL).rstrip("/").removesuffix("/v1")
        http = anthropic.DefaultAsyncHttpxClient(verify=trusted())
        return anthropic.AsyncAnthropic(
            api_key=key or "none", base_url=url, timeout=timeout, max_retries=0, http_client=http
        )

    def endpoint(self, client: Any) -> Any:
        """Return messages."""
        return client.messages

    def request(self, ask: Ask, refused: frozenset[str]) -> dict[str, Any]:
        """Write an ask as a request: the system text apart, cache marks at the end of the part that repeats."""
        system, turns = _laid_out(ask)
        request: dict[str, Any] = {
            "model": self.name,
            "max_tokens": ask.max_tokens,
            "messages": turns,
            "temperature": min(1.0, ask.temperature),
        }
        if system:
            request["system"] = system
        if ask.stop:
            request["stop_sequences"] = [stop for stop in ask.stop if stop.strip()]
        tools = [_tool(each.name, each.description, each.parameters) for each in ask.tools]
        choice = _choice(ask.tool_choice) if tools else None
        if ask.json_schema is not None and "output_config" not in refused:
            request["output_config"] = {"format": {"type": "json_schema", "schema": closed(ask.json_schema)}}
        elif ask.json_schema is not None:
            tools = [*tools, _tool(ANSWER_TOOL, "Give the answer.", ask.json_schema)]
            choice = {"type": "any"} if ask.tools else {"type": "tool", "name": ANSWER_TOOL}
        if tools:
            request |= {"tools": tools, "tool_choice": choice}
        return {key: value for key, value in request.items() if key not in refused}

    def streamed(self, request: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
        """Return the request: a stream brings its usage unasked."""
        del refused
        return request

    def read(self, body: Mapping[str, Any]) -> Reply:
        """Read a whole message."""
        blocks = body.get("content")
        if not isinstance(blocks, list) or not body.get("stop_reason"):
            raise CallFailed("unreadable", "no content or no stop_reason in it")
        texts = [block.get("text") or "" for block in blocks if block.get("type") == "text"]
        thoughts = [block.get("thinking") or "" for block in blocks if block.get("type") == "thinking"]
        used = [block for block in blocks if block.get("type") == "tool_use"]
        finish = FINISHES.get(body["stop_reason"], "stop")
        answered = [block for block in used if block.get("name") == ANSWER_TOOL]
        if answered:
            texts, used = [_written(answered[0].get("input"))], []
            finish = "stop" if finish == "tools" else finish
        thought, text = unthought("".join(texts).strip())
        calls = tuple(_call(block) for block in used)
        usage = usage_of(body.get("usage"))
        return Reply(text=text, finish=finish, usage=usage, calls=calls, thought="\n".join(thoughts) or thought)

    def gather(self) -> "_Blocks":
        """Begin to gather events into a message."""
        return _Blocks(self)


class _Blocks:
    """Events put together again into the message that a call without streaming would have brought."""

    def __init__(self, wire: MessagesWire) -> None:
        self._wire = wire
        self._body: dict[str, Any] = {"content": [], "usage": {}}
        self._partial: dict[int, str] = {}
        self._ended = False

    def feed(self, event: Mapping[str, Any]) -> str:
        kind = event.get("type")
        if kind == "message_start":
            self._body["usage"] = dict(event["message"].get("usage") or {})
        elif kind == "content_block_start":
            self._body["content"].append(dict(event["content_block"]))
        elif kind == "content_block_delta":
            return self._grow(event["index"], event["delta"])
        elif kind == "message_delta":
            self._body["stop_reason"] = event["delta"].get("stop_reason")
            self._body["usage"] |= {
                name: value for name, value in (event.get("usage") or {}).items() if value is not None
            }
        elif kind == "message_stop":
            self._ended = True
        return ""

    def reply(self) -> Reply:
        if not self._ended:
            raise CallFailed("unreadable", "the stream ended before the reply did")
        for index, text in self._partial.items():
            self._body["content"][index]["input"] = _input(text)
        return self._wire.read(self._body)

    def _grow(self, index: int, delta: Mapping[str, Any]) -> str:
        block = self._body["content"][index]
        if delta.get("type") == "text_delta":
            block["text"] = (block.get("text") or "") + delta["text"]
            return str(delta["text"])
        if delta.get("type") == "thinking_delta":
            block["thinking"] = (block.get("thinking") or "") + delta["thinking"]
        if delta.get("type") == "input_json_delta":
            self._partial[index] = self._partial.get(index, "") + delta["partial_json"]
        return ""


def usage_of(usage: Mapping[str, Any] | None) -> Usage:
    """Sort Anthropic's counts into the four buckets; its `input_tokens` leaves cached ones out already."""
    if not usage:
        return Usage()
    return Usage(
        input=count(usage, "input_tokens"),
        cache_read=count(usage, "cache_read_input_tokens"),
        cache_write=count(usage, "cache_creation_input_tokens"),
        output=count(usage, "output_tokens"),
    )


def _laid_out(ask: Ask) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return system blocks and turns; the last block of the repeating part, and the last of the system, are marked."""
    last = min(ask.cache.turns, len(ask.messages)) - 1 if ask.cache else -1
    mark = {"cache_control": {"type": "ephemeral", "ttl": ask.cache.lifetime}} if ask.cache else {}
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for place, message in enumerate(ask.messages):
        blocks = _blocks(message)
        if place == last and blocks:
            blocks[-1] |= mark
        if message.role == "system":
            system += blocks
        else:
            turns.append({"role": "user" if message.role == "tool" else message.role, "content": blocks})
    if system and last >= 0:
        system[-1] |= mark
    return system, turns


def _blocks(message: Message | Turn) -> list[dict[str, Any]]:
    text = [{"type": "text", "text": message.content}] if message.content else []
    if isinstance(message, Message):
        return text
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": message.call or "", "content": message.content}]
    images = [{"type": "image", "source": _source(url)} for url in message.images]
    calls = [
        {"type": "tool_use", "id": each.id, "name": each.name, "input": _arguments(each.arguments)}
        for each in message.calls
    ]
    return [*images, *text, *calls]


def _source(url: str) -> dict[str, str]:
    """Take a data URL apart, as this protocol wants it; any other address goes out as it is."""
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    head, _, data = url.removeprefix("data:").partition(",")
    return {"type": "base64", "media_type": head.removesuffix(";base64"), "data": data}


def _arguments(text: str) -> Any:
    try:
        return json.loads(text) if text else {}
    except ValueError as error:
        raise ValueError(f"the arguments of an earlier tool call are no JSON: {text[:80]!r}") from error


def _tool(name: str, description: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "description": description, "input_schema": parameters or {"type": "object"}}


def _choice(name: str | None) -> dict[str, str]:
    if name == "required":
        return {"type": "any"}
    return {"type": name or "auto"} if name in {None, "auto", "none"} else {"type": "tool", "name": str(name)}


def _call(block: Mapping[str, Any]) -> ToolCall:
    arguments = _written(block.get("input") or {})
    return ToolCall(id=str(block.get("id") or ""), name=str(block.get("name") or ""), arguments=arguments)


def _input(text: str) -> Any:
    """Return a tool's streamed input; the text itself where it is no JSON, as when it is cut at the limit."""
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text


def _written(given: Any) -> str:
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
