"""A server on loopback that takes 50 ms per answer, however many come at once: what a hosted model looks like.

It runs in a process of its own, so that it does not share an interpreter with what is measured.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_BODY = (
    b'{"id":"x","object":"chat.completion","created":0,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"30 days"}}],'
    b'"usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22}}'
)
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY) + _BODY


class _Answering(asyncio.Protocol):
    """One connection: every whole request is answered after the delay."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].lower()
            place = head.find(b"content-length:")
            size = int(head[place + 15 :].split(b"\r\n")[0]) if place >= 0 else 0
            if len(self._read) < end + 4 + size:
                return
            self._read = self._read[end + 4 + size :]
            asyncio.get_running_loop().call_later(self._delay, self._send)

    def _send(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_REPLY)


@contextmanager
def slow_server(delay: float) -> Iterator[str]:
    """Run the server and give its base_url."""
    command = [sys.executable, "-m", "benchmarks.serving", str(delay)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


async def _serve(delay: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Answering(delay), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
