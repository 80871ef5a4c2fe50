"""Chat completions: the protocol of OpenAI that most servers speak (Ollama, vLLM, llama.cpp, LiteLLM, DeepSeek …).

Imports the openai SDK.
"""

from collections.abc import Mapping
from typing import Any

import openai

from levers.ledger import Message
from levers.model.contract import Ask, Finish, Reply, TokenLogprob, ToolCall, Turn
from levers.model.openai_client import cache_key, named_format, open_client, told, usage_of
from levers.model.reading import confidence, unthought
from levers.model.retry import CallFailed
from levers.model.wire import reference_of

FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "filter",
    "tool_calls": "tools",
    "function_call": "tools",
}


class ChatWire:
    """`openai/<model>`: chat completions at api.openai.com or at `base_url`."""

    sdk = openai
    host = "api.openai.com"
    path = "/chat/completions"
    key = "OPENAI_API_KEY"
    optional = frozenset({"temperature", "seed", "stop", "logprobs", "response_format", "stream_options"})
    extra: frozenset[str] = frozenset()

    def __init__(self, name: str, base_url: str | None) -> None:
        """Name model and server."""
        self.name = name
        self.base_url = base_url
        self.reference = reference_of("openai", name, base_url)

    def open(self, timeout: float) -> Any:
        """Open the SDK's client."""
        return open_client(self.base_url, timeout)

    def endpoint(self, client: Any) -> Any:
        """Return chat completions."""
        return client.chat.completions

    def request(self, ask: Ask, refused: frozenset[str]) -> dict[str, Any]:
        """Write an ask as a request."""
        form = _response_format(ask, refused)
        if ask.json_schema is not None and (form is None or form["type"] == "json_object"):
            ask = told(ask)
        # OpenAI's own newer models want the new name of the limit; other servers know the old one.
        limit = "max_completion_tokens" if self.base_url is None else "max_tokens"
        request: dict[str, Any] = {
            "model": self.name,
            "messages": [_message(message) for message in ask.messages],
            limit: ask.max_tokens,
            "temperature": ask.temperature,
            "seed": ask.seed,
        }
        more = {
            "stop": list(ask.stop),
            "tools": [{"type": "function", "function": tool.model_dump()} for tool in ask.tools],
            "tool_choice": _choice(ask.tool_choice) if ask.tools else None,
            "logprobs": ask.logprobs,
            "prompt_cache_key": cache_key(ask) if self.base_url is None else None,
        }
        request |= {key: value for key, value in more.items() if value}
        request = {key: value for key, value in request.items() if key not in refused}
        return request | ({"response_format": form} if form else {})

    def streamed(self, request: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
        """Ask for the usage too, which a stream leaves out unless asked."""
        wanted = {"stream_options": {"include_usage": True}}
        return request if "stream_options" in refused else request | wanted

    def read(self, body: Mapping[str, Any]) -> Reply:
        """Read a whole completion."""
        _raise_error(body)
        choices = body.get("choices")
        if not choices or not isinstance(choices[0], dict) or not isinstance(choices[0].get("message"), dict):
            raise CallFailed("unreadable", "no choices in it")
        choice, message = choices[0], choices[0]["message"]
        usage = usage_of(body.get("usage"))
        if message.get("refusal"):
            return Reply(text=message["refusal"], finish="refusal", usage=usage)
        thought, text = unthought(_text(message.get("content")))
        calls = tuple(_call(each) for each in message.get("tool_calls") or ())
        logprobs = _logprobs(choice.get("logprobs"))
        finish = FINISHES.get(choice.get("finish_reason") or "stop", "stop")
        return Reply(
            text=text,
            finish="tools" if calls and finish == "stop" else finish,
            usage=usage,
            calls=calls,
            logprobs=logprobs,
            confidence=confidence(logprobs),
            thought=str(message.get("reasoning_content") or message.get("reasoning") or thought),
        )

    def gather(self) -> "_Chunks":
        """Begin to gather chunks into a completion."""
        return _Chunks(self)


class _Chunks:
    """Chunks put together again into the body that a call without streaming would have brought."""

    def __init__(self, wire: ChatWire) -> None:
        self._wire = wire
        self._texts: dict[str, list[str]] = {"content": [], "refusal": [], "reasoning_content": []}
        self._calls: dict[int, dict[str, str]] = {}
        self._logprobs: list[Any] = []
        self._finish: str | None = None
        self._usage: Any = None

    def feed(self, event: Mapping[str, Any]) -> str:
        _raise_error(event)
        self._usage = event.get("usage") or self._usage
        piece = ""
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {}
            for name, texts in self._texts.items():
                texts.append(delta.get(name) or "")
            piece += delta.get("content") or ""
            for call in delta.get("tool_calls") or ():
                self._add(call)
            self._logprobs += (choice.get("logprobs") or {}).get("content") or []
            self._finish = choice.get("finish_reason") or self._finish
        return piece

    def reply(self) -> Reply:
        if self._finish is None:
            raise CallFailed("unreadable", "the stream ended before the reply did")
        message: dict[str, Any] = {name: "".join(texts) for name, texts in self._texts.items()}
        message["tool_calls"] = [
            {"id": each["id"], "function": {"name": each["name"], "arguments": each["arguments"]}}
            for each in self._calls.values()
        ]
        choice = {"message": message, "finish_reason": self._finish, "logprobs": {"content": self._logprobs or None}}
        return self._wire.read({"choices": [choice], "usage": self._usage})

    def _add(self, call: Mapping[str, Any]) -> None:
        kept = self._calls.setdefault(int(call.get("index") or 0), {"id": "", "name": "", "arguments": ""})
        function = call.get("function") or {}
        kept["id"] = call.get("id") or kept["id"]
        kept["name"] = function.get("name") or kept["name"]
        kept["arguments"] += function.get("arguments") or ""


def _message(message: Message | Turn) -> dict[str, Any]:
    if isinstance(message, Message):
        return message.model_dump()
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call or "", "content": message.content}
    written: dict[str, Any] = {"role": message.role, "content": message.content or None}
    if message.images:
        images = [{"type": "image_url", "image_url": {"url": url}} for url in message.images]
        text = [{"type": "text", "text": message.content}] if message.content else []
        written["content"] = [*images, *text]
    if message.calls:
        written["tool_calls"] = [
            {"id": each.id, "type": "function", "function": {"name": each.name, "arguments": each.arguments}}
            for each in message.calls
        ]
    return written


