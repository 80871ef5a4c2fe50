"""Search over the shipped example's documents, against a plain dot product over the same vectors: the limit."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import Row, Skipped, in_turns
from levers.errors import MissingExtra
from levers.knowledge import build, load_access
from levers.model import Embedder, open_embedder
from levers.task import init, load

REPEATS, QUERIES, K = 5, 25, 4


class Remembering:
    """An embedder that computes each text once, so that searching is timed without embedding."""

    def __init__(self, embedder: Embedder) -> None:
        self.id, self.dimension = embedder.id, embedder.dimension
        self.seconds = 0.0
        self._embedder = embedder
        self._kept: dict[str, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        missing = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if missing:
            begun = time.perf_counter()
            self._kept.update(zip(missing, self._embedder.embed(missing, kind), strict=True))
            self.seconds += time.perf_counter() - begun
        return np.stack([self._kept[text] for text in texts])


def measure() -> list[Row]:
    """Build the index and search it with questions of the golden set."""
    with tempfile.TemporaryDirectory() as scratch:
        project = init(Path(scratch) / "support")
        task = load(project)
        try:
            embedder = Remembering(open_embedder("minilm"))
            return _rows(project, [case.question for case in task.cases[:QUERIES]], embedder)
        except MissingExtra as error:
            raise Skipped(str(error)) from error


def _rows(project: Path, queries: list[str], embedder: Remembering) -> list[Row]:
    embedder.embed(["warm up: load the weights"], "query")
    embedder.seconds = 0.0
    begun = time.perf_counter()
    access = load_access(project / "access.yaml")
    index = build(project / "docs", "docs", access, embedder, project / "indexes")
    built = time.perf_counter() - begun - embedder.seconds
    chunks = index.chunks()
    per_chunk = 1000 / len(chunks)
    rows = [
        Row(
            "search",
            f"build without embedding, {len(chunks)} chunks",
            built * per_chunk,
            "embedding the same chunks",
            embedder.seconds * per_chunk,
            "ms per chunk",
            "below 1: embedding is the larger part of a build",
        )
    ]
    vectors = embedder.embed([f"{each.heading}\n{each.text}" for each in chunks], "passage")
    asked = embedder.embed(queries, "query")

    def plain() -> None:
        for query in asked:
            scores = vectors @ query
            np.argpartition(scores, -K)[-K:]

    modes: tuple[Literal["bm25", "dense", "hybrid"], ...] = ("bm25", "dense", "hybrid")
    for mode in modes:
        ours, limit = in_turns(lambda mode=mode: index.search(queries, k=K, mode=mode), plain, REPEATS)
        rows.append(
            Row(
                "search",
                f"{mode} search, readers filtered",
                ours * 1000 / len(queries),
                "numpy dot product and top k, no filter",
                limit * 1000 / len(queries),
                "ms per query",
                "mostly fixed costs per call; a filter, passages and their order are what the dot product lacks",
            )
        )
    return rows
