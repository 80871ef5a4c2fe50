"""Retries of calls to a server: exponential backoff with jitter, a server's Retry-After before anything else.

Imports the openai SDK.
"""

import asyncio
import email.utils
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import openai

from levers.ledger import Record

Out = TypeVar("Out")
_SERVER_BROKE = 500
_PASSING = {408, 409, 425, 429}


class ReplyUnreadable(Exception):
    """A server answered with something that is no reply: a cut body, or a body without choices."""


class Retries(Record):
    """How patient to be: tries after the first, and seconds between them.

    Waits `first` seconds, then twice as long each time up to `longest`, each shortened by up to a quarter at random so
    that many callers do not come back at once. A server that asks for more than `patience` seconds is given up on.
    """

    tries: int = 5
    first: float = 0.5
    longest: float = 30.0
    patience: float = 120.0


async def with_retries(call: Callable[[], Awaitable[Out]], retries: Retries) -> Out:
    """Call until it succeeds, fails for good, or the tries are spent; then the last failure is raised."""
    for turn in range(retries.tries + 1):
        try:
            return await call()
        except (openai.APIError, ReplyUnreadable) as error:
            wait = wait_before(error, turn, retries)
            if wait is None or turn == retries.tries:
                raise
        await asyncio.sleep(wait)
    raise AssertionError("unreachable: the last turn returns or raises")


def wait_before(error: Exception, turn: int, retries: Retries) -> float | None:
    """Return the seconds to wait before trying again, or None where trying again is useless."""
    asked = None
    if isinstance(error, openai.APIStatusError):
        if error.code == "insufficient_quota":
            return None
        if error.status_code < _SERVER_BROKE and error.status_code not in _PASSING:
            return None
        asked = retry_after(error.response.headers.get("retry-after-ms"), error.response.headers.get("retry-after"))
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
