"""The one bridge between synchronous levers and asynchronous clients: bounded concurrency, results as they come."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def as_completed(
    items: Sequence[In],
    work: Callable[[In], Awaitable[Out]],
    *,
    limit: int,
    close: Callable[[], Awaitable[None]],
    stop: threading.Event | None = None,
) -> Iterator[tuple[int, Out]]:
    """Run `work` over the items, at most `limit` at once, and yield (place, result) as each ends.

    Runs an event loop in a thread of its own, so it works inside a notebook too. After the first exception nothing new
    is begun; what is under way may have been paid for, so it is waited for and given out before the exception is
    raised here. `close` is awaited at the end, in that loop. `stop` is set after an exception, and when nobody listens
    any more: `work` may look at it.
    """
    results: queue.SimpleQueue[tuple[int, Out] | BaseException | None] = queue.SimpleQueue()
    stop = stop or threading.Event()

    async def one(place: int, gate: asyncio.Semaphore) -> None:
        async with gate:
            if stop.is_set():
                return
            try:
                results.put((place, await work(items[place])))
            except BaseException:
                stop.set()
                raise

    async def every() -> None:
        gate = asyncio.Semaphore(limit)
        try:
            ends = await asyncio.gather(*(one(place, gate) for place in range(len(items))), return_exceptions=True)
        finally:
            await close()
        _raise_first(ends)

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


def emitted(
    work: Callable[[Callable[[In], None]], Awaitable[Out]], *, close: Callable[[], Awaitable[None]]
) -> Iterator[In | Out]:
    """Run one `work`, which gets a function to emit with; yield what it emits as it comes, and last its result.

    Its exception is raised here, after what came before. Whoever stops listening cancels the work.
    """
    results: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    async def whole() -> None:
        running.append((asyncio.get_running_loop(), _current_task()))
        try:
            results.put(("end", await work(lambda piece: results.put(("piece", piece)))))
        finally:
            await close()

    def run() -> None:
        try:
            asyncio.run(whole())
        except BaseException as error:
            results.put(("raise", error))

    thread = threading.Thread(target=run, name="levers-hosted", daemon=True)
    thread.start()
    kind = "piece"
    try:
        while kind == "piece":
            kind, value = results.get()
            if kind == "raise":
                raise value
            yield value
    finally:
        if kind == "piece" and running:  # nobody listens any more
            loop, task = running[0]
            with contextlib.suppress(RuntimeError):  # it ended by itself just now, and its loop is closed
                loop.call_soon_threadsafe(task.cancel)
        thread.join()


def _raise_first(ends: Sequence[BaseException | None]) -> None:
    for end in ends:
        if end is not None:
            raise end


def _current_task() -> "asyncio.Task[None]":
    task = asyncio.current_task()
    assert task is not None, "called inside a running loop"
    return task
