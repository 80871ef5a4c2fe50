"""A spending cap that is checked before each paid call. Units: USD."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from levers.economics.usage import Usage
from levers.errors import BudgetError
from levers.ledger import Purse
from levers.model.retry import CallFailed

_POLL = 0.02
_BYTES_PER_TOKEN = 2  # an upper bound on tokens for a cap: English has about 4 bytes a token
_TOKENS_PER_TEXT = 8
Out = TypeVar("Out")
Ticket = tuple[int, "Ticket | None"]
"""What settles a reservation: one's own, and that of the budget around it."""


class Budget:
    """How much may be spent, by one model or by several that share a purse, in one process or in several.

    A call is let through when what is spent, what is under way at its upper bound, and the call's own upper bound stay
    within the cap together. It waits while calls under way may yet turn out cheaper, and is refused when none is.
    """

    def __init__(
        self,
        cap: float,
        cost_of: Callable[[Usage], float],
        purse: Purse | None = None,
        within: "Budget | None" = None,
    ) -> None:
        """Set the cap in USD and the price of a call's usage; without a purse this object keeps its own.

        What is spent is spent under the budget `within` which this one lies too, and must fit there as well.
        """
        self.cap = cap
        self._cost_of = cost_of
        self._purse = purse or Purse()
        self._within = within

    @property
    def spent(self) -> float:
        """USD spent so far."""
        return self._purse.spent

    async def reserve(self, bound: Usage) -> Ticket:
        """Wait for room for a call of at most this usage; return the ticket to settle it with.

        Raises:
            BudgetError: the call could exceed the cap, and nothing under way can free room.
        """
        cost = self._cost_of(bound)
        while True:
            ticket, under_way = self._purse.reserve(cost, self.cap)
            if ticket is not None:
                return ticket, await self._around(ticket, bound)
            if not under_way:
                raise BudgetError(
                    f"the next call could cost {cost:.6f} USD; {self.spent:.6f} of {self.cap:.6f} USD are spent",
                    "raise the cap; finished calls are kept and are not paid again",
                )
            await asyncio.sleep(_POLL)

    def settle(self, ticket: Ticket, usage: Usage) -> None:
        """Replace a reservation by what the call really used; zero usage where it failed."""
        own, outer = ticket
        self._purse.settle(own, self._cost_of(usage))
        if self._within is not None and outer is not None:
            self._within.settle(outer, usage)

    async def _around(self, own: int, bound: Usage) -> Ticket | None:
        if self._within is None:
            return None
        try:
            return await self._within.reserve(bound)
        except BudgetError:
            self._purse.settle(own, 0.0)
            raise


def most_tokens(texts: list[str]) -> int:
    """Return the most tokens that a server may count for some texts, estimated from their bytes."""
    return sum(len(text.encode()) // _BYTES_PER_TOKEN + _TOKENS_PER_TEXT for text in texts)


async def paid(budget: Budget | None, bound: Usage, call: Callable[[], Awaitable[tuple[Out, Usage]]]) -> Out:
    """Make one try of a call under a cap, if there is one; `call` returns what came and what was used.

    A try that broke off may have been billed: it counts with its upper bound. So does one whose usage the server does
    not tell, which is no usage at all.
    """
    ticket = await budget.reserve(bound) if budget else None
    used = bound
    try:
        came, told = await call()
        used = bound if told == Usage() else told
        return came
    except CallFailed as error:
        used = Usage() if error.kind in {"status", "connection"} else bound
        raise
    except ValueError:  # nothing was sent
        used = Usage()
        raise
    finally:
        if budget and ticket is not None:
            budget.settle(ticket, used)
