"""The contract of the model room: a batch of asks in, as many replies out, in the same order."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from levers.economics.usage import Usage
from levers.ledger import Message, Record

Finish = Literal["stop", "length", "refusal", "filter", "error"]


class Ask(Record):
    """One question to a language model. `json_schema` constrains the reply; `seed` matters where temperature > 0."""

    messages: tuple[Message, ...]
    max_tokens: int = 96
    temperature: float = 0.0
    seed: int = 0
    json_schema: dict[str, Any] | None = None


class Reply(Record):
    """What came back. A reply that failed is data: `finish` is "error" and `error` says why.

    `confidence` is the mean probability of the reply's tokens (0 to 1), None where the model does not tell.
    `seconds` is the wall time spent on this ask; in a batch, its share of the batch's time.
    """

    text: str
    finish: Finish = "stop"
    usage: Usage = Usage()
    confidence: float | None = None
    seconds: float = 0.0
    error: str | None = None


class Model(Protocol):
    """A language model. `id` names model and weights: the same id gives the same replies to the same asks."""

    @property
    def id(self) -> str:
        """The model reference and a digest of what else decides its replies (weights, adapter, server)."""

    def answer(self, asks: Sequence[Ask]) -> list[Reply]:
        """Answer a batch. Raises ModelError only when the model or its server is broken."""


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
