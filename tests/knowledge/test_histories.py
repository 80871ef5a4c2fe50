"""Documents replayed through years of edits: the index holds what the folder holds, and works only as much as changed.

Three public histories, batch by batch. The suite replays three months of the smallest; `LEVERS_BATCHES=all` replays all
of every set that is there, and `-s` prints the figures.
"""

import json
import lzma
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from knowledge.conftest import Counting, write

from levers.knowledge import Access, Index, build
from levers.knowledge.library import READABLE
from levers.knowledge.words import words as stems

DATA = Path(os.environ.get("LEVERS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
BATCHES = os.environ.get("LEVERS_BATCHES", "3")
SETS = ("handbook_18f_history", "peps_history", "powershell_docs_history")
_WORD = re.compile(r"(?<!\w)[A-Za-z]{4,}(?!\w)")
_LOOKED_UP = 12  # changed documents of each batch whose new and removed words are searched


class History:
    """A folder that is edited as a set says."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder, self.embedder = folder, Counting()
        self.held: dict[str, str] = {}
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self.holding: Counter[str] = Counter()
        for row in rows(DATA / name / "base.jsonl.xz"):
            self.put(row["path"], row["text"])
        for row in rows(DATA / name / "updates.jsonl.xz"):
            self.batches.setdefault(row["batch"], []).append(row)

    def put(self, path: str, text: str | None) -> None:
        """Save a file, or delete it, and keep count of the documents that hold each word."""
        old = self.held.pop(path, "")
        self.holding.subtract([*words(old)] if visible(path) else [])
        file = self.folder / "docs" / path
        if text is None:
            file.unlink(missing_ok=True)
            return
        self.held[path] = text
        write(self.folder / "docs", {path: text})
        self.holding.update([*words(text)] if visible(path) else [])

    def build(self) -> Index:
        return build(self.folder / "docs", "docs", Access(), self.embedder, self.folder / "indexes")


def rows(path: Path) -> list[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def words(text: str) -> set[str]:
    """The words of a text as search compares them."""
    return set(stems(text))


def written(text: str) -> dict[str, str]:
    """The longer plain words of a text, by how search compares them."""
    return {held[0]: word for word in sorted(set(_WORD.findall(text))) if len(held := stems(word)) == 1}


def visible(path: str) -> bool:
    """Tell whether a file of the set is a document: of a kind that is read, and in no hidden folder."""
    return path.endswith(READABLE) and not any(part.startswith((".", "~")) for part in path.split("/"))


def found(index: Index, word: str) -> set[str]:
    """The documents that a search for one word brings."""
    return {each.document for each in index.search([word], k=20, mode="bm25")[0]}


def one_batch(history: History, changes: list[dict[str, Any]]) -> tuple[Index, int, int]:
    """Apply a month and check everything; return the index, chunks in the changed files, chunks embedded."""
    before = {row["path"]: history.held.get(row["path"], "") for row in changes}
    spent = history.embedder.passages
    for row in changes:
        history.put(row["path"], row.get("text") if row["op"] != "delete" else None)
    index = history.build()
    unread = {each.file for each in index.problems if each.found == "no text" or "is left out" in each.hint}
    assert set(index.documents) == {f"docs/{path}" for path in history.held if visible(path)} - unread
    other = {path for path in before if visible(path) and before[path] != history.held.get(path, "")}
    assert index.updated is not None
    assert index.updated.added + index.updated.changed + index.updated.removed == len(other)
    cut = sum(len(index.section(f"docs/{path}")) for path in other)
    embedded = history.embedder.passages - spent
    assert embedded <= cut, "what did not change was embedded again"
    for path in sorted(other)[:: max(1, len(other) // _LOOKED_UP)]:
        text, document = history.held.get(path, ""), f"docs/{path}"
        pieces = index.section(document)
        assert all(piece.text == text[piece.start : piece.end] for piece in pieces)
        searched = words(" ".join(f"{piece.heading} {piece.text}" for piece in pieces))
        told = words(before[path])
        new = [word for stem, word in written(text).items() if stem in searched - told and history.holding[stem] == 1]
        gone = [word for stem, word in written(before[path]).items() if not history.holding[stem]]
        assert not new or document in found(index, new[0]), (path, new[0])
        assert not gone or not found(index, gone[0]), (path, gone[0])
    return index, cut, embedded


@pytest.mark.parametrize("name", SETS)
def test_an_index_follows_its_documents_through_their_history(name: str, tmp_path: Path) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"the {name} data set is not there")
    if BATCHES != "all" and name != SETS[0]:
        pytest.skip("minutes: LEVERS_BATCHES=all")
    history = History(name, tmp_path)
    begun = time.perf_counter()
    index = history.build()
    first, size = time.perf_counter() - begun, index.size
    chosen = list(history.batches)[: None if BATCHES == "all" else int(BATCHES)]
    seconds, touched, cut, embedded = 0.0, 0, 0, 0
    for batch in chosen:
        index, some, fresh = one_batch(history, history.batches[batch])
        assert index.updated is not None
        seconds += index.updated.seconds
        touched += len(history.batches[batch])
        cut, embedded = cut + some, embedded + fresh
    sys.stdout.write(
        f"{name}: {len(chosen)} batches, {touched:,} changes; at first {size:,} passages in {first:.1f} s, "
        f"then {embedded:,} embedded of {cut:,} in changed files, {seconds / len(chosen):.2f} s a batch\n"
    )
    if BATCHES == "all":
        assert set(history.held) == manifest(name)
        whole = build(tmp_path / "docs", "docs", Access(), Counting(), tmp_path / "afresh")
        assert whole.digest == index.digest and whole.chunks() == index.chunks()


def manifest(name: str) -> set[str]:
    """The paths that the set says its last state has."""
    lines = (DATA / name / "final_manifest.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return {line.split("\t")[0] for line in lines}
