"""Responses: OpenAI's newer protocol, `openai-responses/<model>`. Imports the openai SDK.

It knows no `seed` and no `stop`: a stop is applied to the text that came. Nothing is stored at the provider.
"""

from collections.abc import Mapping
from typing import Any

import openai

from levers.ledger import Message
from levers.model.contract import Ask, Finish, Reply, TokenLogprob, ToolCall, Turn
from levers.model.openai_client import cache_key, named_format, open_client, usage_of
from levers.model.reading import confidence
from levers.model.retry import CallFailed
from levers.model.wire import reference_of

_LEAST = 16  # OpenAI refuses a smaller limit
_CUTS: dict[str, Finish] = {"max_output_tokens": "length", "content_filter": "filter"}


class ResponsesWire:
    """`openai-responses/<model>` at api.openai.com or at `base_url`."""

    sdk = openai
    host = "api.openai.com"
    path = "/responses"
    key = "OPENAI_API_KEY"
    optional = frozenset({"temperature", "include", "store"})
    extra: frozenset[str] = frozenset()

    def __init__(self, name: str, base_url: str | None) -> None:
        """Name model and server."""
        self.name = name
        self.base_url = base_url
        self.reference = reference_of("openai-responses", name, base_url)

    def open(self, timeout: float) -> Any:
        """Open the SDK's client."""
        return open_client(self.base_url, timeout)

    def endpoint(self, client: Any) -> Any:
        """Return responses."""
        return client.responses

    def request(self, ask: Ask, refused: frozenset[str]) -> dict[str, Any]:
        """Write an ask as a request."""
        request: dict[str, Any] = {
            "model": self.name,
            "input": [item for message in ask.messages for item in _items(message)],
            "max_output_tokens": max(_LEAST, ask.max_tokens),
            "temperature": ask.temperature,
            "store": False,
        }
        if ask.json_schema is not None:
            request["text"] = {"format": {"type": "json_schema", **named_format(ask.json_schema)}}
        if ask.tools:
            request["tools"] = [{"type": "function", **tool.model_dump(), "strict": False} for tool in ask.tools]
            request["tool_choice"] = _choice(ask.tool_choice)
        if ask.logprobs:
            request["include"] = ["message.output_text.logprobs"]
        if ask.cache and self.base_url is None:
            request["prompt_cache_key"] = cache_key(ask)
        return {key: value for key, value in request.items() if key not in refused}

    def streamed(self, request: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
        """Return the request: a stream's last event brings the usage unasked."""
        del refused
        return request

    def read(self, body: Mapping[str, Any]) -> Reply:
        """Read a whole response."""
        if body.get("status") == "failed" or body.get("error"):
            error = body.get("error") or {}
            inner = error if isinstance(error, dict) else {"message": str(error)}
            raise CallFailed("unreadable", str(inner.get("message") or "it failed")[:300], code=inner.get("code"))
        output = body.get("output")
        if not isinstance(output, list):
            raise CallFailed("unreadable", "no output in it")
        usage = usage_of(body.get("usage"))
        parts = [part for item in output if item.get("type") == "message" for part in item.get("content") or ()]
        refused = "".join(part.get("refusal") or "" for part in parts)
        if refused:
            return Reply(text=refused, finish="refusal", usage=usage)
        calls = tuple(_call(item) for item in output if item.get("type") == "function_call")
        logprobs = tuple(
            TokenLogprob(token=each["token"], logprob=each["logprob"])
            for part in parts
            for each in part.get("logprobs") or ()
        )
        return Reply(
            text="".join(part.get("text") or "" for part in parts).strip(),
            finish=_finish(body, bool(calls)),
            usage=usage,
            calls=calls,
            logprobs=logprobs or None,
            confidence=confidence(logprobs),
            thought=_thought(output),
        )

    def gather(self) -> "_Events":
        """Begin to gather events; the last one holds the whole response."""
        return _Events(self)


class _Events:
    """The events of one response."""

    def __init__(self, wire: ResponsesWire) -> None:
        self._wire = wire
        self._body: Mapping[str, Any] | None = None

    def feed(self, event: Mapping[str, Any]) -> str:
        kind = event.get("type")
        if kind == "response.output_text.delta":
            return str(event.get("delta") or "")
        if kind == "error":
            raise CallFailed("unreadable", str(event.get("message") or "an error")[:300], code=event.get("code"))
        if kind in {"response.completed", "response.incomplete", "response.failed"}:
            self._body = event.get("response") or {}
        return ""

    def reply(self) -> Reply:
        if self._body is None:
            raise CallFailed("unreadable", "the stream ended before the reply did")
        return self._wire.read(self._body)


def _items(message: Message | Turn) -> list[dict[str, Any]]:
    if isinstance(message, Message):
        return [message.model_dump()]
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.call or "", "output": message.content}]
    items: list[dict[str, Any]] = []
    if message.images:
        images = [{"type": "input_image", "image_url": url, "detail": "auto"} for url in message.images]
        text = [{"type": "input_text", "text": message.content}] if message.content else []
        items.append({"role": message.role, "content": [*images, *text]})
    elif message.content:
        items.append({"role": message.role, "content": message.content})
    return items + [
        {"type": "function_call", "call_id": each.id, "name": each.name, "arguments": each.arguments}
        for each in message.calls
    ]


def _choice(name: str | None) -> Any:
    if name in {None, "auto", "none", "required"}:
        return name or "auto"
    return {"type": "function", "name": name}


def _call(item: Mapping[str, Any]) -> ToolCall:
    return ToolCall(id=str(item.get("call_id") or ""), name=str(item.get("name") or ""), arguments=item["arguments"])


def _finish(body: Mapping[str, Any], calls: bool) -> Finish:
    if body.get("status") == "incomplete":
        return _CUTS.get((body.get("incomplete_details") or {}).get("reason") or "", "length")
    return "tools" if calls else "stop"


def _thought(output: list[Any]) -> str:
    parts = [part for item in output if item.get("type") == "reasoning" for part in item.get("summary") or ()]
    return "\n".join(str(part.get("text") or "") for part in parts)