def _response_format(ask: Ask, refused: frozenset[str]) -> dict[str, Any] | None:
    """Return the strongest form the server takes: the schema, any JSON object (DeepSeek), or none."""
    if ask.json_schema is None or "json_object" in refused:
        return None
    if "response_format" in refused:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": named_format(ask.json_schema)}


def _choice(name: str | None) -> Any:
    return name if name in {None, "auto", "none", "required"} else {"type": "function", "function": {"name": name}}


def _raise_error(body: Mapping[str, Any]) -> None:
    """Refuse a body of status 200 that holds an error, as some gateways send."""
    error = body.get("error")
    if error:
        inner = error if isinstance(error, dict) else {"message": str(error)}
        raise CallFailed("unreadable", str(inner.get("message") or "an error")[:300], code=str(inner.get("code") or ""))


def _text(content: Any) -> str:
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return str(content or "").strip()


def _call(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function") or {}
    return ToolCall(
        id=str(call.get("id") or ""), name=str(function.get("name") or ""), arguments=function.get("arguments") or ""
    )


def _logprobs(given: Any) -> tuple[TokenLogprob, ...] | None:
    content = given.get("content") if isinstance(given, dict) else None
    if not content:
        return None
    return tuple(TokenLogprob(token=str(each["token"]), logprob=float(each["logprob"])) for each in content)
