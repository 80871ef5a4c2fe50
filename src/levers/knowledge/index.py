"""Build an index of a documents' folder once per content, open it again by its digest, and search it."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from levers.errors import LeversError, Problem
from levers.knowledge.access import Access
from levers.knowledge.chunk import chunk, under_headings
from levers.knowledge.fuse import distinct, fuse
from levers.knowledge.library import Library, read_library
from levers.knowledge.records import Chunk, Chunking, Found, Mode, Superseded
from levers.knowledge.store import Store, readers_filter, write_table
from levers.ledger import Record, digest, write_atomic
from levers.model.contract import Embedder

Progress = Callable[[int, int], None]

_FORMAT = 1  # part of every digest: raise it when the table's layout or the search text changes
_BATCH = 256  # passages embedded at a time, so that a replaying embedder loses little when killed
_POOL = 100  # passages each path ranks before fusion
_STALE = 3600  # seconds after which an unfinished build is litter of a killed process


class Manifest(Record):
    """What an index holds, beside its table. `under`: document → heading without text → the sections below it."""

    digest: str
    embedder: str
    chunking: Chunking
    chunks: tuple[Chunk, ...]
    superseded: tuple[Superseded, ...] = ()
    under: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)


class Index:
    """Chunks that can be searched. Immutable: other content is another index with another digest."""

    def __init__(self, folder: Path, embedder: Embedder, access: Access, problems: Sequence[Problem] = ()) -> None:
        """Open the index in `folder`; `access` tells the users' groups. `problems` are those of the documents read."""
        manifest = Manifest.model_validate_json((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest.embedder != embedder.id:
            hint = "build the index again with this embedder"
            raise LeversError(f"the index was made with {manifest.embedder}, not {embedder.id}", hint)
        self.digest = manifest.digest
        self.superseded = manifest.superseded
        self.problems = tuple(problems)
        self.access = access
        self._embedder = embedder
        self._under = manifest.under
        self._chunks: dict[str, list[Chunk]] = {}
        for piece in manifest.chunks:
            self._chunks.setdefault(piece.document, []).append(piece)
        self._store = Store(folder / "table") if manifest.chunks else None

    def chunks(self) -> list[Found]:
        """Return every chunk that search can bring to someone, by document and position."""
        return [_found(piece) for pieces in self._chunks.values() for piece in pieces if piece.current]

    def section(self, document: str, slug: str | None = None) -> list[Found]:
        """Return the chunks of a section, in order; superseded documents included, access not asked.

        A heading without text of its own stands for the sections under it; without a slug the whole document is
        meant. Empty when there is no such document or section.
        """
        pieces = self._chunks.get(document, [])
        if slug:
            wanted = (slug, *self._under.get(document, {}).get(slug, ()))
            pieces = [piece for piece in pieces if piece.section in wanted]
        return [_found(piece) for piece in pieces]

    def may_read(self, document: str, user: str | None = None) -> bool:
        """Tell whether search may show a document to a user; a superseded one is shown to nobody."""
        pieces = self._chunks.get(document)
        if not pieces or not pieces[0].current:
            return False
        return not pieces[0].groups or not self.access.groups_of(user).isdisjoint(pieces[0].groups)

    def search(
        self,
        queries: Sequence[str],
        *,
        users: Sequence[str | None] | None = None,
        k: int = 4,
        mode: Mode = "hybrid",
    ) -> list[list[Found]]:
        """Return the `k` best passages for each query, best first, near-duplicates taken out.

        `users` names who asks, one for each query; without it only public passages are found. What a user may not
        read takes no part in the ranking.
        """
        ranked = self._rank(queries, users, k, mode)
        return [[group[0] for group in groups] for groups in ranked]

    def rank_of(
        self,
        query: str,
        document: str,
        slug: str | None = None,
        *,
        user: str | None = None,
        mode: Mode = "hybrid",
        depth: int = 50,
    ) -> int | None:
        """Return the rank, from 1, of the section's first passage, or None when it is not among the first `depth`.

        A passage taken out as a duplicate has the rank of the one that was kept.
        """
        wanted = {(found.document, found.start) for found in self.section(document, slug)}
        groups = self._rank([query], [user], depth, mode)[0]
        places = ({(each.document, each.start) for each in group} for group in groups)
        return next((rank for rank, place in enumerate(places, 1) if place & wanted), None)

    def _rank(
        self, queries: Sequence[str], users: Sequence[str | None] | None, k: int, mode: Mode
    ) -> list[list[list[Found]]]:
        asking = [None] * len(queries) if users is None else list(users)
        if len(asking) != len(queries):
            raise ValueError(f"{len(queries)} queries but {len(asking)} users")
        if self._store is None or not queries or k < 1:
            return [[] for _ in queries]
        vectors = None if mode == "bm25" else self._embedder.embed(list(queries), "query")
        depth = max(_POOL, 2 * k)
        ranked: list[list[list[Found]]] = []
        for at, (query, user) in enumerate(zip(queries, asking, strict=True)):
            where = readers_filter(self.access.groups_of(user))
            words = self._store.bm25(query, where, depth) if mode != "dense" else []
            near = self._store.dense(vectors[at], where, depth) if vectors is not None and query.strip() else []
            paths = [[Found(**row, score=score) for row, score in hits] for hits in (words, near)]
            merged = fuse(*paths) if mode == "hybrid" else [*paths[0], *paths[1]]
            ranked.append(distinct(merged, k))
        return ranked


def build(
    documents_dir: Path,
    prefix: str,
    access: Access,
    embedder: Embedder,
    folder: Path,
    chunking: Chunking | None = None,
    on_progress: Progress | None = None,
) -> Index:
    """Read a folder of documents and return its index, made under `folder` unless one of the same content is there.

    `prefix` is the documents' folder as the project writes it. Files that cannot be read are in `Index.problems`.
    The index appears in one step: a build that is killed leaves nothing that could be mistaken for it.
    `on_progress` is told (passages embedded, passages in all). Raises UserError when there is no such folder.
    """
    library = read_library(documents_dir, prefix, access)
    settings = chunking or Chunking()
    manifest = plan_index(library, embedder.id, settings)
    target = folder / manifest.digest
    if not (target / "manifest.json").is_file():
        _make(target, manifest, embedder, on_progress)
    return Index(target, embedder, access, library.problems)


def open_index(folder: Path, name: str, embedder: Embedder, access: Access) -> Index:
    """Open the index of that digest under `folder`. Raises LeversError when it is not there."""
    if not (folder / name / "manifest.json").is_file():
        raise LeversError(f"there is no index {name}", "build it again: the documents changed or it was deleted")
    return Index(folder / name, embedder, access)


def plan_index(library: Library, embedder: str, chunking: Chunking) -> Manifest:
    """Cut a library into chunks and name the index they make, before anything is embedded."""
    old = {superseded.document for superseded in library.superseded}
    chunks = [
        piece for document in library.documents for piece in chunk(document, chunking, current=document.id not in old)
    ]
    under = {document.id: below for document in library.documents if (below := under_headings(document))}
    return Manifest(
        digest=digest([_FORMAT, embedder, chunking, chunks, library.superseded, under]),
        embedder=embedder,
        chunking=chunking,
        chunks=tuple(chunks),
        superseded=library.superseded,
        under=under,
    )


def _make(target: Path, manifest: Manifest, embedder: Embedder, on_progress: Progress | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=".", suffix=".part"))
    try:
        if manifest.chunks:
            vectors = _embed([piece.searchable for piece in manifest.chunks], embedder, on_progress)
            write_table(part / "table", manifest.chunks, vectors)
        write_atomic(part / "manifest.json", manifest.model_dump_json())
        part.chmod(0o755)
        try:
            os.rename(part, target)
        except OSError:
            if not (target / "manifest.json").is_file():  # else another process was faster: its index is the same
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _embed(texts: Sequence[str], embedder: Embedder, on_progress: Progress | None) -> NDArray[np.float32]:
    parts = []
    for start in range(0, len(texts), _BATCH):
        parts.append(np.asarray(embedder.embed(texts[start : start + _BATCH], "passage"), dtype=np.float32))
        if on_progress:
            on_progress(min(start + _BATCH, len(texts)), len(texts))
    return np.concatenate(parts)


def _sweep(folder: Path) -> None:
    """Remove what builds that were killed long ago left behind."""
    for part in folder.glob(".*.part"):
        if time.time() - part.stat().st_mtime > _STALE:
            shutil.rmtree(part, ignore_errors=True)


def _found(piece: Chunk) -> Found:
    return Found(**piece.model_dump(exclude={"groups", "current"}))
