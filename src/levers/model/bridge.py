"""The one bridge between synchronous levers and asynchronous clients: bounded concurrency, results as they come."""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def as_completed(
    items: Sequence[In], work: Callable[[In], Awaitable[Out]], *, limit: int, close: Callable[[], Awaitable[None]]
) -> Iterator[tuple[int, Out]]:
    """Run `work` over the items, at most `limit` at once, and yield (place, result) as each ends.

    Runs an event loop in a thread of its own, so it works inside a notebook too. The first exception cancels what is
    under way and is raised here, after every result that came before it. `close` is awaited at the end, in that loop.
    """
    results: queue.SimpleQueue[tuple[int, Out] | BaseException | None] = queue.SimpleQueue()
    stop = threading.Event()

    async def one(place: int, gate: asyncio.Semaphore) -> None:
        async with gate:
            if not stop.is_set():
                results.put((place, await work(items[place])))

    async def every() -> None:
        gate = asyncio.Semaphore(limit)
        tasks = [asyncio.ensure_future(one(place, gate)) for place in range(len(items))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await close()

    def run() -> None:
        try:
            asyncio.run(every())
        except BaseException as error:
            results.put(error)
        finally:
            results.put(None)

    thread = threading.Thread(target=run, name="levers-hosted", daemon=True)
    thread.start()
    try:
        while (result := results.get()) is not None:
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        stop.set()
        thread.join()
