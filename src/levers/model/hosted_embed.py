"""Embedding models behind a server that speaks the OpenAI format. Imports the openai SDK."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import openai
from numpy.typing import NDArray

from levers.errors import ModelError
from levers.ledger import digest
from levers.model.bridge import as_completed
from levers.model.hosted import HostedSettings, open_client, raise_if_broken
from levers.model.retry import ReplyUnreadable, with_retries

_TEXTS_PER_CALL = 128


class HostedEmbedder:
    """An embedding model behind a server; keys as for `HostedModel`. Vectors are scaled to length one."""

    def __init__(self, name: str, base_url: str | None = None, settings: HostedSettings | None = None) -> None:
        """Name model and server; nothing is called yet."""
        self.id = f"openai/{name}" if base_url is None else f"openai/{name}@{digest(base_url.rstrip('/'))}"
        self._name = name
        self._base_url = base_url
        self._settings = settings or HostedSettings()
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
        """
        del kind
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        parts = [list(texts[start : start + _TEXTS_PER_CALL]) for start in range(0, len(texts), _TEXTS_PER_CALL)]
        client = open_client(self._base_url, self._settings.timeout)

        async def call(part: list[str]) -> NDArray[np.float32]:
            response: Any = await client.embeddings.create(model=self._name, input=part, encoding_format="float")
            if len(response.data) != len(part):
                raise ReplyUnreadable(f"{len(response.data)} vectors for {len(part)} texts")
            ordered = sorted(response.data, key=lambda item: item.index)
            return np.array([item.embedding for item in ordered], dtype=np.float32)

        async def one(part: list[str]) -> NDArray[np.float32]:
            return await with_retries(lambda: call(part), self._settings.retries)

        try:
            found = dict(as_completed(parts, one, limit=self._settings.concurrency, close=client.close))
        except openai.APIStatusError as error:
            raise_if_broken(error, self._name)
            raise ModelError(f"the server answered {error.status_code} to a request for embeddings") from error
        except (openai.APIError, ReplyUnreadable) as error:
            hint = "check base_url, and that the server runs"
            raise ModelError(f"no embeddings from the server: {error}", hint) from error
        vectors = np.concatenate([found[place] for place in range(len(parts))])
        self._dimension = int(vectors.shape[1])
        unit: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return unit
