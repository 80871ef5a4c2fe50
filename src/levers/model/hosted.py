"""Models behind any server that speaks the OpenAI chat format: `openai/<model>`, with `base_url` for other servers.

Imports the openai SDK; reach it through `levers.model.open_model`, which says what to install when it lacks.
"""

import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import openai
from openai import AsyncOpenAI

from levers.economics.usage import Usage
from levers.errors import ModelError
from levers.ledger import Record, digest
from levers.model.bridge import as_completed
from levers.model.budget import Budget
from levers.model.contract import Ask, Finish, Reply
from levers.model.retry import ReplyUnreadable, Retries, with_retries

OPENAI_URL = "https://api.openai.com/v1"
# Settings some models refuse by name; dropped once refused, for the model decides at its own default then.
_OPTIONAL = {"temperature", "seed"}
_FINISHES: dict[str, Finish] = {"stop": "stop", "length": "length", "content_filter": "filter", "tool_calls": "stop"}
_BYTES_PER_TOKEN = 2  # an upper bound on tokens for a cap: English has about 4 bytes a token
_TOKENS_PER_MESSAGE = 8


class HostedSettings(Record):
    """How to talk to a server. `timeout` in seconds per call; `concurrency` calls at once."""

    concurrency: int = 16
    timeout: float = 60.0
    retries: Retries = Retries()


class HostedModel:
    """A model behind a server. The key is read from the environment and never stored, logged or part of the id.

    OPENAI_API_KEY (else LEVERS_API_KEY) goes to api.openai.com; a server named by `base_url` gets LEVERS_API_KEY only.
    """

    def __init__(
        self,
        name: str,
        base_url: str | None = None,
        settings: HostedSettings | None = None,
        budget: Budget | None = None,
    ) -> None:
        """Name model and server; nothing is called yet."""
        self.id = f"openai/{name}" if base_url is None else f"openai/{name}@{digest(base_url.rstrip('/'))}"
        self._name = name
        self._base_url = base_url
        self._settings = settings or HostedSettings()
        self._budget = budget
        self._refused: set[str] = set()

    def answer(self, asks: Sequence[Ask]) -> list[Reply]:
        """Answer a batch; replies stand in the asks' order.

        Raises:
            ModelError: no key or a refused one, no such model, spent credit, or a server that cannot be reached at all.
            BudgetError: the spending cap would be exceeded.
        """
        replies = {place: reply for done in self.stream(asks) for place, reply in done.items()}
        return [replies[place] for place in range(len(asks))]

    def stream(self, asks: Sequence[Ask]) -> Iterator[dict[int, Reply]]:
        """Give {place among the asks: reply} as each call ends; raises as `answer` does, after what came before."""
        if not asks:
            return
        client = open_client(self._base_url, self._settings.timeout)
        heard = False

        async def one(ask: Ask) -> Reply:
            return await self._one(client, ask)

        for place, reply in as_completed(asks, one, limit=self._settings.concurrency, close=client.close):
            if reply.error == _unreachable(client) and not heard:
                raise ModelError(reply.error, "check base_url, and that the server runs")
            heard = True
            yield {place: reply}

    async def _one(self, client: AsyncOpenAI, ask: Ask) -> Reply:
        begun = time.perf_counter()
        try:
            async with self._paid(ask) as paid:
                reply = await with_retries(lambda: self._call(client, ask), self._settings.retries)
                paid.append(reply.usage)
        except openai.APITimeoutError:
            reply = _failed(f"no reply within {self._settings.timeout:g} seconds, in each of several tries")
        except openai.APIConnectionError:
            reply = _failed(_unreachable(client))
        except openai.APIStatusError as error:
            raise_if_broken(error, self._name)
            reply = _failed(f"the server answered {error.status_code}: {_reason(error)}")
        except ReplyUnreadable as error:
            reply = _failed(f"the server's reply cannot be read: {error}")
        return reply.model_copy(update={"seconds": time.perf_counter() - begun})

    @asynccontextmanager
    async def _paid(self, ask: Ask) -> AsyncIterator[list[Usage]]:
        used: list[Usage] = []
        if self._budget is None:
            yield used
            return
        ticket = await self._budget.reserve(_bound(ask))
        try:
            yield used
        finally:
            self._budget.settle(ticket, used[0] if used else Usage())

    async def _call(self, client: AsyncOpenAI, ask: Ask) -> Reply:
        request = self._request(ask)
        try:
            completion: Any = await client.chat.completions.create(**request)
        except openai.BadRequestError as error:
            refused = {error.param} & _OPTIONAL & request.keys() if error.param else set()
            if not refused:
                raise
            self._refused |= refused
            return await self._call(client, ask)
        except openai.APIResponseValidationError as error:
            raise ReplyUnreadable(str(error)) from error
        except ValueError as error:  # a body cut in the middle is no JSON
            raise ReplyUnreadable(str(error)[:200]) from error
        return _reply(completion)

    def _request(self, ask: Ask) -> dict[str, Any]:
        # OpenAI's own newer models want the new name of the limit; other servers know the old one.
        limit = "max_completion_tokens" if self._base_url is None else "max_tokens"
        request: dict[str, Any] = {
            "model": self._name,
            "messages": [message.model_dump() for message in ask.messages],
            limit: ask.max_tokens,
            "temperature": ask.temperature,
            "seed": ask.seed,
        }
        if ask.json_schema is not None:
            form = {"name": "answer", "schema": ask.json_schema, "strict": _strict(ask.json_schema)}
            request["response_format"] = {"type": "json_schema", "json_schema": form}
        return {key: value for key, value in request.items() if key not in self._refused}


