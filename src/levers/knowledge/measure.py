"""How good search is, on questions whose passages are known: graded documents, or sections that hold the answer."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from levers.knowledge.access import Access
from levers.knowledge.beir import Corpus, Judged
from levers.knowledge.index import Index, build_from
from levers.knowledge.optional import need
from levers.knowledge.records import Chunking, Found, Mode
from levers.knowledge.update import Progress
from levers.ledger import Record
from levers.model.contract import Embedder, Reranker

MODES: tuple[Mode, ...] = ("bm25", "dense", "hybrid")
WHOLE = Chunking(words=100_000)  # every document is one chunk
_DEPTH = 100  # passages of each query that are measured
Way = tuple[Mode, Reranker | None]
"""A mode of searching, and the reranker that puts its first passages in order."""

_DRAWS = 1000  # bootstrap samples behind an interval


class Measured(Record):
    """One way of searching over a set of questions; shares and means from 0 to 1.

    `ndcg` is nDCG@10 with its bootstrap 95 % interval over queries, `recall` by depth, `mrr` the mean reciprocal rank
    to 10. `sharpened`: an embedder tuned for it embeds the questions. `ms` is the median wall time of a search in
    milliseconds, without embedding the query.
    """

    mode: Mode
    reranked: bool = False
    sharpened: bool = False
    words: int | None
    chunks: int
    queries: int
    ndcg: float
    low: float
    high: float
    recall: dict[int, float]
    mrr: float
    ms: float


class Asked(Record):
    """A question, who asks it, and the sections that answer it: (document, slug or None for the whole document)."""

    query: str
    sections: tuple[tuple[str, str | None], ...]
    user: str | None = None


class _Known:
    """An embedder for queries whose vectors are there already, so that a search is timed alone."""

    def __init__(self, embedder: Embedder, queries: Sequence[str], asked_by: Embedder | None) -> None:
        self.id, self.dimension = embedder.id, embedder.dimension
        self._embedder = embedder
        self._vectors = dict(zip(queries, (asked_by or embedder).embed(list(queries), "query"), strict=True))

    def embed(self, texts: Sequence[str], kind: Any) -> Any:
        if kind == "passage":
            return self._embedder.embed(texts, kind)
        return np.stack([self._vectors[text] for text in texts])


def measure(
    judged: Judged,
    embedder: Embedder,
    folder: Path,
    chunking: Chunking | None = None,
    ways: Sequence[Way] | None = None,
    on_progress: Progress | None = None,
    asked_by: Embedder | None = None,
) -> list[Measured]:
    """Index a data set under `folder` (only once) and measure each way of searching on its queries.

    Without a chunking every document is one chunk. A document's rank is that of its first chunk. Without `ways` all
    modes are measured, none reranked. `asked_by` embeds the queries in place of the embedder, passages as before.
    """
    names = list(judged.queries)
    known = _Known(embedder, [judged.queries[name] for name in names], asked_by)
    corpus = Corpus(judged.corpus)
    index = build_from(corpus, "", Access(), known, folder, chunking or WHOLE, on_progress)
    found = []
    for mode, reranker in ways or [(mode, None) for mode in MODES]:
        searched = index.reranked(reranker)
        searched.ranking([judged.queries[names[0]]], mode=mode)  # opens what is opened once
        runs: dict[str, dict[str, float]] = {}
        seconds: list[float] = []
        for name in names:
            begun = time.perf_counter()
            ranked = searched.ranking([judged.queries[name]], mode=mode)[0]
            seconds.append(time.perf_counter() - begun)
            runs[name] = _documents(ranked)
        figures = score(judged.grades, runs)
        settings = None if chunking is None else chunking.words
        ms = 1000 * float(np.median(seconds))
        figures |= {"mode": mode, "reranked": reranker is not None, "sharpened": asked_by is not None}
        figures |= {"words": settings, "chunks": index.size}
        found.append(Measured(**figures, queries=len(names), ms=ms))
    return found


def score(grades: Mapping[str, Mapping[str, int]], runs: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return nDCG@10 with its interval, recall@5, 10 and 100, and MRR@10 of runs: query to document to score."""
    ir = need("ir_measures", "ir-measures")
    wanted = {"ndcg": ir.nDCG @ 10, "mrr": ir.RR @ 10, 5: ir.R @ 5, 10: ir.R @ 10, 100: ir.R @ 100}
    values: dict[Any, dict[str, float]] = {measure: dict.fromkeys(grades, 0.0) for measure in wanted.values()}
    for each in ir.iter_calc(list(wanted.values()), {q: dict(d) for q, d in grades.items()}, dict(runs)):
        values[each.measure][each.query_id] = each.value
    means = {name: float(np.mean(list(values[measure].values()))) for name, measure in wanted.items()}
    single = np.array(list(values[wanted["ndcg"]].values()))
    drawn = np.random.default_rng(0).integers(0, len(single), (_DRAWS, len(single)))
    low, high = np.percentile(single[drawn].mean(axis=1), [2.5, 97.5])
    recall = {depth: means[depth] for depth in (5, 10, 100)}
    return {"ndcg": means["ndcg"], "low": float(low), "high": float(high), "recall": recall, "mrr": means["mrr"]}


def evidence_ranks(
    index: Index, asked: Sequence[Asked], mode: Mode = "hybrid", hops: int = 1
) -> tuple[int | None, ...]:
    """Return for each question the best rank, from 1, of any section that answers it; None beyond the first 50."""
    ranks: list[int | None] = []
    for each in asked:
        found = [index.rank_of(each.query, *section, user=each.user, mode=mode, hops=hops) for section in each.sections]
        ranks.append(min((rank for rank in found if rank is not None), default=None))
    return tuple(ranks)


def mean_reciprocal(ranks: Sequence[int | None]) -> float:
    """Return the mean of 1 / rank; what was not found counts 0, and so does a mean over nothing."""
    return sum(1 / rank for rank in ranks if rank) / max(len(ranks), 1)


def _documents(ranked: Sequence[Found]) -> dict[str, float]:
    """Return a falling number for each document by its first chunk's rank: ties are ours, not the tool's."""
    documents = list(dict.fromkeys(found.document for found in ranked))[:_DEPTH]
    return {document: float(len(documents) - at) for at, document in enumerate(documents)}
