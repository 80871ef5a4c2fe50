"""What the protocols of OpenAI share: the client, the key, strict schemas, the four buckets. Imports the openai SDK."""

import json
import os
from collections.abc import Mapping
from typing import Any

from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from levers.economics.usage import Usage
from levers.errors import ModelError
from levers.ledger import Message, digest
from levers.model.contract import Ask
from levers.model.transport import trusted
from levers.model.wire import count

OPENAI_URL = "https://api.openai.com/v1"
KEY = "OPENAI_API_KEY"


def open_client(base_url: str | None, timeout: float) -> AsyncOpenAI:
    """Open a client without retries of its own; the caller closes it.

    Raises:
        ModelError: OpenAI itself is asked and no key is set.
    """
    own = os.environ.get("LEVERS_API_KEY", "")
    key = own if base_url is not None else os.environ.get(KEY, "") or own
    if base_url is None and not key:
        raise ModelError("no key for api.openai.com", "set OPENAI_API_KEY, or name another server by base_url")
    # Servers without keys ignore this; the SDK insists on some text.
    http = DefaultAsyncHttpxClient(verify=trusted())
    client = AsyncOpenAI(
        api_key=key or "none", base_url=base_url or OPENAI_URL, timeout=timeout, max_retries=0, http_client=http
    )
    if base_url is not None:  # the SDK reads them from the environment; they are OpenAI's business only
        client.organization = client.project = None
    return client


def strict(schema: dict[str, Any]) -> bool:
    """Tell whether a schema meets OpenAI's strict form: an object, closed, every property required."""
    names = set(schema.get("properties", {}))
    return bool(names) and schema.get("additionalProperties") is False and set(schema.get("required", [])) == names


def named_format(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the form both protocols give a schema."""
    return {"name": "answer", "schema": schema, "strict": strict(schema)}


def told(ask: Ask) -> Ask:
    """Write the schema into the system message, for servers that only know "some JSON object"."""
    text = f"Reply with only a JSON object that follows this JSON Schema:\n{json.dumps(ask.json_schema)}"
    first, rest = ask.messages[:1], ask.messages[1:]
    if first and first[0].role == "system":
        head = Message(role="system", content=f"{first[0].content}\n\n{text}")
        return ask.model_copy(update={"messages": (head, *rest)})
    return ask.model_copy(update={"messages": (Message(role="system", content=text), *ask.messages)})


def usage_of(usage: Mapping[str, Any] | None) -> Usage:
    """Sort a server's counts into the four buckets.

    OpenAI's prompt counts include cached tokens, our `input` does not. DeepSeek and its like name hits and misses.
    """
    if not usage:
        return Usage()
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    read = count(details, "cached_tokens") or count(usage, "prompt_cache_hit_tokens")
    write = count(details, "cache_write_tokens", "cache_creation_tokens")
    whole = count(usage, "prompt_tokens", "input_tokens")
    output = count(usage, "completion_tokens", "output_tokens")
    return Usage(input=max(0, whole - read - write), cache_read=read, cache_write=write, output=output)


def cache_key(ask: Ask) -> str | None:
    """Name the repeating part of a prompt, so that OpenAI sends asks that share it to the same machine."""
    return digest(ask.messages[: ask.cache.turns]) if ask.cache else None
