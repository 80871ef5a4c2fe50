"""What the fake server says, in each protocol: whole bodies, streamed events, errors."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from levers.testing.server import Scripted

_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def whole(answer: "Scripted", path: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an answer in the protocol of that path."""
    if path.endswith("/messages"):
        return _message(answer, request)
    if path.endswith("/responses"):
        return _response(answer, request)
    return _completion(answer, request)


def events(answer: "Scripted", path: str, request: dict[str, Any]) -> list[str]:
    """Return the same answer as server-sent events."""
    if path.endswith("/messages"):
        return [_event(each, each["type"]) for each in _message_events(answer, request)]
    if path.endswith("/responses"):
        return [_event(each, each["type"]) for each in _response_events(answer, request)]
    return [*(_event(each) for each in _chunks(answer, request)), "data: [DONE]\n\n"]


def error(answer: "Scripted", path: str) -> dict[str, Any]:
    """Return the body of an error."""
    inner = {"message": answer.text, "type": "fake", "code": answer.code, "param": answer.param}
    if path.endswith("/messages"):
        kind = {429: "rate_limit_error", 529: "overloaded_error", 401: "authentication_error"}.get(answer.status)
        return {"type": "error", "error": {"type": kind or "invalid_request_error", "message": answer.text}}
    return {"error": inner}


def _words(request: dict[str, Any]) -> int:
    """Count the prompt's tokens as words."""
    texts = [str(request.get("system", "")), *(str(message.get("content")) for message in _turns(request))]
    return sum(len(text.split()) for text in texts)


def _turns(request: dict[str, Any]) -> list[dict[str, Any]]:
    return request.get("messages") or request.get("input") or []


def _event(data: dict[str, Any], name: str = "") -> str:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n"


def _split(text: str) -> list[str]:
    """Cut a text into pieces of a few characters, as tokens would."""
    return [text[start : start + 4] for start in range(0, len(text), 4)]


def _completion_usage(answer: "Scripted", request: dict[str, Any]) -> dict[str, Any]:
    prompt, output = _words(request), len(answer.text.split())
    details = {"cached_tokens": answer.cached, "cache_write_tokens": answer.written}
    total = prompt + output
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": total,
        "prompt_tokens_details": details,
    }


def _tool_calls(answer: "Scripted") -> list[dict[str, Any]]:
    return [
        {"index": place, "id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        for place, (id_, name, arguments) in enumerate(answer.calls)
    ]


def _logprobs(answer: "Scripted", request: dict[str, Any]) -> dict[str, Any] | None:
    if not request.get("logprobs"):
        return None
    content: list[Any] = [
        {"token": word, "logprob": -0.5, "bytes": None, "top_logprobs": []} for word in _split(answer.text)
    ]
    return {"content": content, "refusal": None}


def _completion(answer: "Scripted", request: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": answer.refusal}
    if answer.calls:
        message["tool_calls"] = _tool_calls(answer)
    if answer.thought:
        message["reasoning_content"] = answer.thought
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": answer.finish,
        "logprobs": _logprobs(answer, request),
    }
    head = {"id": "fake", "object": "chat.completion", "created": 0, "model": request["model"]}
    return {**head, "choices": [choice], "usage": _completion_usage(answer, request)}


def _chunks(answer: "Scripted", request: dict[str, Any]) -> list[dict[str, Any]]:
    head = {"id": "fake", "object": "chat.completion.chunk", "created": 0, "model": request["model"]}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in _split(answer.thought)]
    deltas += [{"content": piece} for piece in _split(answer.text)]
    deltas += [{"refusal": piece} for piece in _split(answer.refusal or "")]
    for call in _tool_calls(answer):
        whole_call = call["function"]["arguments"]
        deltas.append({"tool_calls": [{**call, "function": {**call["function"], "arguments": ""}}]})
        deltas += [
            {"tool_calls": [{"index": call["index"], "function": {"arguments": piece}}]} for piece in _split(whole_call)
        ]
    logprobs = _logprobs(answer, request)
    chunks = []
    for delta in deltas:
        token: dict[str, Any] = {"token": delta.get("content"), "logprob": -0.5, "bytes": None, "top_logprobs": []}
        shown = {"content": [token], "refusal": None} if logprobs and delta.get("content") else None
        chunks.append({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None, "logprobs": shown}]})
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": answer.finish}]})
    if (request.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "choices": [], "usage": _completion_usage(answer, request)})
    return chunks


