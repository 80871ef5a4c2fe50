"""Chunks and their vectors in a LanceDB table: rows are added, deleted, given other readers; old versions stay."""

import datetime
import shutil
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from levers.errors import LeversError
from levers.knowledge.optional import need
from levers.knowledge.records import Chunk, Found, searchable

TABLE = "chunks"
EXACT_BELOW = 50_000  # rows whose vectors are all compared: milliseconds, and the same result on every machine
_PROBED, _REFINED = 0.5, 3  # share of the partitions that a search compares; candidates whose own vectors are, by depth
_UNINDEXED = 0.05  # share of rows outside the vector index from which it is made anew: a search compares them all
_COLUMNS = ("document", "section", "heading", "text", "start", "end", "page")
_WIDE = 128  # numbers of a vector from which a bit for each tells enough to find candidates
_FEW = 2000  # visible rows whose vectors are all compared, from the table
_PLAIN = {"lance-encoding:compression": "none"}  # each passage packed by itself takes ten times as long to read
_NAMES = 500  # documents named in one condition
_KEPT = datetime.timedelta(days=36_500)  # versions stay until they are purged: a run may come back to its own


class Hits(NamedTuple):
    """Places in `Rows`, best first, ties by document and start; with their scores."""

    places: NDArray[np.int64]
    scores: NDArray[np.float64]


