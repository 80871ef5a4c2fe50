"""Bring an index up to date: find what changed, embed only that, and publish the new version in one step."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from levers.errors import LeversError
from levers.knowledge import words
from levers.knowledge.access import Access
from levers.knowledge.catalog import (
    HEAD,
    TABLE,
    WORDS,
    Audiences,
    Kept,
    State,
    latest_state,
    read_state,
    rules_digest,
    write_state,
)
from levers.knowledge.chunk import chunk, outline, under_headings
from levers.knowledge.library import File, Opened, clean, judge
from levers.knowledge.records import Chunk
from levers.knowledge.store import Table
from levers.ledger import Record
from levers.model.contract import Embedder

Progress = Callable[[int, int], None]

SLAB = 2048  # chunks embedded and written at a time: what a kill can lose
_TOLD = 256  # chunks from one word of progress to the next
_SETTLED_AFTER = 2.0  # seconds after which a file system's clock shows another change
_REUSED_AT_MOST = 2000  # changed files whose texts and old vectors are held, to embed only what is new in them


class Update(Record):
    """What bringing an index up to date took: files by what happened to them, chunks embedded or taken over.

    `lag` is the time in seconds from the newest change among them to the index that shows it, None on a first build. A
    file that is moved or copied here counts from then, however old its content.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    embedded: int = 0
    reused: int = 0
    seconds: float = 0.0
    lag: float | None = None

    @property
    def anything(self) -> bool:
        """Tell whether a file was added, changed or removed."""
        return bool(self.added or self.changed or self.removed)


@dataclass
class _Work:
    """One update under way."""

    home: Path
    embedder: Embedder
    access: Access
    state: State
    table: Table
    audiences: Audiences
    source: "Source"
    progress: Progress | None
    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    embedded: int = 0
    reused: int = 0
    total: int = 0
    newest: int = 0


class _Waiting(NamedTuple):
    """A file to be written; `read` is what it held, unless it is still to be read."""

    file: File
    read: tuple[Kept, Opened] | None = None


class Source(Protocol):
    """Where documents come from: a folder, or a data set."""

    def files(self) -> list[File]:
        """Return what there is, sorted by name."""

    def look(self, file: File) -> tuple[int, int] | tuple[int, int, int]:
        """Return size and time of change in ns, by which an unchanged file is known; and that of its entry, if any."""

    def open(self, file: File) -> Opened:
        """Read one file."""


def update(
    home: Path, source: Source, fresh: State, access: Access, embedder: Embedder, progress: Progress | None
) -> tuple[State, Update]:
    """Make the newest version under `home` hold what the source holds, and return it with what that took.

    `fresh` is the state to start from where there is none. The caller holds the lock. A kill at any instant leaves the
    last published version as it was, and what was embedded since is not embedded again.
    """
    begun = time.perf_counter()
    state = read_state(home / HEAD)
    if state is None and (state := latest_state(home)) is not None:
        write_state(home / HEAD, state)
    state = state or fresh
    if access.narrows and fresh.chunking.kind == "document":
        hint = "pull retrieve again with another chunking, or give the section a document of its own"
        raise LeversError(f"{access.file} narrows sections, and whole documents are not cut", hint)
    old = {each.name: each for each in state.files}
    listed = source.files()
    known = {
        name: each for name, each in old.items() if not access.narrows or each.outline is not None or not each.head
    }
    kept, waiting = _compare(listed, known, source)
    hidden = _below_unlisted(listed, known)
    kept = sorted([*kept, *(known[name] for name in hidden)], key=lambda each: each.name) if hidden else kept
    gone = sorted(set(old) - {each.name for each in listed} - hidden)
    same = rules_digest(access) == state.rules
    if state.digest and not waiting and not gone and same and (home / f"{state.digest}.json").is_file():
        if kept != list(state.files):
            state = state.model_copy(update={"files": tuple(kept)})
            write_state(home / HEAD, state)
        return state, Update(seconds=time.perf_counter() - begun)
    table = Table(home / TABLE)
    table.restore(state.table)
    work = _Work(home, embedder, access, state, table, Audiences(state), source, progress)
    work.state = state.model_copy(update={"digest": ""})
    replaced = [each.file.name for each in waiting if each.file.name in old]
    if len(replaced) + len(gone) <= _REUSED_AT_MOST:
        work.vectors = table.vectors_of([*replaced, *gone])
    _drop(work, gone)
    _write(work, waiting, old)
    done = _publish(work, kept)
    found = Update(
        added=len(waiting) - len(replaced),
        changed=len(replaced),
        removed=len(gone),
        embedded=work.embedded,
        reused=work.reused,
        seconds=time.perf_counter() - begun,
        lag=max(0.0, time.time() - work.newest / 1e9) if waiting and old else None,
    )
    return done, found


