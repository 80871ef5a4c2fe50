"""Fakes at the edges, for levers' own tests and for yours: a server on loopback, a scripted model, a hashing embedder.

Nothing here reaches a network other than loopback, and nothing here pretends to be good at anything.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from levers.economics.usage import Usage
from levers.model.contract import Ask, Reply

__all__ = ["FakeServer", "HashEmbedder", "Scripted", "ScriptedModel"]

_WORD = re.compile(r"\w+")


class ScriptedModel:
    """A model whose replies a function decides: it gets the ask and returns a reply, or just its text.

    Tokens are counted as words. `asked` keeps every ask in the order it came.
    """

    def __init__(self, script: Callable[[Ask], str | Reply], name: str = "scripted") -> None:
        """Take the function; `name` becomes the model's id."""
        self.id = name
        self.asked: list[Ask] = []
        self._script = script

    def answer(self, asks: Sequence[Ask]) -> list[Reply]:
        """Answer each ask by the script."""
        self.asked.extend(asks)
        return [self._one(ask) for ask in asks]

    def _one(self, ask: Ask) -> Reply:
        reply = self._script(ask)
        if isinstance(reply, Reply):
            return reply
        words = sum(len(message.content.split()) for message in ask.messages)
        return Reply(text=reply, usage=Usage(input=words, output=len(reply.split())), confidence=1.0)


class HashEmbedder:
    """An embedder without weights: each word adds one of `dimension` signed unit directions, chosen by its hash."""

    def __init__(self, dimension: int = 64) -> None:
        """Set the length of a vector."""
        self.dimension = dimension
        self.id = f"hash-{dimension}"

    def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        """Return unit vectors [texts, dimension]; equal bags of words get equal ones, an empty text the first axis."""
        del kind
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in _WORD.findall(text.casefold()):
                value = int.from_bytes(hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()[:8], "big")
                vectors[row, value % self.dimension] += 1.0 if (value >> 40) & 1 else -1.0
            if not vectors[row].any():
                vectors[row, 0] = 1.0
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


@dataclass(frozen=True)
class Scripted:
    """One answer of the fake server.

    `status` other than 200 makes it an error with `text` as its message; `delay` in seconds comes before it; `cut`
    sends only half of the body; `cached` of the counted prompt tokens are reported as read from a cache.
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


class FakeServer:
    """An HTTP server on loopback that speaks chat completions and embeddings of the OpenAI format.

    `script` is called with the decoded request and returns a text or a `Scripted` answer. Use it as a context manager;
    `base_url` is what a client needs. `requests` and `keys` keep what came, `most_at_once` the largest concurrency.
    """

    def __init__(self, script: Callable[[dict[str, Any]], "str | Scripted"] = lambda request: "ok") -> None:
        """Open the port; requests are served once the context is entered."""
        self.requests: list[dict[str, Any]] = []
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
        with self._lock:
            self.requests.append(request)
            self.keys.append(handler.headers.get("Authorization", "").removeprefix("Bearer "))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if handler.path.endswith("/embeddings"):
                answer, body = Scripted(), self._embeddings(request)
            else:
                found = self._script(request)
                answer = Scripted(text=found) if isinstance(found, str) else found
                body = _completion(answer, request) if answer.status == 200 else _error(answer)
            time.sleep(answer.delay)
        finally:
            with self._lock:
                self._at_once -= 1
        _send(handler, answer, json.dumps(body).encode())

    def _embeddings(self, request: dict[str, Any]) -> dict[str, Any]:
        texts = [request["input"]] if isinstance(request["input"], str) else request["input"]
        vectors = 3.0 * self._embedder.embed(texts, "passage")  # not of length one: clients must scale
        data = [{"object": "embedding", "index": i, "embedding": v.tolist()} for i, v in enumerate(vectors)]
        usage = {"prompt_tokens": sum(len(text.split()) for text in texts), "total_tokens": 0}
        return {"object": "list", "model": request["model"], "data": data, "usage": usage}


def _completion(answer: Scripted, request: dict[str, Any]) -> dict[str, Any]:
    prompt = sum(len(str(message["content"]).split()) for message in request["messages"])
    output = len(answer.text.split())
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": answer.cached},
    }
    message = {"role": "assistant", "content": answer.text, "refusal": answer.refusal}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish}
    head = {"id": "fake", "object": "chat.completion", "created": 0, "model": request["model"]}
    return {**head, "choices": [choice], "usage": usage}


def _error(answer: Scripted) -> dict[str, Any]:
    return {"error": {"message": answer.text, "type": "fake", "code": answer.code, "param": answer.param}}


def _send(handler: BaseHTTPRequestHandler, answer: Scripted, body: bytes) -> None:
    try:
        handler.send_response(answer.status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if answer.cut else body)
        handler.close_connection = handler.close_connection or answer.cut
    except (BrokenPipeError, ConnectionResetError):
        handler.close_connection = True  # the client gave up waiting; that is what it is testing
