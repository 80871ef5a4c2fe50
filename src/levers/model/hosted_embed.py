"""Embedding models behind a server that speaks the OpenAI format. Imports the openai SDK."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import openai
from numpy.typing import NDArray

from levers.economics.usage import Usage
from levers.errors import ModelError
from levers.model.bridge import as_completed
from levers.model.budget import Budget, most_tokens, paid
from levers.model.hosted import HostedSettings
from levers.model.openai_chat import ChatWire
from levers.model.retry import CallFailed, with_retries
from levers.model.wire import failure, raise_if_broken

_TEXTS_PER_CALL = 128


class HostedEmbedder:
    """An embedding model behind a server; keys as for `HostedModel`. Vectors are scaled to length one."""

    def __init__(
        self,
        name: str,
        base_url: str | None = None,
        settings: HostedSettings | None = None,
        budget: Budget | None = None,
    ) -> None:
        """Name model and server; nothing is called yet."""
        self._wire = ChatWire(name, base_url)  # its key, its server, its errors
        self.id = self._wire.reference
        self._settings = settings or HostedSettings()
        self._budget = budget
        self._dimension: int | None = None

    @property
    def dimension(self) -> int:
        """Length of one vector; asks the server once if nothing was embedded yet."""
        if self._dimension is None:
            self.embed(["dimension"], "query")
        return self._dimension or 0

    def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        """Return unit vectors [texts, dimension].

        Raises:
            ModelError: the server failed after retries; an embedding that is missing cannot be data.
            BudgetError: the spending cap would be exceeded.
        """
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        found = {place: vector for came in self.stream(texts, kind) for place, vector in came.items()}
        return np.stack([found[place] for place in range(len(texts))])

    def stream(
        self, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> Iterator[dict[int, NDArray[np.float32]]]:
        """Give {place among the texts: unit vector} as each call ends; raises as `embed` does, after what came."""
        del kind
        parts = [list(texts[start : start + _TEXTS_PER_CALL]) for start in range(0, len(texts), _TEXTS_PER_CALL)]
        client = self._wire.open(self._settings.timeout)

        async def call(part: list[str]) -> tuple[NDArray[np.float32], Usage]:
            try:
                response: Any = await client.embeddings.create(
                    model=self._wire.name, input=part, encoding_format="float"
                )
            except openai.APIError as error:
                raise failure(self._wire, error) from error
            except ValueError as error:  # a body that is no JSON
                raise CallFailed("unreadable", f"what came cannot be read: {error}") from error
            return _read(response, len(part))

        async def one(part: list[str]) -> NDArray[np.float32]:
            bound = Usage(input=most_tokens(part), calls=1)
            return await with_retries(lambda: paid(self._budget, bound, lambda: call(part)), self._settings.retries)

        try:
            for at, vectors in as_completed(parts, one, limit=self._settings.concurrency, close=client.close):
                self._dimension = int(vectors.shape[1])
                yield dict(enumerate(vectors, at * _TEXTS_PER_CALL))
        except CallFailed as error:
            raise_if_broken(error, self._wire)
            hint = "check base_url, and that the server runs"
            why = f"{error.status} {error.message}".strip("0 ") or error.kind
            raise ModelError(f"no embeddings from the server: {why}", hint) from error


def _read(response: Any, count: int) -> tuple[NDArray[np.float32], Usage]:
    """Return a response's unit vectors, in the texts' order, and what was used; CallFailed where it holds no such."""
    try:
        ordered = sorted(response.data, key=lambda item: item.index)
        vectors = np.array([item.embedding for item in ordered], dtype=np.float32)
        tokens = response.usage.prompt_tokens if response.usage else 0
    except (AttributeError, TypeError, ValueError) as error:
        raise CallFailed("unreadable", f"what came holds no vectors: {error}") from error
    if len(vectors) != count or vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise CallFailed("unreadable", f"{len(vectors)} vectors for {count} texts, or some with holes")
    unit: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit, Usage(input=tokens, calls=1) if tokens else Usage()