def _below_unlisted(listed: Sequence[File], known: Mapping[str, Kept]) -> set[str]:
    """Name the files of the index below folders that cannot be listed: nobody can tell that they are gone."""
    folders = tuple(f"{file.name}/" for file in listed if file.unlisted)
    return {name for name in known if name.startswith(folders)} - {file.name for file in listed} if folders else set()


def _compare(listed: Sequence[File], old: dict[str, Kept], source: Source) -> tuple[list[Kept], list[_Waiting]]:
    """Return the files whose content is as before, and those to write: new ones, and those that read otherwise."""
    same: list[Kept] = []
    other: list[_Waiting] = []
    for file in listed:
        known = old.get(file.name)
        if known is None:
            other.append(_Waiting(file))
            continue
        size, modified, *entry = source.look(file)
        changed = entry[0] if entry else None
        as_seen = (known.size, known.modified) == (size, modified) and known.changed in (None, changed)
        if known.settled and known.sha and as_seen:
            same.append(known if known.changed == changed else known.model_copy(update={"changed": changed}))
            continue
        kept, found = _read(file, source)
        if known.sha == found.sha and (found.sha or known.problems == found.problems):
            looks = {"size", "modified", "changed", "settled"}
            same.append(known.model_copy(update={name: getattr(kept, name) for name in looks}))
        else:
            other.append(_Waiting(file, (kept, found) if len(other) < _REUSED_AT_MOST else None))
    return same, other


def _read(file: File, source: Source) -> tuple[Kept, Opened]:
    """Read a file: what is kept of it, and its document."""
    size, modified, *entry = source.look(file)
    settled = time.time() - max((modified, *entry)) / 1e9 > _SETTLED_AFTER
    found = source.open(file)
    kept = Kept(
        name=file.name,
        size=size,
        modified=modified,
        changed=entry[0] if entry else None,
        settled=settled,
        sha=found.sha,
        head=found.document.head if found.document else None,
        problems=found.problems,
        note=found.note,
    )
    return kept, found


def _drop(work: _Work, names: Sequence[str]) -> None:
    """Take files out of the table and of the state."""
    if names:
        work.table.delete(names)
        dropped = set(names)
        left = tuple(each for each in work.state.files if each.name not in dropped)
        _advance(work, left)


def _write(work: _Work, waiting: list[_Waiting], old: dict[str, Kept]) -> None:
    """Read, cut, embed and write files, some at a time, so that a folder of any size fits into memory."""
    slab: list[tuple[Kept, list[Chunk]]] = []
    held = cut = 0
    for done, each in enumerate(waiting, 1):
        kept, found = each.read or _read(each.file, work.source)
        waiting[done - 1] = _Waiting(each.file)
        work.newest = max(work.newest, kept.modified, kept.changed or 0)
        slab.append(_cut(work, kept, found))
        held += len(slab[-1][1])
        if held >= SLAB or done == len(waiting):
            cut += held
            work.total = round(cut * len(waiting) / done)
            _write_slab(work, slab, old)
            slab, held = [], 0


def _cut(work: _Work, kept: Kept, found: Opened) -> tuple[Kept, list[Chunk]]:
    """Cut a document into chunks, and keep who may read it and its sections."""
    document = found.document
    if document is None:
        return kept, []
    prefix = clean(work.state.prefix)
    groups = work.access.groups_for(document.id, prefix, document.groups)
    chunks = chunk(document.model_copy(update={"groups": groups}), work.state.chunking)
    shape = outline(document)
    narrowed = work.access.sections_for(document.id, prefix, shape)
    facts = {"groups": groups, "chunks": len(chunks), "under": under_headings(document)}
    return kept.model_copy(update=facts | {"outline": shape, "narrowed": narrowed}), chunks


def _write_slab(work: _Work, slab: Sequence[tuple[Kept, list[Chunk]]], old: dict[str, Kept]) -> None:
    names = {kept.name for kept, _ in slab}
    work.table.delete([name for name in names if name in old])
    chunks = [each for _, some in slab for each in some]
    segments, first = work.state.segments, work.state.rows
    if chunks:
        vectors = _embed(work, [each.searchable for each in chunks])
        narrowed = {kept.name: kept.narrowed for kept, _ in slab}
        numbers = [
            work.audiences.number(each.groups, True, narrowed[each.document].get(each.section, ())) for each in chunks
        ]
        work.table.add(chunks, first, numbers, vectors)
        name = f"{first:09d}-{len(chunks)}-{work.table.version}.npz"
        rows = range(first, first + len(chunks))
        words.save(work.home / WORDS / name, words.segment(rows, [each.searchable for each in chunks]))
        segments = (*segments, name)
    left = tuple(each for each in work.state.files if each.name not in names)
    work.state = work.state.model_copy(update={"segments": segments, "rows": first + len(chunks)})
    _advance(work, (*left, *(kept for kept, _ in slab)))


