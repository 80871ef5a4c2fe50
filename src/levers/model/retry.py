"""Retries of calls to a server: exponential backoff with jitter, a server's Retry-After before anything else."""

import asyncio
import email.utils
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeVar

from levers.ledger import Record

Out = TypeVar("Out")
Kind = Literal["status", "timeout", "connection", "unreadable"]
_SERVER_BROKE = 500
_PASSING = {408, 409, 425, 429}


class CallFailed(Exception):
    """One call that brought no reply: an error status, a timeout, no connection, or something that is no reply.

    `code` is the provider's name for the error, `param` the setting it blames, `headers` (lower case) what came along.
    `final` forbids another try.
    """

    def __init__(
        self,
        kind: Kind,
        message: str = "",
        status: int = 0,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take the error apart."""
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.headers = dict(headers or {})
        self.final = False

    @property
    def spent(self) -> bool:
        """Tell whether the account has no credit left."""
        low = "credit balance is too low" in self.message.lower()
        return self.status == 402 or low or self.code in {"insufficient_quota", "billing_error"}

    @property
    def filtered(self) -> bool:
        """Tell whether a content filter refused the prompt: some servers say so by a status of 400."""
        words = f"{self.code} {self.message}".lower().replace("_", " ")
        return self.status == 400 and ("content filter" in words or "content management policy" in words)

    @property
    def may_pass(self) -> bool:
        """Tell whether the same call could succeed later."""
        if self.final or self.spent:
            return False
        return self.outage

    @property
    def outage(self) -> bool:
        """Tell whether the server or the way to it is what broke, not the ask."""
        return self.kind != "status" or self.status >= _SERVER_BROKE or self.status in _PASSING

    @property
    def asked_wait(self) -> float | None:
        """Return the seconds the server asked to wait, None where it did not."""
        return retry_after(self.headers.get("retry-after-ms"), self.headers.get("retry-after"))


class Retries(Record):
    """How patient to be: tries after the first, and seconds between them.

    Waits `first` seconds, then twice as long each time up to `longest`, each shortened by up to a quarter at random so
    that many callers do not come back at once. A server that asks for more than `patience` seconds is given up on.
    """

    tries: int = 5
    first: float = 0.5
    longest: float = 30.0
    patience: float = 120.0


_LOOK = 0.1
"""Seconds between looks at whether anybody still waits."""


def _never() -> bool:
    return False


async def with_retries(
    call: Callable[[], Awaitable[Out]],
    retries: Retries,
    on_failure: Callable[[CallFailed], None] | None = None,
    stopped: Callable[[], bool] = _never,
) -> Out:
    """Call until it succeeds, fails for good, or the tries are spent; then the last failure is raised.

    Once `stopped` says so there is no further wait and no further try.
    """
    for turn in range(retries.tries + 1):
        try:
            return await call()
        except CallFailed as error:
            if on_failure:
                on_failure(error)
            wait = wait_before(error, turn, retries)
            if wait is None or turn == retries.tries or not await waited(wait, stopped):
                raise
    raise AssertionError("unreachable: the last turn returns or raises")


async def waited(seconds: float, stopped: Callable[[], bool]) -> bool:
    """Wait so long, and tell whether it is still wanted: False as soon as `stopped` says so."""
    end = time.monotonic() + seconds
    while not stopped() and (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, _LOOK))
    return not stopped()


def wait_before(error: CallFailed, turn: int, retries: Retries) -> float | None:
    """Return the seconds to wait before trying again, or None where trying again is useless."""
    if not error.may_pass:
        return None
    asked = error.asked_wait
    if asked is not None:
        return asked if asked <= retries.patience else None
    backoff: float = min(retries.longest, retries.first * 2.0**turn)
    return backoff * (1 - 0.25 * random.random())


def retry_after(milliseconds: str | None, after: str | None) -> float | None:
    """Read what a server asked for: milliseconds, seconds, or a date (RFC 9110, 10.2.3); None where it did not."""
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        if after is None:
            return None
        if after.strip().replace(".", "", 1).isdigit():
            return float(after)
        return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - time.time())
    except ValueError:
        return None
