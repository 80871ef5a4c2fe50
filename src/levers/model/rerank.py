"""Rerankers: late interaction over an embedder's own tokens, and cross-encoders that a project names.

Imports no heavy library; reach it through `levers.model.open_reranker`.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from levers.errors import MissingExtra, ModelError
from levers.model.contract import Compared, GivesTokens
from levers.model.weights import folder_digest

_KEPT_TOKENS = 100_000  # vectors of passages that stay in memory, as float16: 77 MB at 384 numbers
_WINDOW = 32  # tokens: about two sentences. A longer passage is as good as its best window, or length would win
_WORD = re.compile(r"\w+")


class _Read(NamedTuple):
    """A passage's tokens: vectors of the heading's, then vectors of the text's."""

    heading: NDArray[np.float16]
    text: NDArray[np.float16]


class LateInteraction:
    """How much of a question a passage takes up: the mean, over its tokens, of each one's best match, -1 to 1.

    A match is the cosine similarity to a token of the heading or of one window of the text, and the best window counts.
    This is the score of ColBERT (Khattab and Zaharia, 2020), over an embedder that was trained for whole texts: one
    vector for a passage blurs its sentences, its tokens still tell them apart. Passages read lately are kept.
    """

    def __init__(self, embedder: GivesTokens) -> None:
        """Compare the tokens of this embedder."""
        self.id = f"late/{embedder.id}"
        self._embedder = embedder
        self._kept: OrderedDict[tuple[str, str], _Read] = OrderedDict()

    def score(self, asked: Sequence[Compared]) -> list[NDArray[np.float32]]:
        """Return for each question the scores of its passages; 0 where either has no token."""
        tokens = self._embedder.tokens([each.query for each in asked], "query")
        read = self._read(dict.fromkeys(passage for each in asked for passage in each.passages))
        found: list[NDArray[np.float32]] = []
        for each, (vectors, spans) in zip(asked, tokens, strict=True):
            weights = _weights(each, spans)
            scores = [_score(vectors, weights, read[passage]) for passage in each.passages]
            found.append(np.array(scores, dtype=np.float32))
        return found

    def _read(self, passages: dict[tuple[str, str], None]) -> dict[tuple[str, str], _Read]:
        missing = [passage for passage in passages if passage not in self._kept]
        texts = [searchable(*passage) for passage in missing]
        found = {passage: self._kept[passage] for passage in passages if passage in self._kept}
        for passage, tokens in zip(missing, self._embedder.tokens(texts, "passage") if texts else [], strict=True):
            first = int((tokens.spans[:, 1] <= len(passage[0])).sum())
            vectors = tokens.vectors.astype(np.float16)
            found[passage] = _Read(vectors[:first], vectors[first:])
        for passage, each in found.items():
            self._kept[passage] = each
            self._kept.move_to_end(passage)
        held = sum(len(each.heading) + len(each.text) for each in self._kept.values())
        while held > _KEPT_TOKENS:
            _, gone = self._kept.popitem(last=False)
            held -= len(gone.heading) + len(gone.text)
        return found


def _weights(asked: Compared, spans: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the weight of each token: that of the word it is a part of."""
    weights = np.ones(len(spans), dtype=np.float32)
    for word in _WORD.finditer(asked.query):
        inside = (spans[:, 0] >= word.start()) & (spans[:, 1] <= word.end())
        weights[inside] = asked.weights.get(word[0].lower(), 1.0)
    return weights


def _score(query: NDArray[np.float32], weights: NDArray[np.float32], passage: _Read) -> float:
    total = float(weights.sum())
    if not total or not len(passage.heading) + len(passage.text):
        return 0.0
    least = np.full(len(query), -1.0, dtype=np.float32)
    heading = (query @ passage.heading.astype(np.float32).T).max(axis=1) if len(passage.heading) else least
    if not len(passage.text):
        return float(heading @ weights) / total
    matches = query @ passage.text.astype(np.float32).T
    last = max(len(passage.text) - _WINDOW // 2, 1)
    windows = [matches[:, at : at + _WINDOW].max(axis=1) for at in range(0, last, _WINDOW // 2)]
    return float((np.maximum(windows, heading) @ weights).max()) / total


class CrossEncoder:
    """A sentence-transformers cross-encoder from a folder: it reads a question and a passage together."""

    def __init__(self, reference: str, folder: Path) -> None:
        """Load the model.

        Raises:
            MissingExtra: sentence-transformers is not installed.
            ModelError: the folder cannot be loaded.
        """
        try:
            from sentence_transformers import CrossEncoder as Encoder
        except ImportError as error:
            raise MissingExtra("sentence-transformers", "local") from error
        try:
            self._model: Any = Encoder(
                str(folder), num_labels=1, local_files_only=True, model_kwargs={"use_safetensors": True}
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            hint = "the folder must hold a cross-encoder with one label and safetensors weights"
            raise ModelError(f"{reference} cannot be loaded: {error}", hint) from error
        self.id = f"{reference}@{folder_digest(folder)}"

    def score(self, asked: Sequence[Compared]) -> list[NDArray[np.float32]]:
        """Return for each question the scores of its passages, on the model's own scale; weights are not used."""
        pairs = [(each.query, searchable(*passage)) for each in asked for passage in each.passages]
        if not pairs:
            return [np.zeros(0, dtype=np.float32) for _ in asked]
        scores = np.asarray(self._model.predict(pairs, show_progress_bar=False), dtype=np.float32).reshape(-1)
        return list(np.split(scores, np.cumsum([len(each.passages) for each in asked])[:-1]))


def searchable(heading: str, text: str) -> str:
    """Return a passage under its heading path, which gives a short passage its subject."""
    return f"{heading}\n{text}" if heading else text
