"""Chunks in a LanceDB table: BM25 and vectors; the readers' filter works inside every search, before ranking."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from levers.knowledge.optional import need
from levers.knowledge.records import Chunk

Hits: TypeAlias = list[tuple[dict[str, Any], float]]

TABLE = "chunks"
VECTOR_INDEX_ABOVE = 5_000  # rows; below, an exact scan takes milliseconds
_EXACT_TEXT_BELOW = 20_000  # rows that one worker indexes, so that BM25 is the same on every machine
_COLUMNS = ("document", "section", "heading", "text", "start", "end")


def write_table(folder: Path, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
    """Write chunks and their unit vectors, shape (chunks, dimension), as a table with its indexes."""
    lance, arrow, kinds = need("lancedb"), need("pyarrow"), need("lancedb.index", "lancedb")
    table = lance.connect(str(folder)).create_table(TABLE, _rows(arrow, chunks, vectors))
    workers = 1 if len(chunks) < _EXACT_TEXT_BELOW else None
    table.create_index("searchable", config=kinds.FTS(num_workers=workers))
    if len(chunks) > VECTOR_INDEX_ABOVE:
        partitions = max(8, int(len(chunks) ** 0.5) // 2)
        table.create_index("vector", config=kinds.IvfFlat(distance_type="dot", num_partitions=partitions))
        table.create_index("groups", config=kinds.LabelList())


def _rows(arrow: Any, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> Any:
    flat = arrow.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
    columns = {
        "document": [chunk.document for chunk in chunks],
        "section": [chunk.section for chunk in chunks],
        "heading": [chunk.heading for chunk in chunks],
        "text": [chunk.text for chunk in chunks],
        "start": [chunk.start for chunk in chunks],
        "end": [chunk.end for chunk in chunks],
        "searchable": [chunk.searchable for chunk in chunks],
        "public": [not chunk.groups for chunk in chunks],
        "current": [chunk.current for chunk in chunks],
        "groups": arrow.array([list(chunk.groups) for chunk in chunks], arrow.list_(arrow.string())),
        "vector": arrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    return arrow.table(columns)


def readers_filter(groups: Collection[str]) -> str:
    """Return the SQL condition for what members of these groups may find: current chunks, public or theirs."""
    if not groups:
        return "current AND public"
    quoted = ", ".join("'" + group.replace("'", "''") + "'" for group in sorted(groups))
    return f"current AND (public OR array_has_any(groups, [{quoted}]))"


class Store:
    """A table opened for reading. Results are (row, score), best first, ties by document and start."""

    def __init__(self, folder: Path) -> None:
        """Open the table in a folder."""
        self._table = need("lancedb").connect(str(folder)).open_table(TABLE)

    def bm25(self, query: str, where: str, depth: int) -> Hits:
        """Search by words; a query without any gives nothing."""
        if not query.strip():
            return []
        match = need("lancedb.query", "lancedb").MatchQuery(query, "searchable")
        search = self._table.search(match, query_type="fts").where(where, prefilter=True).limit(depth)
        return _ordered(search.select([*_COLUMNS, "_score"]).to_list(), "_score", 1.0, 0.0)

    def dense(self, vector: NDArray[np.float32], where: str, depth: int) -> Hits:
        """Search by a unit vector; the score is the cosine similarity."""
        search = self._table.search(vector, vector_column_name="vector").distance_type("dot")
        # a narrow filter may leave few rows in the nearest partitions: then all the others are searched too
        search = search.minimum_nprobes(24).maximum_nprobes(0).where(where, prefilter=True).limit(depth)
        return _ordered(search.select([*_COLUMNS, "_distance"]).to_list(), "_distance", -1.0, 1.0)


def _ordered(rows: list[dict[str, Any]], column: str, factor: float, offset: float) -> Hits:
    """Turn a score column into higher-is-better, rounded so that ties are ties on every machine, and sort."""
    scored = [({name: row[name] for name in _COLUMNS}, round(offset + factor * float(row[column]), 6)) for row in rows]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]["document"], pair[0]["start"]))