def open_client(base_url: str | None, timeout: float) -> AsyncOpenAI:
    """Open a client without retries of its own; the caller closes it.

    Raises:
        ModelError: OpenAI itself is asked and no key is set.
    """
    own = os.environ.get("LEVERS_API_KEY", "")
    key = own if base_url is not None else os.environ.get("OPENAI_API_KEY", "") or own
    if base_url is None and not key:
        raise ModelError("no key for api.openai.com", "set OPENAI_API_KEY, or name another server by base_url")
    # Servers without keys ignore this; the SDK insists on some text.
    return AsyncOpenAI(api_key=key or "none", base_url=base_url or OPENAI_URL, timeout=timeout, max_retries=0)


def raise_if_broken(error: openai.APIStatusError, model: str) -> None:
    """Raise ModelError where no other ask could succeed either: a refused key, no such model, spent credit."""
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        hint = "set OPENAI_API_KEY, or LEVERS_API_KEY where base_url is set, to a key that may use this model"
        raise ModelError(f"the server refused the key ({error.status_code})", hint) from error
    if isinstance(error, openai.NotFoundError):
        raise ModelError(f"the server knows no model {model!r} (404)", "check the model's name and base_url") from error
    if error.code == "insufficient_quota":
        raise ModelError("the account's credit is spent", "add credit, or set a lower spending cap") from error


def _reply(completion: Any) -> Reply:
    if not getattr(completion, "choices", None):
        raise ReplyUnreadable("no choices in it")
    choice = completion.choices[0]
    refusal = getattr(choice.message, "refusal", None)
    if refusal:
        return Reply(text=refusal, finish="refusal", usage=_usage(completion.usage))
    finish = _FINISHES.get(choice.finish_reason or "stop", "stop")
    return Reply(text=(choice.message.content or "").strip(), finish=finish, usage=_usage(completion.usage))


def _usage(usage: Any) -> Usage:
    """Sort a server's counts into the four buckets; `prompt_tokens` includes cached ones, our `input` does not."""
    if usage is None:
        return Usage()
    details = usage.prompt_tokens_details.model_dump() if usage.prompt_tokens_details else {}
    read, write = int(details.get("cached_tokens") or 0), int(details.get("cache_write_tokens") or 0)
    fresh = max(0, int(usage.prompt_tokens or 0) - read - write)
    return Usage(input=fresh, cache_read=read, cache_write=write, output=int(usage.completion_tokens or 0))


def _bound(ask: Ask) -> Usage:
    """Return the most a call can use: prompt tokens overestimated from bytes, and the whole reply."""
    texts = [message.content for message in ask.messages] + ([str(ask.json_schema)] if ask.json_schema else [])
    tokens = sum(len(text.encode()) // _BYTES_PER_TOKEN + _TOKENS_PER_MESSAGE for text in texts)
    return Usage(input=tokens, output=ask.max_tokens)


def _strict(schema: dict[str, Any]) -> bool:
    """Tell whether a schema meets OpenAI's strict form: an object, closed, every property required."""
    names = set(schema.get("properties", {}))
    return bool(names) and schema.get("additionalProperties") is False and set(schema.get("required", [])) == names


def _failed(why: str) -> Reply:
    return Reply(text="", finish="error", error=why)


def _reason(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error.response.reason_phrase)[:300]


def _unreachable(client: AsyncOpenAI) -> str:
    return f"no connection to {client.base_url.host}, in each of several tries"
