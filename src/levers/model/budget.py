"""A spending cap that is checked before each paid call. Units: USD."""

import asyncio
import threading
from collections.abc import Callable

from levers.economics.usage import Usage
from levers.errors import BudgetError

_POLL = 0.02


class Budget:
    """How much may be spent, by one model or by several that share this object.

    A call is let through when what is spent, what is under way at its upper bound, and the call's own upper bound stay
    within the cap together. It waits while calls under way may yet turn out cheaper, and is refused when none is.
    """

    def __init__(self, cap: float, cost_of: Callable[[Usage], float]) -> None:
        """Set the cap in USD and the price of a call's usage."""
        self.cap = cap
        self.spent = 0.0
        self._cost_of = cost_of
        self._under_way: dict[int, float] = {}
        self._next = 0
        self._lock = threading.Lock()

    async def reserve(self, bound: Usage) -> int:
        """Wait for room for a call of at most this usage; return the ticket to settle it with.

        Raises:
            BudgetError: the call could exceed the cap, and nothing under way can free room.
        """
        cost = self._cost_of(bound)
        while True:
            with self._lock:
                if self.spent + sum(self._under_way.values()) + cost <= self.cap:
                    self._next += 1
                    self._under_way[self._next] = cost
                    return self._next
                if not self._under_way:
                    raise BudgetError(
                        f"the next call could cost {cost:.6f} USD; {self.spent:.6f} of {self.cap:.6f} USD are spent",
                        "raise the cap; finished calls are kept and are not paid again",
                    )
            await asyncio.sleep(_POLL)

    def settle(self, ticket: int, usage: Usage) -> None:
        """Replace a reservation by what the call really used; zero usage where it failed."""
        with self._lock:
            self._under_way.pop(ticket, None)
            self.spent += self._cost_of(usage)
