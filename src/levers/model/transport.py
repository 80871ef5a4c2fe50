"""Whole replies over kept connections: one POST of JSON at a time for each call, through aiohttp.

The SDKs' own calls cost about 2 ms of processor time each, nine times as much: too much to keep a server full that
answers 64 at once. Sign-in stays the SDK's: its client names the address and the headers. Streams stay the SDK's too.
"""

import json
import ssl
import urllib.request
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import truststore

from levers.model.retry import CallFailed


class Posted(NamedTuple):
    """What came back: a status under 300, headers in lower case, the body as it came."""

    headers: dict[str, str]
    body: bytes


class Transport:
    """The connections of one batch, used inside one event loop. `client` is the SDK's, which sign-in comes from."""

    def __init__(self, client: Any, path: str, timeout: float) -> None:
        """Take the SDK's client, the path below its address, and the seconds a call may take."""
        self.client = client
        self._url = str(client.base_url).rstrip("/") + path
        named = {**client.default_headers, **client.auth_headers}
        self._headers = {name: value for name, value in named.items() if isinstance(value, str)}
        self._proxy = proxy_for(self._url)
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: Mapping[str, Any]) -> Posted:
        """Post one body. Raises CallFailed for an error status, a timeout, or a connection that fails."""
        data = json.dumps(body, ensure_ascii=False).encode()
        try:
            async with self._opened().post(self._url, data=data, proxy=self._proxy, allow_redirects=False) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                text = await response.read()
        except TimeoutError as error:
            raise CallFailed("timeout") from error
        except aiohttp.ClientConnectorError as error:
            raise CallFailed("connection") from error
        except aiohttp.ClientError as error:
            raise CallFailed("unreadable", "the connection broke off") from error
        if response.status >= 300:
            raise refusal(response.status, headers, text, response.reason or "")
        return Posted(headers, text)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
        await self.client.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Whoever asks bounds how many calls there are at once.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=trusted()),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
                timeout=self._timeout,
            )
        return self._session


@cache
def trusted() -> ssl.SSLContext:
    """Return the certificates the system trusts, a company's own among them; loading them takes longer than a call."""
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def proxy_for(url: str) -> str | None:
    """Return the environment's proxy for an address, None without one. (aiohttp would look again at every call.)"""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def refusal(status: int, headers: Mapping[str, str], text: bytes, reason: str) -> CallFailed:
    """Read an error status and its body; a redirect is one, for the key belongs to the address that was named."""
    if status < 400:
        message = f"it redirects to {headers.get('location', 'another address')}; name that as base_url"
        return CallFailed("status", message, status, headers=headers)
    try:
        inner = inner_error(json.loads(text))
    except ValueError:
        inner = {}
    return refused(status, inner, headers, reason)


def refused(status: int, inner: Mapping[str, Any], headers: Mapping[str, str], reason: str) -> CallFailed:
    """Turn an error object, empty where the body held none, into a failure."""
    code = str(inner.get("code") or inner.get("type") or "") or None
    message = str(inner.get("message") or reason)[:300]
    param = inner.get("param")
    return CallFailed("status", message, status, code, str(param) if param else None, headers)


def inner_error(body: Any) -> Mapping[str, Any]:
    """Return the error object of a body: OpenAI's SDK hands over the inner one, a server and Anthropic's the whole."""
    if not isinstance(body, dict):
        return {}
    inner = body.get("error", body)
    return inner if isinstance(inner, dict) else {"message": str(inner)}
