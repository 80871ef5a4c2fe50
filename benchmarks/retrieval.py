"""Search on a public data set beside other tools at their defaults: quality and time, in one run.

    python -m venv peers/bm25s && peers/bm25s/bin/pip install bm25s
    python -m venv peers/llama-index && peers/llama-index/bin/pip install llama-index-core llama-index-retrievers-bm25
    python -m venv peers/haystack && peers/haystack/bin/pip install haystack-ai
    LEVERS_PEERS=peers python -m benchmarks retrieval

The set is scifact (5,183 abstracts, 300 test queries), under $LEVERS_DATA. All get the same texts, and the same minilm
vectors from a file, so that embedding is nobody's time. A time is the mean of the 300 searches, one after another, on
one core. Every peer cuts, stems and fuses as it does by itself; a peer that is not there is left out.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import Row, Skipped, data_folder
from benchmarks.peers import FOLDER
from levers.errors import MissingExtra
from levers.knowledge import Access
from levers.knowledge.beir import Corpus, Judged, read_beir
from levers.knowledge.index import build_from
from levers.knowledge.measure import MODES, WHOLE, score
from levers.ledger import digest
from levers.model import open_embedder

SET = "scifact"
_TOP = 100


def measure() -> list[Row]:
    """Search with levers, then with every peer that is there."""
    folder = data_folder() / SET
    if not folder.is_dir():
        raise Skipped(f"{folder} is not there: set LEVERS_DATA")
    judged = read_beir(folder)
    try:
        ours, vectors = _ours(judged)
    except MissingExtra as error:
        raise Skipped(str(error)) from error
    rows: list[Row] = []
    for name, script in PEERS.items():
        python = FOLDER / name / "bin" / "python"
        if not python.exists():
            continue
        try:
            rows += _rows(name, _theirs(python, script, judged, vectors), ours, judged)
        except (Skipped, subprocess.TimeoutExpired) as error:
            print(f"{name} is left out: {str(error)[:200]}", file=sys.stderr)
    if not rows:
        raise Skipped(f"no peer under {FOLDER}: set LEVERS_PEERS")
    return rows


Found = dict[str, tuple[float, dict[str, dict[str, float]]]]
"""By way of searching: milliseconds for a query, and query to document to score."""


def _ours(judged: Judged) -> tuple[Found, dict[str, Any]]:
    """Index under `.levers/bench` (embedded only once), search in every mode; return that and the vectors."""
    embedder = open_embedder("minilm")
    index = build_from(Corpus(judged.corpus), "", Access(), embedder, state_of(SET), WHOLE)
    names = list(judged.queries)
    queries = embedder.embed([judged.queries[name] for name in names], "query")
    known = dict(zip((judged.queries[name] for name in names), queries, strict=True))
    index = index.asked_by(_Known(embedder.id, known))
    vectors = {"documents": [each.document for each in index.chunks()], "passages": index.vectors(), "queries": queries}
    found: Found = {}
    for mode in MODES:
        index.ranking([judged.queries[names[0]]], mode=mode)
        begun = time.perf_counter()
        ranked = [index.ranking([judged.queries[name]], mode=mode)[0] for name in names]
        took = 1000 * (time.perf_counter() - begun) / len(names)
        found[mode] = (
            took,
            {
                name: {each.document: -float(at) for at, each in enumerate(passages[:_TOP])}
                for name, passages in zip(names, ranked, strict=True)
            },
        )
    return found, vectors


def state_of(name: str) -> Path:
    """Return where `levers bench retrieval` keeps the index of a set."""
    return Path(".levers") / "bench" / digest([str((data_folder() / name).resolve())], 12)


class _Known:
    """An embedder that knows the queries' vectors."""

    def __init__(self, name: str, vectors: dict[str, Any]) -> None:
        self.id, self.dimension, self._vectors = name, 384, vectors

    def embed(self, texts: Any, kind: str) -> Any:
        return np.stack([self._vectors[text] for text in texts])