class Table:
    """The table as its one writer sees it."""

    def __init__(self, folder: Path) -> None:
        """Open the table in a folder, if there is one."""
        self._folder = folder
        self._base = need("lancedb").connect(str(folder))
        self._files = folder / f"{TABLE}.lance"
        there = any(self._files.glob("_versions/*.manifest"))  # without one, a first writer was killed in the middle
        self._table = self._base.open_table(TABLE) if there else None

    @property
    def version(self) -> int:
        """The number of the newest version; 0 before there is a table."""
        return int(self._table.version) if self._table is not None else 0

    def restore(self, version: int) -> None:
        """Go back to a version: what a killed writer did after it is undone."""
        if version == self.version:
            return
        if version == 0:
            self._base.drop_table(TABLE)
            self._table = None
        elif self._table is None:
            hint = "delete the folder; the next build makes it anew"
            raise LeversError(f"{self._folder} holds no passages, its index names version {version} of them", hint)
        else:
            self._table.checkout(version)
            self._table.restore()

    def add(self, chunks: Sequence[Chunk], first: int, audiences: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Add chunks as rows `first`, `first + 1` …; `vectors` are unit vectors, shape (chunks, dimension)."""
        rows = _rows(chunks, first, audiences, vectors)
        if self._table is None:
            shutil.rmtree(self._files, ignore_errors=True)
            self._table = self._base.create_table(TABLE, rows)
        else:
            self._table.add(rows)

    def delete(self, documents: Collection[str]) -> None:
        """Delete the rows of documents."""
        if self._table is not None:
            for condition in _named(documents):
                self._table.delete(condition)

    def give(self, audiences: Mapping[str, int], apart: Mapping[tuple[str, str], int]) -> None:
        """Give documents other readers; then sections, by document and slug, those of their own."""
        by_number: dict[int, list[str]] = {}
        for document, audience in audiences.items():
            by_number.setdefault(audience, []).append(document)
        for audience, documents in sorted(by_number.items()):
            for condition in _named(documents):
                self._table.update(where=condition, values={"audience": audience})  # type: ignore[union-attr]
        for place, audience in sorted(apart.items()):
            self._table.update(where=_section(place), values={"audience": audience})  # type: ignore[union-attr]

    def vectors_of(self, documents: Collection[str]) -> dict[str, NDArray[np.float32]]:
        """Return what was embedded of documents: searchable text to vector."""
        found: dict[str, NDArray[np.float32]] = {}
        if self._table is None:
            return found
        for condition in _named(documents):
            rows = self._table.search().where(condition).select(["heading", "text", "vector"]).limit(None).to_arrow()
            headings, texts = rows["heading"].to_pylist(), rows["text"].to_pylist()
            for heading, text, vector in zip(headings, texts, _vectors(rows), strict=True):
                found[searchable(heading, text)] = vector
        return found

    def numbers(self) -> NDArray[np.int64]:
        """Return the numbers of the rows that the newest version holds."""
        if self._table is None:
            return np.zeros(0, dtype=np.int64)
        found: NDArray[np.int64] = self._table.search().select(["row"]).limit(None).to_arrow()["row"].to_numpy()
        return found

    def index(self) -> None:
        """Make the index over vectors where there are too many to compare them all; anew when much is not in it."""
        count = 0 if self._table is None else self._table.count_rows()
        if self._table is None or count <= EXACT_BELOW:
            return
        kinds = need("lancedb.index", "lancedb")
        names = {each.name for each in self._table.list_indices()}
        stale = "vector_idx" in names and self._table.index_stats("vector_idx").num_unindexed_rows > _UNINDEXED * count
        if "vector_idx" not in names or stale:
            # with an index to mend, optimizing joins its partitions until a search compares nearly all
            for name in names:
                self._table.drop_index(name)
            self._table.optimize(cleanup_older_than=_KEPT)  # few large files: a search reads from all of them
            size = self._table.schema.field("vector").type.list_size
            bits = size >= _WIDE and size % 8 == 0  # short vectors lose too much
            how = {"distance_type": "dot", "num_partitions": _partitions(count)}
            config = kinds.IvfRq(**how) if bits else kinds.IvfFlat(**how)
            self._table.create_index("vector", config=config)
            self._table.create_index("audience", config=kinds.Bitmap())

    def rewrite(self) -> None:
        """Write all rows anew, so that no file of the newest version holds what was deleted."""
        if self._table is not None:
            rows = self._table.search().limit(None).to_arrow()
            self._table = self._base.create_table(TABLE, rows, mode="overwrite")
            self.index()

    def forget(self) -> None:
        """Remove every version but the newest, files included; readers of an older one will fail."""
        if self._table is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that older readers fail is what forgetting means
                self._table.optimize(cleanup_older_than=datetime.timedelta(0), delete_unverified=True)


class Rows:
    """One version of the table, opened for reading: chunks sorted by document and start, each at its place from 0."""

    def __init__(self, folder: Path, version: int, size: int, versions: Mapping[str, str]) -> None:
        """Read the chunks; vectors are read when they are first needed.

        `size` is above every row number ever given; `versions` are the documents' own.
        """
        base = need("lancedb").connect(str(folder))
        try:
            self._table = base.open_table(TABLE)
            self._table.checkout(version)
        except (OSError, ValueError, RuntimeError) as error:
            hint = f"delete {folder.parent}; the next build makes it anew"
            raise LeversError(f"the index is damaged: version {version} of its passages is gone", hint) from error
        columns = ["row", "audience", *_COLUMNS]
        read = self._table.search().select(columns).limit(None).to_arrow()
        self._read = read.sort_by([("document", "ascending"), ("start", "ascending"), ("row", "ascending")])
        self.numbers: NDArray[np.int64] = self._read["row"].to_numpy()
        self.audience: NDArray[np.int32] = self._read["audience"].to_numpy()
        self.documents: list[str] = self._read["document"].to_pylist()
        self.sections: list[str] = self._read["section"].to_pylist()
        self.size = size
        self._versions = versions
        self._places = np.full(self.size, -1, dtype=np.int64)
        self._places[self.numbers] = np.arange(len(self.numbers))
        self._vectors: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """The number of chunks."""
        return len(self.numbers)

    def places(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places of rows by their numbers."""
        return self._places[numbers]

    def found(self, places: Sequence[int] | NDArray[np.int64], scores: Iterable[float] | None = None) -> list[Found]:
        """Return chunks by their places, as search gives them."""
        rows = self._read.select(list(_COLUMNS)).take(np.asarray(places, dtype=np.int64)).to_pylist()
        given = scores if scores is not None else (0.0 for _ in rows)
        return [
            Found(**row, version=self._versions.get(row["document"], ""), score=float(score))
            for row, score in zip(rows, given, strict=True)
        ]

    def dense(self, vector: NDArray[np.float32], visible: NDArray[np.bool_], where: str, depth: int) -> Hits:
        """Search by a unit vector among visible places; the score is the cosine similarity.

        Up to 50,000 chunks every visible vector is compared; above, the index is asked with `where`, which must mean
        the same as `visible`.
        """
        if len(self) <= EXACT_BELOW:
            places = np.flatnonzero(visible)
            scores = (self.vectors() @ vector)[places].astype(np.float64)
        else:
            seen, partitions = int(visible.sum()), _partitions(len(self))
            rows = self._nearest(vector, where, depth, 0 if seen <= _FEW else int(partitions * _PROBED))
            if len(rows) < min(depth, seen):  # what may be read lies elsewhere
                rows = self._nearest(vector, where, depth, partitions)
            places = self.places(rows["row"].to_numpy())
            scores = 1.0 - rows["_distance"].to_numpy().astype(np.float64)
        return ordered(places, scores, depth)

    def _nearest(self, vector: NDArray[np.float32], where: str, depth: int, probes: int) -> Any:
        """Ask the index about the partitions nearest to a vector; without any, compare all rows of the condition."""
        search = self._table.search(vector, vector_column_name="vector").distance_type("dot")
        if probes:  # without a maximum, all partitions are compared whatever the minimum
            search = search.minimum_nprobes(probes).maximum_nprobes(probes)
            search = search.refine_factor(_REFINED)  # a bit for each number finds candidates, whole vectors order them
        else:
            search = search.bypass_vector_index()
        return search.where(where, prefilter=True).limit(depth).select(["row", "_distance"]).to_arrow()

    def vectors(self) -> NDArray[np.float32]:
        """Return all vectors by place, shape (chunks, dimension); read once."""
        if self._vectors is None:
            read = self._table.search().select(["row", "vector"]).limit(None).to_arrow()
            vectors = _vectors(read)
            self._vectors = np.empty_like(vectors)
            self._vectors[self.places(read["row"].to_numpy())] = vectors
        return self._vectors


def ordered(places: NDArray[np.int64], scores: NDArray[np.float64], depth: int) -> Hits:
    """Return the best `depth`, best first; rounded so that ties are ties on every machine, ties by place."""
    rounded = np.round(scores, 6)
    if len(places) > 4 * depth:
        last = np.partition(rounded, len(rounded) - depth)[len(rounded) - depth]
        keep = rounded >= last
        places, rounded = places[keep], rounded[keep]
    order = np.lexsort((places, -rounded))[:depth]
    return Hits(places[order], rounded[order])


def _partitions(count: int) -> int:
    return max(8, int(count**0.5) // 2)


def audience_filter(
    audiences: Collection[int], but: Collection[str] = (), apart: Collection[tuple[str, str]] = ()
) -> str:
    """Return the SQL condition for chunks of these audiences, without those of some documents and sections."""
    allowed = f"audience IN ({', '.join(map(str, sorted(audiences)))})"
    closed = [*_named(but), *(_section(place) for place in sorted(apart))]
    return " AND ".join([allowed, *(f"NOT ({condition})" for condition in closed)])


def _section(place: tuple[str, str]) -> str:
    document, section = (each.replace("'", "''") for each in place)
    return f"document = '{document}' AND section = '{section}'"


def _named(documents: Collection[str]) -> list[str]:
    names = sorted(documents)
    parts = (names[at : at + _NAMES] for at in range(0, len(names), _NAMES))
    return ["document IN (" + ", ".join("'" + name.replace("'", "''") + "'" for name in part) + ")" for part in parts]


def _rows(chunks: Sequence[Chunk], first: int, audiences: Sequence[int], vectors: NDArray[np.float32]) -> Any:
    arrow = need("pyarrow")
    flat = arrow.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
    columns = {
        "row": arrow.array(range(first, first + len(chunks)), arrow.int64()),
        "audience": arrow.array(audiences, arrow.int32()),
        "document": [chunk.document for chunk in chunks],
        "section": [chunk.section for chunk in chunks],
        "heading": [chunk.heading for chunk in chunks],
        "text": [chunk.text for chunk in chunks],
        "start": arrow.array([chunk.start for chunk in chunks], arrow.int64()),
        "end": arrow.array([chunk.end for chunk in chunks], arrow.int64()),
        "page": arrow.array([chunk.page for chunk in chunks], arrow.int32()),
        "vector": arrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    rows = arrow.table(columns)
    place = rows.schema.get_field_index("text")
    return rows.cast(rows.schema.set(place, rows.schema.field(place).with_metadata(_PLAIN)))


def _vectors(rows: Any) -> NDArray[np.float32]:
    column = rows["vector"].combine_chunks()
    flat: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), -1) if len(column) else np.zeros((0, 1), dtype=np.float32)
