"""The thread that hosted calls run on: who stops listening just as it ends harms nobody."""

import threading

from levers.model.bridge import emitted


def test_a_listener_may_stop_after_the_work_has_ended_by_itself() -> None:
    closed: list[bool] = []

    async def work(emit: object) -> str:
        assert callable(emit)
        emit("piece")
        return "whole"

    async def close() -> None:
        closed.append(True)

    stream = emitted(work, close=close)
    assert next(stream) == "piece"
    for thread in threading.enumerate():
        if thread.name == "levers-hosted":
            thread.join(10)
    stream.close()  # type: ignore[attr-defined]
    assert closed == [True]