def _theirs(python: Path, script: str, judged: Judged, vectors: dict[str, Any]) -> Found:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        np.savez(folder / "vectors.npz", passages=vectors["passages"], queries=vectors["queries"])
        texts = [[name, "\n".join(each for each in judged.corpus[name] if each)] for name in vectors["documents"]]
        (folder / "set.json").write_text(json.dumps({"documents": texts, "queries": list(judged.queries.items())}))
        own = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        quiet = {"HAYSTACK_TELEMETRY_ENABLED": "False", "NLTK_DATA": str(folder), "HF_HUB_OFFLINE": "1"}
        command = [str(python.absolute()), "-c", _COMMON + script]
        ended = subprocess.run(
            command, env={**own, **quiet}, cwd=place, capture_output=True, text=True, timeout=900, check=False
        )
        if ended.returncode:
            raise Skipped(f"{python.parent.parent.name} failed: {ended.stderr.strip().splitlines()[-1]}")
        found = json.loads((folder / "found.json").read_text())
    return {way: (each["ms"], {q: {d: -float(at) for at, d in enumerate(docs)} for q, docs in each["runs"].items()})
            for way, each in found.items()}  # fmt: skip


def _rows(name: str, theirs: Found, ours: Found, judged: Judged) -> list[Row]:
    rows = []
    for way, (ms, runs) in theirs.items():
        mine = ours[way]
        quality, other = (score(judged.grades, each)["ndcg"] for each in (mine[1], runs))
        what = f"{way} search on {SET}"
        rows.append(Row("retrieval", what, quality, f"{name}, {way}", other, "nDCG@10", "above 1: levers ranks better"))
        rows.append(Row("retrieval", what, mine[0], f"{name}, {way}", ms, "ms per query", "below 1: levers is faster"))
    return rows


_COMMON = """
import json, time
import numpy as np
given = json.load(open("set.json"))
names, texts = zip(*given["documents"])
vectors = np.load("vectors.npz")
passages, asked = vectors["passages"], vectors["queries"]
queries = given["queries"]
known = {text: vector.tolist() for (_, text), vector in zip(queries, asked)}
found = {}
def time_it(way, search):
    search(queries[0][1])
    begun = time.perf_counter()
    runs = {name: list(dict.fromkeys(search(text)))[:100] for name, text in queries}
    found[way] = {"ms": 1000 * (time.perf_counter() - begun) / len(queries), "runs": runs}
def done():
    json.dump(found, open("found.json", "w"))
"""

_BM25S = """
import bm25s
retriever = bm25s.BM25()
retriever.index(bm25s.tokenize(list(texts), show_progress=False), show_progress=False)
def search(text):
    rows, _ = retriever.retrieve(bm25s.tokenize(text, show_progress=False), k=100, show_progress=False)
    return [names[row] for row in rows[0]]
time_it("bm25", search)
done()
"""

# Splitter and retrievers as they come; its hybrid is the fusion retriever with its default mode and no rewritten query.
_LLAMA = """
from llama_index.core import MockEmbedding, QueryBundle, Settings, VectorStoreIndex
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import TextNode
from llama_index.retrievers.bm25 import BM25Retriever
class Known(MockEmbedding):
    def _get_query_embedding(self, query):
        return known[query]
Settings.llm = MockLLM()
nodes = [TextNode(id_=name, text=text, embedding=vector.tolist()) for name, text, vector in zip(names, texts, passages)]
index = VectorStoreIndex(nodes, embed_model=Known(embed_dim=384))
dense = index.as_retriever(similarity_top_k=100)
words = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=100)
both = QueryFusionRetriever([dense, words], similarity_top_k=100, num_queries=1, use_async=False)
for way, retriever in (("bm25", words), ("dense", dense), ("hybrid", both)):
    time_it(way, lambda text, retriever=retriever: [each.node.node_id for each in retriever.retrieve(text)])
done()
"""

_HAYSTACK = """
from haystack import Document
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
store = InMemoryDocumentStore()
store.write_documents([Document(id=name, content=text, embedding=vector.tolist())
                       for name, text, vector in zip(names, texts, passages)])
words, dense = InMemoryBM25Retriever(store, top_k=100), InMemoryEmbeddingRetriever(store, top_k=100)
joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion")
by_words = lambda text: words.run(query=text)["documents"]
by_vector = lambda text: dense.run(query_embedding=known[text])["documents"]
both = lambda text: joiner.run(documents=[by_words(text), by_vector(text)])["documents"]
for way, search in (("bm25", by_words), ("dense", by_vector), ("hybrid", both)):
    time_it(way, lambda text, search=search: [each.id for each in search(text)])
done()
"""

PEERS = {"bm25s": _BM25S, "llama-index": _LLAMA, "haystack": _HAYSTACK}
