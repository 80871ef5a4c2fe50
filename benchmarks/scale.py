"""Indexing and searching real documentation: is the index the bottleneck, and how long does a filtered search take?

    LEVERS_CHUNKS=5000 python -m benchmarks scale

Pages of win32_docs, under $LEVERS_DATA, as many as give about so many chunks (2,000 unless given; 400000 is all of
them). Building is set against the time that the same build spends in the embedding model: 1 / 0.9 times is the goal.
Every third page is for staff, every third for partners, and a search by staff leaves the last third out; queries are
the pages' own descriptions, which no passage holds. Times are without embedding them, after as many other searches.

With $LEVERS_SCALE_WORK, a folder that is kept, a run that was killed goes on where it stopped, and an index that is
there is only searched. With $LEVERS_CUT minilm reads so many characters of each passage: all it takes to measure the
index, at a fifth of the time.
"""

import json
import lzma
import os
import re
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import Row, Skipped, data_folder
from levers.errors import MissingExtra
from levers.knowledge import Access, Index, Rule, build
from levers.model import Embedder, open_embedder

SET = "win32_docs"
QUERIES, K = 200, 10
_GROUPS = ("open", "staff", "partners")
ACCESS = Access(
    groups={"staff": ("ana",), "partners": ("ben",)},
    rules=tuple(Rule(path=f"{group}/**", groups=(group,)) for group in _GROUPS[1:]),
)
_DESCRIBED = re.compile(r"^description: *['\"]?(.{20,}?)['\"]?$", re.MULTILINE)
_WORDS_A_CHUNK = 64  # of these pages, front matter and tables included


class Timed:
    """An embedder that tells how long passages took, and computes each query once. `cut` characters are read."""

    def __init__(self, embedder: Embedder, cut: int | None) -> None:
        self.id = f"{embedder.id}-first-{cut}" if cut else embedder.id
        self.dimension, self.seconds = embedder.dimension, 0.0
        self._embedder, self._cut = embedder, cut
        self._asked: dict[str, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        if kind == "query":
            if new := [text for text in dict.fromkeys(texts) if text not in self._asked]:
                self._asked.update(zip(new, self._embedder.embed(new, kind), strict=True))
            return np.stack([self._asked[text] for text in texts])
        begun = time.perf_counter()
        found = self._embedder.embed([text[: self._cut] for text in texts], kind)
        self.seconds += time.perf_counter() - begun
        return found


def measure() -> list[Row]:
    """Write pages, index them, search with their own descriptions, change a page."""
    if not (data_folder() / SET).is_dir():
        raise Skipped(f"{data_folder() / SET} is not there: set LEVERS_DATA")
    try:
        embedder = Timed(open_embedder("minilm"), int(os.environ.get("LEVERS_CUT", "0")) or None)
        embedder.embed(["warm up: load the weights"], "query")
    except MissingExtra as error:
        raise Skipped(str(error)) from error
    wanted = int(os.environ.get("LEVERS_CHUNKS", "2000"))
    if kept := os.environ.get("LEVERS_SCALE_WORK"):
        return run(Path(kept), wanted, embedder)
    with tempfile.TemporaryDirectory() as scratch:
        return run(Path(scratch), wanted, embedder)


def run(work: Path, wanted: int, embedder: Timed) -> list[Row]:
    """Measure in a folder; what it holds of an earlier run is not done again."""
    queries = write(work / "docs", wanted)
    begun = time.perf_counter()
    index = build(work / "docs", "docs", ACCESS, embedder, work / "indexes")
    took = time.perf_counter() - begun
    made = index.updated.embedded if index.updated else 0
    rows = []
    if made:
        what = f"index {made:,} of {index.size:,} passages of {SET}, {made / took:.0f} a second"
        note = "1.11 or less: the model is at least 90 % of the time"
        against = "the embedding model's part of it"
        rows.append(Row("scale", what, took, against, embedder.seconds, "s", note))
    rows += _searched(index, queries, embedder)
    return [*rows, _changed(work, embedder)]


def write(folder: Path, wanted: int) -> list[str]:
    """Write pages until they give about `wanted` passages; return descriptions spread over them."""
    described: list[str] = []
    held = 0.0
    for at, page in enumerate(_pages()):
        if held >= wanted:
            break
        path = folder / _GROUPS[at % len(_GROUPS)] / page["path"]
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page["text"], encoding="utf-8")
        if found := _DESCRIBED.search(page["text"][:2000]):
            described.append(found[1])
        held += max(1.0, len(page["text"].split()) / _WORDS_A_CHUNK)
    return described[:: max(1, len(described) // (2 * QUERIES))][: 2 * QUERIES]


def _pages() -> Iterator[dict[str, str]]:
    for part in sorted((data_folder() / SET).glob("part-*.jsonl.xz")):
        with lzma.open(part, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _searched(index: Index, queries: list[str], embedder: Timed) -> list[Row]:
    vectors = embedder.embed(queries, "query")
    index.search(queries[1::2], users=["ana"] * len(queries[1::2]))
    queries, vectors = queries[::2], vectors[::2]
    times = []
    for query in queries:
        begun = time.perf_counter()
        index.search([query], users=["ana"], k=K)
        times.append(1000 * (time.perf_counter() - begun))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # before all vectors are read, to compare
    chunks, passages = index.chunks(), index.vectors()
    open_to_staff = np.array([not each.document.startswith("docs/partners/") for each in chunks])
    places = {(each.document, each.start): at for at, each in enumerate(chunks)}
    plain, found = [], []
    for query, vector in zip(queries, vectors, strict=True):
        begun = time.perf_counter()
        scores = np.where(open_to_staff, passages @ vector, -1)
        last = np.partition(scores, -K)[-K]
        plain.append(1000 * (time.perf_counter() - begun))
        first = index.ranking([query], users=["ana"], mode="dense")[0][:K]
        found.append(sum(scores[places[each.document, each.start]] >= last - 1e-6 for each in first) / K)
    note = f"{index.size:,} passages; BM25, fusion and the passages themselves are what the product lacks"
    rows = [
        Row(
            "scale",
            f"hybrid search under access rules, {name}",
            float(np.percentile(times, share)),
            "numpy dot product and top 10 of all",
            float(np.percentile(plain, share)),
            "ms",
            note,
        )
        for name, share in (("p50", 50), ("p95", 95))
    ]
    goal = "0.95 is the goal"
    rows.append(Row("scale", "recall@10 by vectors", float(np.mean(found)), "exact", 1.0, "share", goal))
    what = "memory at its highest, of building and searching, weights included"
    return [*rows, Row("scale", what, memory, "goal", 4.0, "GB", "below 1")]


def _changed(work: Path, embedder: Timed) -> Row:
    path = min((work / "docs").rglob("*.md"))
    word = f"zq{time.time_ns():x}"
    path.write_text(f"{path.read_text(encoding='utf-8').split(' zq')[0]} zq\n\nThe word is {word}.\n", encoding="utf-8")
    begun = time.perf_counter()
    index = build(work / "docs", "docs", ACCESS, embedder, work / "indexes")
    first = index.search([f"Where is {word}?"], users=["ana"], k=1)[0][0]
    took = time.perf_counter() - begun
    assert word in first.text, "a saved edit is not found"
    return Row("scale", "until a saved edit is found", took, "goal", 10.0, "s", "below 1")