def _response(answer: "Scripted", request: dict[str, Any]) -> dict[str, Any]:
    prompt, output = _words(request), len(answer.text.split())
    part: dict[str, Any] = {"type": "output_text", "text": answer.text, "annotations": []}
    if request.get("include"):
        part["logprobs"] = (_logprobs(answer, {"logprobs": True}) or {}).get("content")
    if answer.refusal:
        part = {"type": "refusal", "refusal": answer.refusal}
    items: list[dict[str, Any]] = []
    if answer.thought:
        summary = [{"type": "summary_text", "text": answer.thought}]
        items.append({"type": "reasoning", "id": "thought", "summary": summary})
    items.append({"type": "message", "id": "one", "role": "assistant", "status": "completed", "content": [part]})
    items += [
        {"type": "function_call", "call_id": id_, "name": name, "arguments": arguments}
        for id_, name, arguments in answer.calls
    ]
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(answer.finish)
    return {
        "id": "fake",
        "object": "response",
        "created_at": 0,
        "model": request["model"],
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "error": None,
        "output": items,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": answer.cached, "cache_write_tokens": answer.written},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + output,
        },
    }


def _response_events(answer: "Scripted", request: dict[str, Any]) -> list[dict[str, Any]]:
    body = _response(answer, request)
    at = {"item_id": "one", "output_index": 0, "content_index": 0}
    begun: dict[str, Any] = {"type": "response.created", "sequence_number": 0, "response": {**body, "output": []}}
    deltas = [
        {"type": "response.output_text.delta", "delta": piece, "logprobs": [], **at} for piece in _split(answer.text)
    ]
    end = {"type": f"response.{body['status']}", "response": body}
    return [{**each, "sequence_number": number} for number, each in enumerate([begun, *deltas, end])]


def _message_usage(answer: "Scripted", request: dict[str, Any]) -> dict[str, Any]:
    short = answer.written - answer.long
    return {
        "input_tokens": max(0, _words(request) - answer.cached - answer.written),
        "cache_read_input_tokens": answer.cached,
        "cache_creation_input_tokens": answer.written,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": answer.long},
        "output_tokens": len((answer.refusal or answer.text).split()),
    }


def _message(answer: "Scripted", request: dict[str, Any]) -> dict[str, Any]:
    text = answer.refusal or answer.text
    blocks: list[dict[str, Any]] = []
    if answer.thought:
        blocks.append({"type": "thinking", "thinking": answer.thought, "signature": "s"})
    if text:
        blocks.append({"type": "text", "text": text})
    blocks += [
        {"type": "tool_use", "id": id_, "name": name, "input": json.loads(arguments)}
        for id_, name, arguments in answer.calls
    ]
    return {
        "id": "fake",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": blocks,
        "stop_reason": "refusal" if answer.refusal else _STOPS.get(answer.finish, answer.finish),
        "stop_sequence": None,
        "usage": _message_usage(answer, request),
    }


def _message_events(answer: "Scripted", request: dict[str, Any]) -> list[dict[str, Any]]:
    body = _message(answer, request)
    start = {**body, "content": [], "stop_reason": None, "usage": {**body["usage"], "output_tokens": 1}}
    found: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(body["content"]):
        empty, deltas = _block_deltas(block)
        found.append({"type": "content_block_start", "index": index, "content_block": empty})
        found += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        found.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": body["stop_reason"], "stop_sequence": None}
    usage = {"output_tokens": body["usage"]["output_tokens"]}
    return [*found, {"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def _block_deltas(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in _split(block["text"])]
    if block["type"] == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _split(block["thinking"])]
        return {**block, "thinking": ""}, deltas
    pieces = _split(json.dumps(block["input"]))
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