def _embed(work: _Work, texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed texts; those that stood in the replaced files keep their vectors."""
    new = [text for text in dict.fromkeys(texts) if text not in work.vectors]
    fresh: dict[str, NDArray[np.float32]] = {}
    work.reused += len(texts) - len(new)
    for at in range(0, len(new), _TOLD):
        part = new[at : at + _TOLD]
        fresh.update(zip(part, np.asarray(work.embedder.embed(part, "passage"), dtype=np.float32), strict=True))
        work.embedded += len(part)
        if work.progress:
            work.progress(min(work.embedded + work.reused, work.total), work.total)
    if work.progress and not new:
        work.progress(min(work.embedded + work.reused, work.total), work.total)
    return np.stack([fresh[text] if text in fresh else work.vectors[text] for text in texts])


def _advance(work: _Work, held: tuple[Kept, ...]) -> None:
    """Write down what the table holds now, for this update to go on from if it is killed."""
    facts = {"files": held, "table": work.table.version, **_numbers(work)}
    work.state = work.state.model_copy(update=facts)
    write_state(work.home / HEAD, work.state)


def _publish(work: _Work, seen: Sequence[Kept]) -> State:
    """Judge all documents together, give each its readers, and name the version."""
    looked = {each.name: each for each in seen}
    held = sorted((looked.get(each.name, each) for each in work.state.files), key=lambda each: each.name)
    outlines = {each.name: None if each.head is None else each.outline or () for each in held}
    judged = judge([each.head for each in held if each.head], work.access, work.state.prefix, outlines)
    replaced = {each.document for each in judged.superseded}
    files_now: list[Kept] = []
    moved: dict[str, int] = {}
    apart: dict[tuple[str, str], int] = {}
    for each in held:
        groups, current = judged.groups.get(each.name, ()), each.name not in replaced
        narrowed = judged.narrowed.get(each.name, {})
        if (each.groups, each.current, each.narrowed) == (groups, current, narrowed):
            files_now.append(each)
            continue
        moved[each.name] = work.audiences.number(groups, current)
        for slug, narrower in narrowed.items():
            apart[each.name, slug] = work.audiences.number(groups, current, narrower)
        files_now.append(each.model_copy(update={"groups": groups, "current": current, "narrowed": narrowed}))
    if moved:
        work.table.give(moved, apart)
    work.table.index()
    _tidy(work)
    state = work.state.model_copy(
        update={
            "files": tuple(files_now),
            "table": work.table.version,
            **_numbers(work),
            "rules": rules_digest(work.access),
            "superseded": judged.superseded,
            "problems": judged.problems,
        }
    ).named()
    write_state(work.home / f"{state.digest}.json", state)
    write_state(work.home / HEAD, state)
    return state


def _numbers(work: _Work) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return what the numbers in the table stand for."""
    narrow = tuple(work.audiences.narrow) if any(work.audiences.narrow) else ()
    return {"audiences": tuple(work.audiences.known), "narrow": narrow}


def sweep(home: Path, name: str) -> None:
    """Rewrite the newest version so that nothing else is left under `home`. The caller holds the lock.

    Raises LeversError when the version of that digest is not the newest.
    """
    state = read_state(home / HEAD)
    if state is None or state.digest != name:
        raise LeversError(f"{name} is not the newest index", "bring the index up to date, then purge")
    table = Table(home / TABLE)
    table.restore(state.table)
    table.rewrite()
    alive = np.zeros(state.rows, dtype=np.bool_)
    alive[table.numbers()] = True
    merged: tuple[str, ...] = ()
    if state.segments:
        merged = (f"purged-{state.rows:09d}-{table.version}.npz",)
        parts = [words.load(home / WORDS / each) for each in state.segments]
        words.save(home / WORDS / merged[0], words.merge(parts, alive))
    for _ in range(2):  # a kill between the two leaves a good version, and old files that the next purge removes
        state = state.model_copy(update={"table": table.version, "segments": merged})
        write_state(home / f"{name}.json", state)
        write_state(home / HEAD, state)
        table.forget()
    for path in [*home.glob("*.json"), *home.glob(f"{WORDS}/*")]:
        if path.name not in (HEAD, f"{name}.json", *merged):
            path.unlink()


def _tidy(work: _Work) -> None:
    """Merge the smallest segments when there are too many; the old files stay for the versions that name them."""
    names = sorted(work.state.segments, key=lambda name: (work.home / WORDS / name).stat().st_size)
    if len(names) <= words.SEGMENTS:
        return
    small = names[: len(names) - words.SEGMENTS // 2]
    alive = np.zeros(work.state.rows, dtype=np.bool_)
    alive[work.table.numbers()] = True
    merged = words.merge([words.load(work.home / WORDS / name) for name in small], alive)
    name = f"merged-{work.state.rows:09d}-{work.table.version}.npz"
    words.save(work.home / WORDS / name, merged)
    kept = tuple(each for each in work.state.segments if each not in small)
    work.state = work.state.model_copy(update={"segments": (*kept, name)})
