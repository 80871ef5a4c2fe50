"""A server on loopback that speaks the protocols of OpenAI and Anthropic, and can break in all the ways wires do."""

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, get_args

from levers.testing import wires
from levers.testing.models import HashEmbedder

Fault = Literal[
    "broken", "overloaded", "limited", "slow", "cut", "malformed", "page", "empty", "reset", "refused", "key", "spent"
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
"""What can go wrong on the wire.

broken      status 500
overloaded  status 503 (Anthropic: 529)
limited     status 429 with Retry-After
slow        the answer comes after `delay` seconds (5 unless given)
cut         half of the body, or of the stream's events, and then nothing
malformed   a whole body that is no JSON
page        a gateway's HTML page under status 200
empty       `{}`, or a stream without events
reset       the connection is closed before a byte
refused     status 400: the request is too long
key         status 401
spent       the account has no credit left
"""

_STATUS: dict[Fault, int] = {
    "broken": 500,
    "overloaded": 503,
    "limited": 429,
    "refused": 400,
    "key": 401,
    "spent": 429,
}


@dataclass(frozen=True)
class Scripted:
    """One answer of the fake server.

    `status` other than 200 makes it an error with `text` as its message; `delay` in seconds comes before it; `cut`
    sends only half of the body; `cached` and `written` of the counted prompt tokens are reported as read from and
    written to a cache, `long` of the written ones for an hour. `finish` is in the words of the OpenAI format: stop,
    length, content_filter, tool_calls. `calls` are (id, name, arguments) of tools. `fault` breaks the answer.
    """

    text: str = ""
    status: int = 200
    code: str | None = None
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    finish: str = "stop"
    refusal: str | None = None
    cached: int = 0
    written: int = 0
    long: int = 0
    calls: tuple[tuple[str, str, str], ...] = ()
    thought: str = ""
    fault: Fault | None = None


class FakeServer:
    """An HTTP server on loopback: chat completions, responses, embeddings and Anthropic's messages, streamed or whole.

    `script` is called with the decoded request and returns a text or a `Scripted` answer. Use it as a context manager;
    `base_url` is what a client needs. `requests`, `paths` and `keys` keep what came, `most_at_once` the largest
    concurrency.
    """

    def __init__(self, script: Callable[[dict[str, Any]], "str | Scripted"] = lambda request: "ok") -> None:
        """Open the port; requests are served once the context is entered."""
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str] = []
        self.most_at_once = 0
        self._script = script
        self._at_once = 0
        self._lock = threading.Lock()
        self._embedder = HashEmbedder()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def base_url(self) -> str:
        """The address to give as `base_url`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "FakeServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                request: dict[str, Any] = json.loads(self.rfile.read(size))
                fake._serve(self, request)

            def log_message(self, format: str, *args: Any) -> None:
                """Keep silent: a test's output is the test's."""

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        key = handler.headers.get("x-api-key") or handler.headers.get("Authorization", "").removeprefix("Bearer ")
        with self._lock:
            self.requests.append(request)
            self.paths.append(handler.path)
            self.keys.append(key)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if handler.path.endswith("/embeddings"):
                answer, body = Scripted(), json.dumps(self._embeddings(request)).encode()
            else:
                found = self._script(request)
                answer = _broken(Scripted(text=found) if isinstance(found, str) else found, handler.path)
                body = _body(answer, handler.path, request)
            time.sleep(answer.delay)
        finally:
            with self._lock:
                self._at_once -= 1
        _send(handler, answer, body)

    def _embeddings(self, request: dict[str, Any]) -> dict[str, Any]:
        texts = [request["input"]] if isinstance(request["input"], str) else request["input"]
        vectors = 3.0 * self._embedder.embed(texts, "passage")  # not of length one: clients must scale
        data = [{"object": "embedding", "index": i, "embedding": v.tolist()} for i, v in enumerate(vectors)]
        usage = {"prompt_tokens": sum(len(text.split()) for text in texts), "total_tokens": 0}
        return {"object": "list", "model": request["model"], "data": data, "usage": usage}


def _broken(answer: Scripted, path: str) -> Scripted:
    """Write a fault into the answer's other fields."""
    if answer.fault is None:
        return answer
    change: dict[str, Any] = {"status": _STATUS.get(answer.fault, 200), "text": answer.text or answer.fault}
    if answer.fault == "overloaded" and path.endswith("/messages"):
        change["status"] = 529
    if answer.fault == "limited":
        change["headers"] = {"Retry-After": "0", **answer.headers}
    if answer.fault == "slow":
        change["delay"] = answer.delay or 5.0
    if answer.fault == "spent":
        change["code"] = "insufficient_quota"
        if path.endswith("/messages"):  # Anthropic says it in words, under status 400
            change |= {"status": 400, "text": "Your credit balance is too low to access the API.", "code": None}
    if answer.fault in {"cut", "page", "malformed"}:
        change["cut"] = answer.fault == "cut"
    return Scripted(**{**answer.__dict__, **change})


def _body(answer: Scripted, path: str, request: dict[str, Any]) -> bytes:
    if answer.status != 200:
        return json.dumps(wires.error(answer, path)).encode()
    if answer.fault == "page":
        return b"<html><body><h1>Bad gateway</h1></body></html>"
    if request.get("stream"):
        events = [] if answer.fault == "empty" else wires.events(answer, path, request)
        events = events[: len(events) // 2] if answer.cut else events
        text = "".join(events)
        return (text[:-20] + "{{{\n\n" if answer.fault == "malformed" else text).encode()
    if answer.fault == "empty":
        return b"{}"
    body = json.dumps(wires.whole(answer, path, request)).encode()
    return body.replace(b'"', b"'") if answer.fault == "malformed" else body


def _send(handler: BaseHTTPRequestHandler, answer: Scripted, body: bytes) -> None:
    streamed = body.startswith((b"data:", b"event:")) or not body
    try:
        if answer.fault == "reset":
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        handler.send_response(answer.status)
        kind = "text/event-stream" if streamed else "text/html" if answer.fault == "page" else "application/json"
        handler.send_header("Content-Type", kind)
        if streamed:  # a stream ends with its connection: a cut one looks like any other end
            handler.send_header("Connection", "close")
        else:
            handler.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if answer.cut and not streamed else body)
        handler.close_connection = handler.close_connection or answer.cut or streamed
    except OSError:
        handler.close_connection = True  # the client gave up waiting; that is what it is testing
