"""A scripted model and an embedder without weights."""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from levers.economics.usage import Usage
from levers.model.contract import Ask, Reply

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
