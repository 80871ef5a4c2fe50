"""Rate limits learnt from a server's headers: wait before a call that would be refused, rather than after it.

OpenAI and most servers of its format send `x-ratelimit-remaining-requests` (and `-tokens`) with
`x-ratelimit-reset-requests` as a duration such as `6m0s`; Anthropic sends `anthropic-ratelimit-requests-remaining` (and
`-input-tokens-`) with a reset time (RFC 3339).
"""

import asyncio
import re
import threading
import time
from collections.abc import Mapping
from datetime import datetime

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_REQUESTS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
)
_TOKENS = (
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
)


class Pace:
    """What one model's server will still take, shared by all calls to it. Used inside one event loop."""

    def __init__(self, patience: float) -> None:
        """Never hold a call back for more than `patience` seconds: headers may be wrong."""
        self.stop = threading.Event()
        """Set once nobody waits for calls any more: none is held back or tried again then."""
        self._patience = patience
        self._requests: tuple[float, float] | None = None  # how many are left, until when (monotonic seconds)
        self._tokens: tuple[float, float] | None = None
        self._held_until = 0.0
        self._under_way = 0

    async def ready(self, tokens: int) -> None:
        """Wait until the server should take a call of so many tokens, and count it as under way."""
        end = time.monotonic() + self._patience
        while (wait := self._wait(tokens)) > 0 and time.monotonic() < end and not self.stop.is_set():
            await asyncio.sleep(min(wait, 0.1, max(0.0, end - time.monotonic())))
        self._under_way += 1
        self._requests = _less(self._requests, 1)
        self._tokens = _less(self._tokens, tokens)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Read what a finished call's headers say is left; other calls under way are not counted in it yet."""
        self._under_way = max(0, self._under_way - 1)
        requests = _read(headers, _REQUESTS)
        if requests is not None:
            self._requests = (requests[0] - self._under_way, requests[1])
        self._tokens = _read(headers, _TOKENS) or self._tokens

    def hold(self, seconds: float) -> None:
        """Let no call start before so many seconds have passed: the server asked one of them to wait."""
        if seconds <= self._patience:
            self._held_until = max(self._held_until, time.monotonic() + seconds)

    def _wait(self, tokens: int) -> float:
        now = time.monotonic()
        waits = [self._held_until - now]
        if self._requests is not None and self._requests[0] < 1:
            waits.append(self._requests[1] - now)
        if self._tokens is not None and self._tokens[0] < tokens:
            waits.append(self._tokens[1] - now)
        return max(waits)


def seconds_until(text: str) -> float | None:
    """Read a reset: a duration (`1s`, `6m0s`, `250ms`), plain seconds, or a time (RFC 3339); None if it is none."""
    parts = _PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return max(0.0, datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() - time.time())
    except ValueError:
        return None


def _read(headers: Mapping[str, str], names: tuple[tuple[str, str], ...]) -> tuple[float, float] | None:
    for left, reset in names:
        wait = seconds_until(headers.get(reset, ""))
        if wait is not None and headers.get(left, "").isdigit():
            return float(headers[left]), time.monotonic() + wait
    return None


def _less(state: tuple[float, float] | None, amount: float) -> tuple[float, float] | None:
    if state is None or state[1] <= time.monotonic():
        return None
    return state[0] - amount, state[1]
