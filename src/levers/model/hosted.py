"""Models behind a server, whatever its protocol: batches, retries, pace, spending, streams.

The protocol itself is a wire (`levers.model.wire`). Reach this through `levers.model.open_model`, which says what to
install when an SDK lacks.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from levers.economics.usage import Usage
from levers.errors import ModelError
from levers.ledger import Record, canonical, whole
from levers.model.bridge import as_completed, emitted
from levers.model.budget import Budget, most_tokens, paid
from levers.model.contract import Ask, Reply, Turn
from levers.model.pace import Pace
from levers.model.reading import cut_at
from levers.model.retry import CallFailed, Retries, with_retries
from levers.model.transport import Transport
from levers.model.wire import Wire, ask_once, blamed, raise_if_broken, stream_once

_TOKENS_PER_IMAGE = 2_000  # more than the large providers count for the largest image they take without scaling

OnPiece = Callable[[str], None]


class HostedSettings(Record):
    """How to talk to a server. `timeout` in seconds per call; `concurrency` calls at once.

    `stream` asks for every reply in a stream: no long reply is lost to an idle timeout, and the time to the first piece
    is measured.
    """

    concurrency: int = 16
    timeout: float = 60.0
    retries: Retries = Retries()
    stream: bool = False


class HostedModel:
    """A model behind a server. The key is read from the environment and never stored, logged or part of the id.

    The provider's own key (OPENAI_API_KEY, ANTHROPIC_API_KEY; else LEVERS_API_KEY) goes to the provider only; a server
    named by `base_url` gets LEVERS_API_KEY only.
    """

    def __init__(self, wire: Wire, settings: HostedSettings | None = None, budget: Budget | None = None) -> None:
        """Take the protocol, which names model and server; nothing is called yet."""
        self.id = wire.reference
        self._wire = wire
        self._settings = settings or HostedSettings()
        self._budget = budget
        self._refused: frozenset[str] = frozenset()

    def answer(self, asks: Sequence[Ask]) -> list[Reply]:
        """Answer a batch; replies stand in the asks' order.

        Raises:
            ModelError: no key or a refused one, no such model, spent credit, or a server that cannot be reached at all.
            BudgetError: the spending cap would be exceeded.
        """
        replies = {place: reply for done in self.stream(asks) for place, reply in done.items()}
        return [replies[place] for place in range(len(asks))]

    def stream(self, asks: Sequence[Ask]) -> Iterator[dict[int, Reply]]:
        """Give {place among the asks: reply} as each call ends; raises as `answer` does, after what came before.

        Of asks that share a marked prefix one goes first: the others can read only what has been written by then.
        """
        first = leaders(asks)
        rest = [place for place in range(len(asks)) if place not in set(first)]
        for places in (first, rest):
            yield from self._batch(asks, places)

    def pieces(self, ask: Ask) -> Iterator[str | Reply]:
        """Yield one reply's text as it comes, and last the whole reply.

        What broke off after its first piece is not asked again: it ends as a reply with finish "error" and the text so
        far. Raises as `answer` does.
        """
        transport = self._transport()
        pace = Pace(self._settings.retries.patience)

        async def work(emit: OnPiece) -> Reply:
            return await self._one(transport, pace, ask, emit)

        for each in emitted(work, close=transport.close):
            if isinstance(each, Reply) and each.error == self._unreachable():
                raise ModelError(each.error, "check base_url, and that the server runs")
            yield each

    def _transport(self) -> Transport:
        return Transport(self._wire.open(self._settings.timeout), self._wire.path, self._settings.timeout)

    def _batch(self, asks: Sequence[Ask], places: list[int]) -> Iterator[dict[int, Reply]]:
        if not places:
            return
        transport = self._transport()
        pace = Pace(self._settings.retries.patience)
        heard = False

        async def one(place: int) -> Reply:
            return await self._one(transport, pace, asks[place])

        limit = self._settings.concurrency
        for at, reply in as_completed(places, one, limit=limit, close=transport.close, stop=pace.stop):
            if reply.error and reply.error == self._unreachable() and not heard:
                raise ModelError(reply.error, "check base_url, and that the server runs")
            heard = True
            yield {places[at]: reply}

    async def _one(self, transport: Transport, pace: Pace, ask: Ask, emit: OnPiece | None = None) -> Reply:
        begun = time.perf_counter()
        pieces: list[tuple[str, float]] = []
        tries = 0

        def keep(piece: str) -> None:
            pieces.append((piece, time.perf_counter() - begun))
            if emit:
                emit(whole(piece))

        async def once() -> Reply:
            nonlocal tries
            tries += 1
            try:
                return await self._paid(transport, pace, ask, keep if emit or self._settings.stream else None)
            except CallFailed as error:
                error.final = error.final or bool(emit and pieces)
                if not error.final:
                    pieces.clear()
                raise

        def on_failure(error: CallFailed) -> None:
            if error.asked_wait is not None:
                pace.hold(error.asked_wait)

        try:
            reply = await with_retries(once, self._settings.retries, on_failure, pace.stop.is_set)
        except CallFailed as error:
            raise_if_broken(error, self._wire)
            reply = self._failed(error, "".join(piece for piece, _ in pieces))
        except ValueError as error:  # the ask holds what this protocol cannot say
            reply = Reply(text="", finish="error", error=str(error))
        first = pieces[0][1] if pieces else None
        seconds = time.perf_counter() - begun
        known = {"seconds": seconds, "first_seconds": first, "tries": tries, "text": cut_at(reply.text, ask.stop)}
        return reply.model_copy(update=known)

    async def _paid(self, transport: Transport, pace: Pace, ask: Ask, keep: OnPiece | None) -> Reply:
        """Make one try under the cap."""
        bound = most(ask)

        async def call() -> tuple[Reply, Usage]:
            reply = await self._call(transport, pace, ask, keep)
            counted = reply.usage.model_copy(update={"calls": bound.calls})
            return reply.model_copy(update={"usage": counted}), Usage() if reply.usage == Usage() else counted

        return await paid(self._budget, bound, call)

    async def _call(self, transport: Transport, pace: Pace, ask: Ask, keep: OnPiece | None) -> Reply:
        request = self._wire.request(ask, self._refused)
        bound = most(ask)
        await pace.ready(bound.input + bound.cache_write)
        if pace.stop.is_set():
            raise CallFailed("connection", "nobody waited for it any more")
        headers: dict[str, str] = {}
        try:
            if keep is None:
                reply, headers = await ask_once(self._wire, transport, request)
                return reply
            request = self._wire.streamed(request, self._refused)
            async for each in stream_once(self._wire, transport.client, request):
                if isinstance(each, dict):
                    headers = each
                elif isinstance(each, str):
                    keep(each)
                else:
                    reply = each
            return reply
        except CallFailed as error:
            headers = error.headers
            refused = self._refusals(error, request)
            if not refused:
                raise
            self._refused |= refused
        finally:
            pace.learn(headers)
        return await self._call(transport, pace, ask, keep)

    def _refusals(self, error: CallFailed, request: dict[str, Any]) -> frozenset[str]:
        """Return what to leave out from now on because this model refused it, empty when that is not the trouble."""
        refused = blamed(error, request, self._wire.optional)
        if "response_format" in refused and request["response_format"]["type"] == "json_object":
            return frozenset({"json_object"})  # the second form was refused too
        return refused

    def _failed(self, error: CallFailed, text: str) -> Reply:
        if error.filtered:
            return Reply(text=text, finish="filter")
        if error.kind == "timeout":
            why = f"no reply within {self._settings.timeout:g} seconds, in each of several tries"
        elif error.kind == "connection":
            why = error.message or self._unreachable()
        elif error.kind == "status":
            why = f"the server answered {error.status}: {error.message}"
        else:
            why = f"the server's reply cannot be read: {error.message}"
        return Reply(text=text, finish="error", error=why, outage=error.outage)

    def _unreachable(self) -> str:
        host = urlsplit(self._wire.base_url).hostname if self._wire.base_url else self._wire.host
        return f"no connection to {host}, in each of several tries"


def leaders(asks: Sequence[Ask]) -> list[int]:
    """Return the first place of every marked prefix that several asks share."""
    groups: dict[str, list[int]] = {}
    for place, ask in enumerate(asks):
        if ask.cache:
            groups.setdefault(canonical(list(ask.messages[: ask.cache.turns])), []).append(place)
    return [places[0] for places in groups.values() if len(places) > 1]


def most(ask: Ask) -> Usage:
    """Return the most a call can use: prompt tokens overestimated from bytes, and the whole reply.

    Written to the cache, the prompt costs more than read fresh; the dearer bucket bounds both.
    """
    texts = [message.content for message in ask.messages]
    texts += [canonical(each) for each in (ask.json_schema, *ask.tools) if each]
    turns = [message for message in ask.messages if isinstance(message, Turn)]
    texts += [call.arguments for turn in turns for call in turn.calls]
    tokens = most_tokens(texts) + _TOKENS_PER_IMAGE * sum(len(turn.images) for turn in turns)
    if ask.cache:
        return Usage(cache_write=tokens, output=ask.max_tokens, calls=1)
    return Usage(input=tokens, output=ask.max_tokens, calls=1)
