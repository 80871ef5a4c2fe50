"""Embedding models behind a server that speaks the OpenAI format. Imports the openai SDK."""

from collections.abc import Sequence
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
        del kind
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        parts = [list(texts[start : start + _TEXTS_PER_CALL]) for start in range(0, len(texts), _TEXTS_PER_CALL)]
        client = self._wire.open(self._settings.timeout)

        async def call(part: list[str]) -> tuple[NDArray[np.float32], Usage]:
            try:
                response: Any = await client.embeddings.create(
                    model=self._wire.name, input=part, encoding_format="float"
                )
            except openai.APIError as error:
                raise failure(self._wire, error) from error
            if len(response.data) != len(part):
                raise CallFailed("unreadable", f"{len(response.data)} vectors for {len(part)} texts")
            ordered = sorted(response.data, key=lambda item: item.index)
            tokens = response.usage.prompt_tokens if response.usage else 0
            used = Usage(input=tokens, calls=1) if tokens else Usage()
            return np.array([item.embedding for item in ordered], dtype=np.float32), used

        async def one(part: list[str]) -> NDArray[np.float32]:
            bound = Usage(input=most_tokens(part), calls=1)
            return await with_retries(lambda: paid(self._budget, bound, lambda: call(part)), self._settings.retries)

        try:
            found = dict(as_completed(parts, one, limit=self._settings.concurrency, close=client.close))
        except CallFailed as error:
            raise_if_broken(error, self._wire)
            hint = "check base_url, and that the server runs"
            why = f"{error.status} {error.message}".strip("0 ") or error.kind
            raise ModelError(f"no embeddings from the server: {why}", hint) from error
        vectors = np.concatenate([found[place] for place in range(len(parts))])
        self._dimension = int(vectors.shape[1])
        unit: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return unit
