"""Indexing and searching real documentation: is the index the bottleneck, and how long does a filtered search take?

    LEVERS_CHUNKS=5000 python -m benchmarks scale

The first pages of win32_docs, under $LEVERS_DATA, as many as give so many chunks (2,000 unless given). Building is set
against the time that the same build spends in the embedding model: 1 / 0.9 times is the goal. Every third page is for
staff, every third for partners, and a search by staff leaves the last third out; times are without embedding the query.
"""

import json
import lzma
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import Row, Skipped, data_folder
from benchmarks.search import Remembering
from levers.errors import MissingExtra
from levers.knowledge import Access, Index, Rule, build
from levers.model import open_embedder

SET = "win32_docs"
QUERIES = 200
_GROUPS = ("open", "staff", "partners")
ACCESS = Access(
    groups={"staff": ("ana",), "partners": ("ben",)},
    rules=tuple(Rule(path=f"{group}/**", groups=(group,)) for group in _GROUPS[1:]),
)


def measure() -> list[Row]:
    """Write pages, index them, search with their own titles."""
    wanted = int(os.environ.get("LEVERS_CHUNKS", "2000"))
    if not (data_folder() / SET).is_dir():
        raise Skipped(f"{data_folder() / SET} is not there: set LEVERS_DATA")
    try:
        embedder = Remembering(open_embedder("minilm"))
        embedder.embed(["warm up: load the weights"], "query")
    except MissingExtra as error:
        raise Skipped(str(error)) from error
    with tempfile.TemporaryDirectory() as scratch:
        titles = _write(Path(scratch) / "docs", wanted)
        embedder.seconds = 0.0
        begun = time.perf_counter()
        index = build(Path(scratch) / "docs", "docs", ACCESS, embedder, Path(scratch) / "indexes")
        took = time.perf_counter() - begun
        rows = [
            Row(
                "scale",
                f"index {index.size:,} passages of {SET}, {index.size / took:.0f} a second",
                took,
                "the embedding model's part of it",
                embedder.seconds,
                "s",
                "1.11 or less: the model is at least 90 % of the time",
            )
        ]
        return rows + _searched(index, titles[:QUERIES], embedder)


def _write(folder: Path, wanted: int) -> list[str]:
    """Write pages until they give about `wanted` passages; return their titles."""
    titles: list[str] = []
    held = 0.0
    with lzma.open(data_folder() / SET / "part-00.jsonl.xz", "rt", encoding="utf-8") as lines:
        for at, row in enumerate(map(json.loads, lines)):
            if held >= wanted:
                break
            path = folder / _GROUPS[at % len(_GROUPS)] / row["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(row["text"], encoding="utf-8")
            titles.append(row.get("title") or Path(row["path"]).stem)
            held += max(1.0, len(row["text"].split()) / 80)
    return titles


def _searched(index: Index, queries: list[str], embedder: Remembering) -> list[Row]:
    vectors = embedder.embed(queries, "query")
    passages = index.vectors()
    index.search(queries[:2], users=["ana"] * 2)
    times, plain = [], []
    for query, vector in zip(queries, vectors, strict=True):
        begun = time.perf_counter()
        index.search([query], users=["ana"], k=10)
        times.append(1000 * (time.perf_counter() - begun))
        begun = time.perf_counter()
        np.argpartition(passages @ vector, -10)[-10:]
        plain.append(1000 * (time.perf_counter() - begun))
    note = f"{index.size:,} passages; a filter, BM25, fusion and the passages themselves are what the product lacks"
    return [
        Row(
            "scale",
            f"hybrid search under access rules, {name}",
            float(np.percentile(times, share)),
            "numpy dot product and top 10, no filter",
            float(np.percentile(plain, share)),
            "ms",
            note,
        )
        for name, share in (("p50", 50), ("p95", 95))
    ]
