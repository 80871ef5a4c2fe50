"""Two embedding models behind one contract: one for queries, one for passages."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from levers.model.contract import Embedder, GivesTokens, Tokens


class QueryTuned:
    """An embedder whose queries have weights of their own, while passages keep the vectors they had."""

    def __init__(self, queries: Embedder, passages: Embedder) -> None:
        """Embed queries with one embedder and passages with the other; both have the same dimension."""
        self.id = queries.id
        self.dimension = passages.dimension
        self._by_kind: dict[str, Embedder] = {"query": queries, "passage": passages}

    def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        """Return unit vectors [texts, dimension]."""
        return self._by_kind[kind].embed(texts, kind)


class QueryTunedTokens:
    """The same for late interaction: tokens of queries by one embedder, of passages by the other."""

    def __init__(self, queries: GivesTokens, passages: GivesTokens) -> None:
        """Take query tokens from one embedder and passage tokens from the other; both have the same dimension."""
        self.id = queries.id
        self._by_kind: dict[str, GivesTokens] = {"query": queries, "passage": passages}

    def tokens(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[Tokens]:
        """Return the tokens of each text."""
        return self._by_kind[kind].tokens(texts, kind)
