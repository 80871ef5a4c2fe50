"""Build an index of a documents' folder, keep it up to date, open any version by its digest, and search it."""

import copy
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from levers.errors import LeversError
from levers.knowledge import hops as two
from levers.knowledge import words
from levers.knowledge.access import Access
from levers.knowledge.catalog import LOCK, NOBODY, TABLE, WORDS, State, belongs, family, find_state, revoked
from levers.knowledge.fuse import differing, distinct, fuse, pooled, rerank, widened
from levers.knowledge.library import Folder, check_folder, clean
from levers.knowledge.optional import need
from levers.knowledge.records import Chunking, Found, Mode, Query
from levers.knowledge.store import Hits, Rows, audience_filter, ordered
from levers.knowledge.update import Progress, Source, Update, sweep, update
from levers.knowledge.versions import guesses
from levers.model.contract import Compared, Embedder, Reranker
from levers.task.references import split_reference

VERSION = 12  # letters of a file's hash that name its version: 48 bits, enough for one document's versions
_POOL = 100  # passages each path ranks before fusion
_SHOWN = 16  # passages read at a time
_VIEWS = 64  # sets of groups whose view is kept: six bytes for each passage
_RERANKED = 20  # first passages that a reranker compares: further down it seldom finds the best one


class View:
    """What one reader may find: a mask over places, one over row numbers, and the same as a condition for the store."""

    def __init__(
        self,
        rows: Rows,
        allowed: frozenset[int],
        closed: frozenset[str],
        apart: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        """Allow the chunks of these audiences, without those of closed documents and sections."""
        self.places: NDArray[np.bool_] = np.isin(rows.audience, list(allowed))
        if closed:
            self.places &= np.array([document not in closed for document in rows.documents], dtype=np.bool_)
        if apart:
            places = zip(rows.documents, rows.sections, strict=True)
            self.places &= np.array([place not in apart for place in places], dtype=np.bool_)
        self.numbers = np.zeros(rows.size, dtype=np.bool_)
        self.numbers[rows.numbers[self.places]] = True
        self.where = audience_filter(allowed, closed, apart)
        self.seen: words.Seen | None = None


class Index:
    """Chunks that can be searched. One version: other content is another version with another digest."""

    def __init__(self, home: Path, state: State, embedder: Embedder, access: Access) -> None:
        """Open a version; `access` tells the users' groups, and the rules of now close what they no longer allow."""
        if state.embedder != embedder.id:
            hint = "build the index again with this embedder"
            raise LeversError(f"the index was made with {state.embedder}, not {embedder.id}", hint)
        self.digest = state.digest
        self.superseded = state.superseded
        self.problems = (*(problem for each in state.files for problem in each.problems), *state.problems)
        self.notes = (*(each.note for each in state.files if each.note), *guesses(state.superseded))
        self.access = access
        self.updated: Update | None = None
        self.reranker: Reranker | None = None
        self._embedder = embedder
        self._state = state
        self._files = {each.name: each for each in state.files if each.head}
        self._revoked = revoked(state, access)
        held = any(each.chunks for each in state.files)
        versions = {each.name: each.sha[:VERSION] for each in state.files}
        self._rows = Rows(home / TABLE, state.table, state.rows, versions) if held else None
        self._segments = [home / WORDS / name for name in state.segments]
        self._words: words.Words | None = None
        self._listed: list[Found] | None = None
        self._views: dict[frozenset[str], View] = {}
        self._spans: dict[str, tuple[int, int]] = {}
        for place, document in enumerate(self._rows.documents if self._rows else ()):
            self._spans[document] = (self._spans.get(document, (place, 0))[0], place + 1)

    @property
    def documents(self) -> tuple[str, ...]:
        """The ids of all documents held, superseded ones included."""
        return tuple(self._files)

    @property
    def size(self) -> int:
        """The number of chunks held."""
        return len(self._rows) if self._rows else 0

    def chunks(self) -> list[Found]:
        """Return every chunk that search can bring to someone, by document and position."""
        if self._listed is None:
            rows = self._rows
            self._listed = rows.found(np.flatnonzero(rows.audience != NOBODY)) if rows else []
        return list(self._listed)

    def vectors(self) -> NDArray[np.float32]:
        """Return the unit vectors of `chunks()`, in that order, shape (chunks, dimension)."""
        rows = self._rows
        if rows is None:
            return np.zeros((0, self._embedder.dimension), dtype=np.float32)
        held: NDArray[np.float32] = rows.vectors()[rows.audience != NOBODY]
        return held

    def asked_by(self, embedder: Embedder) -> "Index":
        """Return the same index whose questions another embedder of the same dimension embeds."""
        other = copy.copy(self)
        other._embedder = embedder
        return other

    def reranked(self, reranker: Reranker | None) -> "Index":
        """Return the same index with its first passages put in order by this reranker, or by none."""
        if reranker is self.reranker:
            return self
        other = copy.copy(self)
        other.reranker = reranker
        return other

    def section(self, document: str, slug: str | None = None) -> list[Found]:
        """Return the chunks of a section, in order; superseded documents included, access not asked.

        A heading without text of its own stands for the sections under it; without a slug the whole document is
        meant. Empty when there is no such document or section.
        """
        if self._rows is None or document not in self._spans:
            return []
        pieces = self._rows.found(np.arange(*self._spans[document]))
        if slug:
            wanted = (slug, *self._files[document].under.get(slug, ()))
            whole = self._state.chunking.kind == "document"
            pieces = pieces if whole else [piece for piece in pieces if piece.section in wanted]
        return pieces

    def may_read(self, reference: str, user: str | None = None) -> bool:
        """Tell whether search may show a user all of a document, or of one section as `document#section`.

        A superseded document is shown to nobody, and what is not there cannot be.
        """
        document, slug = (reference, None) if reference in self._files else split_reference(reference)
        held = self._files.get(document)
        if held is None:
            return False
        known = {each[0] for each in held.outline or ()}
        if slug and held.outline is not None and slug not in known:
            return False
        asked = {slug, *held.under.get(slug, ())} if slug else known | {""}
        asked -= held.under.keys()  # a heading without text of its own has nothing to read
        return self._may_find(document, asked, user)

    def may_find(self, document: str, section: str, user: str | None = None) -> bool:
        """Tell whether search may show a user the passages of a section; "" is what stands before the first heading."""
        return self._may_find(document, (section,), user)

    def _may_find(self, document: str, sections: Collection[str], user: str | None) -> bool:
        held = self._files.get(document)
        if held is None or not held.current or document not in self._spans:
            return False
        groups = self.access.groups_of(user)
        if document in self._revoked.closed(groups) or not belongs(groups, held.groups):
            return False
        apart = self._revoked.closed_sections(groups)
        return all(belongs(groups, held.narrowed.get(each, ())) and (document, each) not in apart for each in sections)

    def search(
        self,
        queries: Sequence[Query],
        *,
        users: Sequence[str | None] | None = None,
        k: int = 4,
        mode: Mode = "hybrid",
        widen: int | None = None,
        hops: int = 1,
    ) -> list[list[Found]]:
        """Return the `k` best passages for each query, best first, near-duplicates taken out.

        `users` names who asks, one for each query; without it only public passages are found. What a user may not read
        takes no part in the ranking. Wordings of one query are ranked each and merged. `widen` gives each passage its
        neighbours of the same section, up to so many words: search small, read big; without it the chunking's `parent`
        counts. A passage that stands in a wider one already makes room for the next. With two `hops` the first passages
        ask again (`levers.knowledge.hops`).
        """
        widen = self._state.chunking.parent if widen is None else widen
        ranked = self._ranked_by(queries, users, max(_POOL, 2 * k), mode, hops)
        if not widen:
            return [list(islice(differing(found), k)) for found in ranked]
        return [widened(differing(found), k, widen, self.section) for found in ranked]

    def rank_of(
        self,
        query: Query,
        document: str,
        slug: str | None = None,
        *,
        user: str | None = None,
        mode: Mode = "hybrid",
        hops: int = 1,
        depth: int = 50,
    ) -> int | None:
        """Return the rank, from 1, of the section's first passage, or None when it is not among the first `depth`.

        A passage taken out as a duplicate has the rank of the one that was kept. Wordings and `hops` as in `search`.
        """
        wanted = {(found.document, found.start) for found in self.section(document, slug)}
        (ranked,) = self.ranking([query], users=[user], depth=max(_POOL, 2 * depth), mode=mode, hops=hops)
        groups = distinct(ranked, depth)
        places = ({(each.document, each.start) for each in group} for group in groups)
        return next((rank for rank, place in enumerate(places, 1) if place & wanted), None)

    def ranking(
        self,
        queries: Sequence[Query],
        *,
        users: Sequence[str | None] | None = None,
        depth: int = _POOL,
        mode: Mode = "hybrid",
        hops: int = 1,
    ) -> list[list[Found]]:
        """Return all that search ranks for each query, best first, near-duplicates included.

        Each way of searching contributes its first `depth` passages; a reranker, if there is one, compares the first
        20 of them all with the question itself. With two `hops` the first five passages ask again, by vectors (by words
        in `bm25`).
        """
        return [list(found) for found in self._ranked_by(queries, users, depth, mode, hops)]

    def _ranked_by(
        self, queries: Sequence[Query], users: Sequence[str | None] | None, depth: int, mode: Mode, hops: int
    ) -> Sequence[Iterable[Found]]:
        asking = [None] * len(queries) if users is None else list(users)
        if len(asking) != len(queries):
            raise ValueError(f"{len(queries)} queries but {len(asking)} users")
        if self._rows is None or not queries or depth < 1:
            return [[] for _ in queries]
        views = [self._view(self.access.groups_of(user)) for user in asking]
        asked = [(query,) if isinstance(query, str) else query for query in queries]
        spread = [(text, view) for wordings, view in zip(asked, views, strict=True) for text in wordings]
        each = iter(self._hits([text for text, _ in spread], [view for _, view in spread], depth, mode))
        hits = [pooled([next(each) for _ in wordings]) for wordings in asked]
        if self.reranker is None and hops == 1:
            return [self._read(some) for some in hits]
        questions = [wordings[0] for wordings in asked]
        ranked = [self._rows.found(*some) for some in hits]
        if self.reranker is not None:
            ranked = self._closely(questions, views, ranked, self.reranker)
        return ranked if hops == 1 else self._again(questions, views, ranked, "bm25" if mode == "bm25" else "dense")

    def _read(self, hits: Hits) -> Iterator[Found]:
        """Yield passages as they are asked for: of a hundred ranked, few are shown."""
        assert self._rows is not None
        for at in range(0, len(hits.places), _SHOWN):
            yield from self._rows.found(hits.places[at : at + _SHOWN], hits.scores[at : at + _SHOWN])

    def _hits(self, queries: Sequence[str], views: Sequence[View], depth: int, mode: Mode) -> list[Hits]:
        assert self._rows is not None
        nothing = Hits(np.zeros(0, dtype=np.int64), np.zeros(0))
        vectors = None if mode == "bm25" else self._embedder.embed(list(queries), "query")
        ranked: list[Hits] = []
        for at, (query, view) in enumerate(zip(queries, views, strict=True)):
            bm25 = dense = nothing
            if mode != "dense":
                bm25 = self._bm25(query, view, depth)
            if vectors is not None and query.strip():
                dense = self._rows.dense(vectors[at], view.places, view.where, depth)
            ranked.append(fuse(bm25, dense) if mode == "hybrid" else bm25 if mode == "bm25" else dense)
        return ranked

    def _again(
        self, queries: Sequence[str], views: Sequence[View], ranked: Sequence[list[Found]], mode: Mode
    ) -> list[list[Found]]:
        """Let the first passages of each ranking ask again, under the same reader's view."""
        asked = [
            (at, found, text)
            for at, (query, each) in enumerate(zip(queries, ranked, strict=True))
            for found in each[: two.FIRST]
            if (text := two.second_query(query, found))
        ]
        if not asked:
            return list(ranked)
        seconds = self._hits([text for _, _, text in asked], [views[at] for at, _, _ in asked], _POOL, mode)
        held: list[list[tuple[Found, list[Found]]]] = [[] for _ in queries]
        for (at, found, _), each in zip(asked, seconds, strict=True):
            held[at].append((found, list(self._read(each))))
        return [two.joined(first, second) for first, second in zip(ranked, held, strict=True)]

    def _closely(
        self, queries: Sequence[str], views: Sequence[View], ranked: Sequence[list[Found]], reranker: Reranker
    ) -> list[list[Found]]:
        asked = []
        for query, view, found in zip(queries, views, ranked, strict=True):
            passages = tuple((each.heading, each.text) for each in found[:_RERANKED])
            asked.append(Compared(query, passages, self._inverted().rarity(query, self._seen(view))))
        scores = reranker.score(asked)
        return [rerank(each, some.tolist()) for each, some in zip(ranked, scores, strict=True)]

    def _inverted(self) -> words.Words:
        if self._words is None:
            assert self._rows is not None
            self._words = words.Words([words.load(path) for path in self._segments], self._rows.size)
        return self._words

    def _bm25(self, query: str, view: View, depth: int) -> Hits:
        assert self._rows is not None
        numbers, scores = self._inverted().search(query, self._seen(view), depth)
        return ordered(self._rows.places(numbers), scores, depth)

    def _seen(self, view: View) -> words.Seen:
        if view.seen is None:
            view.seen = self._inverted().seen(view.numbers)
        return view.seen

    def _view(self, groups: frozenset[str]) -> View:
        """Return what members of these groups may find; the same groups see the same."""
        assert self._rows is not None
        named = (*self._state.audiences, *self._state.narrow)
        theirs = groups & {each for audience in named for each in audience} if groups else groups
        asked = groups if any(self._revoked) else theirs
        if asked not in self._views:
            while len(self._views) >= _VIEWS:
                self._views.pop(next(iter(self._views)), None)
            closed, apart = self._revoked.closed(groups), self._revoked.closed_sections(groups)
            self._views[asked] = View(self._rows, self._state.readable(groups), closed, apart)
        return self._views[asked]


def build(
    documents_dir: Path,
    prefix: str,
    access: Access,
    embedder: Embedder,
    folder: Path,
    chunking: Chunking | None = None,
    on_progress: Progress | None = None,
) -> Index:
    """Return the index of a folder of documents as they are now, kept under `folder`; only what changed is done.

    `prefix` is the documents' folder as the project writes it. Files that cannot be read are in `Index.problems`,
    what the update took in `Index.updated`. The new version appears in one step: a build that is killed leaves the
    last one as it was, and goes on where it stopped. `on_progress` is told (passages embedded, passages in all).
    Raises UserError when there is no such folder.
    """
    source = Folder(documents_dir, prefix)
    check_folder(documents_dir, clean(prefix))
    return build_from(source, clean(prefix), access, embedder, folder, chunking, on_progress)


def build_from(
    source: Source,
    prefix: str,
    access: Access,
    embedder: Embedder,
    folder: Path,
    chunking: Chunking | None = None,
    on_progress: Progress | None = None,
) -> Index:
    """Do as `build` for documents of any source; ids start with `prefix`."""
    fresh = State(embedder=embedder.id, chunking=chunking or Chunking(), prefix=prefix)
    home = family(folder, embedder.id, fresh.chunking, prefix)
    home.mkdir(parents=True, exist_ok=True)
    with need("filelock").FileLock(home / LOCK):
        state, took = update(home, source, fresh, access, embedder, on_progress)
        index = Index(home, state, embedder, access)
    index.updated = took
    return index


def open_index(folder: Path, name: str, embedder: Embedder, access: Access) -> Index:
    """Open the version of that digest under `folder`. Raises LeversError when it is not there."""
    home, state = find_state(folder, name)
    return Index(home, state, embedder, access)


def made_with(folder: Path, name: str) -> tuple[str, Chunking]:
    """Return a version's embedder id and its chunking. Raises LeversError as `open_index`."""
    _, state = find_state(folder, name)
    return state.embedder, state.chunking


def purge(folder: Path, name: str) -> None:
    """Keep only the version of that digest under `folder`: all others go, and deleted text with them, from every file.

    It must be the newest of its kind. Stacks that name another version cannot be asked until the index is built again.
    Raises LeversError when the version is not there.
    """
    home, _ = find_state(folder, name)
    with need("filelock").FileLock(home / LOCK):
        sweep(home, name)
    for other in folder.iterdir():
        if other != home:
            shutil.rmtree(other, ignore_errors=True)
