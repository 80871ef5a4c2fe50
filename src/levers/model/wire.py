"""What a provider's protocol must supply: an ask as a request, a body as a reply, events as pieces, errors as failures.

Everything else (batches, retries, pace, spending, keys in order) is `levers.model.hosted` and the same for all.
"""

import inspect
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from levers.errors import ModelError
from levers.ledger import digest
from levers.model.contract import Ask, Reply
from levers.model.retry import CallFailed
from levers.model.transport import Transport, inner_error, refused

_NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"}


class Gathering(Protocol):
    """A streamed reply in the making."""

    def feed(self, event: Mapping[str, Any]) -> str:
        """Take one event; return the text it adds, which may be none. Raises CallFailed when the event is an error."""

    def reply(self) -> Reply:
        """Return the whole reply. Raises CallFailed when the stream ended before the reply did."""


class Wire(Protocol):
    """One provider's protocol over its own SDK."""

    @property
    def reference(self) -> str:
        """The model's id: provider/model, and a digest of the server where one is named."""

    @property
    def name(self) -> str:
        """The model's name at the provider."""

    @property
    def base_url(self) -> str | None:
        """The server, where it is not the provider's own."""

    @property
    def host(self) -> str:
        """The provider's own host."""

    @property
    def key(self) -> str:
        """The environment variable that holds the provider's own key."""

    @property
    def path(self) -> str:
        """The path of a request, below the SDK's own address."""

    @property
    def sdk(self) -> Any:
        """The SDK's module, for its error classes."""

    @property
    def optional(self) -> frozenset[str]:
        """Settings that some models refuse by name and can do without; dropped once refused."""

    @property
    def extra(self) -> frozenset[str]:
        """Settings that the server takes and the SDK's signature lacks."""

    def open(self, timeout: float) -> Any:
        """Open a client without retries of its own. Raises ModelError where a key is needed and none is set."""

    def request(self, ask: Ask, refused: frozenset[str]) -> dict[str, Any]:
        """Write an ask as the body of a request, without the settings this model refused before.

        Raises ValueError where the ask holds what this protocol cannot say.
        """

    def streamed(self, request: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
        """Add what a request needs to be answered in a stream."""

    def endpoint(self, client: Any) -> Any:
        """Return the SDK's resource that takes requests for a stream: an object with an async `create`."""

    def read(self, body: Mapping[str, Any]) -> Reply:
        """Read a whole body. Raises CallFailed when it is no reply."""

    def gather(self) -> Gathering:
        """Begin to gather a streamed reply."""


async def ask_once(wire: Wire, transport: Transport, request: dict[str, Any]) -> tuple[Reply, dict[str, str]]:
    """Make one call and return the reply and the response's headers. Raises CallFailed."""
    posted = await transport.post(request)
    with _as_unreadable():
        return wire.read(parsed(posted.body)), posted.headers


async def stream_once(wire: Wire, client: Any, request: dict[str, Any]) -> AsyncIterator[str | Reply | dict[str, str]]:
    """Make one streaming call: the headers first, then pieces of text, last the whole reply. Raises CallFailed."""
    gathering = wire.gather()
    try:
        raw = await wire.endpoint(client).with_raw_response.create(**_sendable(wire, request), stream=True)
        yield lower(raw.headers)
        async for event in _events(await _settled(raw.parse)):
            with _as_unreadable():
                piece = gathering.feed(event)
            if piece:
                yield piece
    except wire.sdk.APIError as error:
        raise failure(wire, error) from error
    with _as_unreadable():
        reply = gathering.reply()
    yield reply


@contextmanager
def _as_unreadable() -> Iterator[None]:
    """Raise CallFailed where a body has another form than its protocol says: one odd reply must not end the batch."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise CallFailed("unreadable", f"not as the protocol says: {str(error)[:100]}") from error


async def _events(stream: Any) -> AsyncIterator[Mapping[str, Any]]:
    """Give a stream's events as plain data. Raises CallFailed at one that is no JSON object."""
    try:
        async for event in stream:
            yield event.to_dict()
    except (ValueError, AttributeError) as error:
        raise CallFailed("unreadable", f"an event of the stream: {str(error)[:200]}") from error


def _sendable(wire: Wire, request: dict[str, Any]) -> dict[str, Any]:
    """Put what the SDK's own signature lacks where the SDK takes such things."""
    extra = {name: value for name, value in request.items() if name in wire.extra}
    rest = {name: value for name, value in request.items() if name not in wire.extra}
    return {**rest, "extra_body": extra} if extra else rest


def failure(wire: Wire, error: Any) -> CallFailed:
    """Turn an SDK's error into ours; both SDKs name their error classes alike."""
    sdk = wire.sdk
    if isinstance(error, sdk.APITimeoutError):
        return CallFailed("timeout")
    if isinstance(error, sdk.APIConnectionError):
        never = type(error.__cause__).__name__ in _NEVER_SENT
        return CallFailed("connection") if never else CallFailed("unreadable", "the connection broke off")
    inner = inner_error(getattr(error, "body", None))
    if not isinstance(error, sdk.APIStatusError) or error.status_code < 400:
        code = str(inner.get("code") or inner.get("type") or "") or None
        message = str(inner.get("message") or getattr(error, "message", "") or "")[:300]
        return CallFailed("unreadable", f"the stream broke off: {message}", code=code)
    message = str(getattr(error, "message", "")) if inner else error.response.reason_phrase
    return refused(error.status_code, inner, lower(error.response.headers), message)


def parsed(text: bytes) -> dict[str, Any]:
    """Read a body as a JSON object. Raises CallFailed when it is none: a body cut in the middle, a proxy's page."""
    try:
        body = json.loads(text)
    except ValueError as error:
        raise CallFailed("unreadable", f"no JSON: {str(error)[:100]}") from error
    if not isinstance(body, dict):
        raise CallFailed("unreadable", "no JSON object")
    return body


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def reference_of(provider: str, name: str, base_url: str | None) -> str:
    """Return the id of a hosted model: two servers' models of one name are two models."""
    return f"{provider}/{name}" if base_url is None else f"{provider}/{name}@{digest(base_url.rstrip('/'))}"


def count(usage: Mapping[str, Any], *names: str) -> int:
    """Return the first of these counts that the server gave, 0 where it gave none."""
    return next((int(usage[name]) for name in names if usage.get(name) is not None), 0)


def raise_if_broken(error: CallFailed, wire: Wire) -> None:
    """Raise ModelError where no other ask could succeed either: a refused key, no such model, spent credit."""
    if error.kind != "status":
        return
    if error.status in {401, 403}:
        hint = f"set {wire.key}, or LEVERS_API_KEY where base_url is set, to a key that may use this model"
        raise ModelError(f"the server refused the key ({error.status})", hint) from error
    if error.status == 404:
        hint = "check the model's name and base_url"
        raise ModelError(f"the server knows no model {wire.name!r} (404)", hint) from error
    if error.spent:
        raise ModelError("the account's credit is spent", "add credit, or set a lower spending cap") from error


def blamed(error: CallFailed, request: Mapping[str, Any], optional: frozenset[str]) -> frozenset[str]:
    """Return the optional settings that a refused request (400 or 422) blames, by its `param` or its message."""
    if error.kind != "status" or error.status not in {400, 422}:
        return frozenset()
    named = (error.param or "").split(".")[0]
    if named:
        return frozenset({named} & optional & set(request))
    return frozenset(name for name in _mentioned(error.message, optional) if name in request)


def _mentioned(message: str, optional: frozenset[str]) -> Iterator[str]:
    words = message.replace("`", " ").replace("'", " ").replace('"', " ").replace(":", " ").replace(".", " ").split()
    return (name for name in optional if name in words)


async def _settled(value: Any) -> Any:
    """Return what one SDK gives as a value, another as a method, a third as a coroutine."""
    value = value() if callable(value) else value
    return await value if inspect.isawaitable(value) else value
