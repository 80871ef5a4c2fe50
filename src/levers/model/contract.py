"""The contract of the model room: a batch of asks in, as many replies out, in the same order."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from levers.economics.lifetimes import Lifetime
from levers.economics.usage import Usage
from levers.ledger import Message, Record, Schema, Text

Finish = Literal["stop", "length", "tools", "refusal", "filter", "error"]


def _absent(value: Any) -> bool:
    """Leave what is not asked for out of an ask's digest, so that replies kept before the field existed stay valid."""
    return value in (None, (), False)


class Tool(Record):
    """A function the model may call; `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str = ""
    parameters: Schema = Field(default_factory=dict)


class ToolCall(Record):
    """A call the model asks for; `arguments` is the JSON text as the model wrote it, which may be broken."""

    id: str
    name: Text
    arguments: Text


class Turn(Record):
    """A turn that is more than text: images of the user, calls of the assistant, the result of a tool.

    `images` are https or data URLs and are passed on as they are. A turn of role `tool` answers the call of id `call`.
    """

    role: Literal["user", "assistant", "tool"]
    content: str = ""
    images: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    call: str | None = None


class CacheMark(Record):
    """The first `turns` messages are the same for many asks: the provider may keep them for that long."""

    turns: int = Field(ge=1)
    lifetime: Lifetime = "5m"


class Ask(Record):
    """One question to a language model.

    `json_schema` constrains the reply. `seed` matters where temperature > 0 and where the server takes one. `stop` ends
    the reply before any of these texts. `tools` may be called; `tool_choice` is auto, none, required, or a tool's name.
    `logprobs` asks for the log-probability of each token. `cache` marks the part that repeats.
    """

    messages: tuple[Message | Turn, ...]
    max_tokens: int = 96
    temperature: float = 0.0
    seed: int = 0
    json_schema: Schema | None = None
    stop: tuple[str, ...] = Field(default=(), exclude_if=_absent)
    tools: tuple[Tool, ...] = Field(default=(), exclude_if=_absent)
    tool_choice: str | None = Field(default=None, exclude_if=_absent)
    logprobs: bool = Field(default=False, exclude_if=_absent)
    cache: CacheMark | None = Field(default=None, exclude_if=_absent)


class TokenLogprob(Record):
    """One token of a reply and the natural logarithm of its probability."""

    token: Text
    logprob: float


class Reply(Record):
    """What came back. A reply that failed is data: `finish` is "error" and `error` says why.

    `finish` tells outcomes apart: `stop` (done), `length` (cut at max_tokens or at the model's window), `tools` (it
    wants `calls` made), `refusal` (the model declined), `filter` (the provider held it back), `error` (no reply).
    `confidence` is the probability of the reply's least probable token (0 to 1), None where the model does not tell: a
    reply is as sure as its weakest word. It ranks right before wrong replies better than the mean does, which the sure
    rest of a wrong name raises (docs/lab/pocket.md).
    `outage`: the server or the way to it broke, which says nothing about the model: asked later, it may reply.
    `thought` is reasoning that the server sets apart; it is no part of the answer. `first_seconds` is the time to the
    first piece of a streamed reply. `tries` counts the calls it took.
    `seconds` is the wall time spent on this ask; in a batch, its share of the batch's time.
    """

    text: Text
    finish: Finish = "stop"
    usage: Usage = Usage()
    confidence: float | None = None
    seconds: float = 0.0
    error: Text | None = None
    calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] | None = None
    thought: Text = ""
    first_seconds: float | None = None
    tries: int = 1
    outage: bool = Field(default=False, exclude_if=_absent)


class Model(Protocol):
    """A language model. `id` names model and weights: the same id gives the same replies to the same asks."""

    @property
    def id(self) -> str:
        """The model reference and a digest of what else decides its replies (weights, adapter, server)."""

    def answer(self, asks: Sequence[Ask]) -> list[Reply]:
        """Answer a batch. Raises ModelError only when the model or its server is broken."""


@runtime_checkable
class Speaks(Protocol):
    """A model that gives one reply piece by piece, for a reader who waits."""

    def pieces(self, ask: Ask) -> Iterator[str | Reply]:
        """Yield the reply's text in pieces, and last the whole reply."""


class Embedder(Protocol):
    """An embedding model: texts in, unit vectors out, float32, shape (texts, dimension)."""

    @property
    def id(self) -> str:
        """The embedder's reference and weights digest."""

    @property
    def dimension(self) -> int:
        """Length of one vector."""

    def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        """Embed a batch of texts."""


def speak(model: Model, ask: Ask) -> Iterator[str | Reply]:
    """Yield a reply's text in pieces and last the reply; a model that cannot stream gives its text in one piece."""
    if isinstance(model, Speaks):
        yield from model.pieces(ask)
        return
    reply = model.answer([ask])[0]
    if reply.text:
        yield reply.text
    yield reply


class Tokens(NamedTuple):
    """A text's tokens, special ones left out: unit vectors (tokens, dimension), and where each stands in the text.

    `spans` has the shape (tokens, 2): character offsets, end exclusive.
    """

    vectors: NDArray[np.float32]
    spans: NDArray[np.int64]


@runtime_checkable
class GivesTokens(Protocol):
    """An embedder that also gives the vector of every token: what late interaction compares."""

    @property
    def id(self) -> str:
        """The embedder's reference and weights digest."""

    def tokens(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[Tokens]:
        """Return the tokens of each text."""


class Compared(NamedTuple):
    """A question and the passages to compare it with, each as (heading path or empty, text).

    `weights` tells for words of the question, in lower case, how much each counts; what is not there counts 1.
    """

    query: str
    passages: tuple[tuple[str, str], ...]
    weights: dict[str, float]


class Reranker(Protocol):
    """Reads a question and a passage together and tells how well they fit. The same id gives the same scores."""

    @property
    def id(self) -> str:
        """How it compares, with which weights."""

    def score(self, asked: Sequence[Compared]) -> list[NDArray[np.float32]]:
        """Return for each question the scores of its passages, shape (its passages,); higher fits better."""
