"""BM25 over what one reader may see: an inverted index in segments, and statistics that count visible chunks only.

Stores count a word's chunks over everything they hold, so a score tells how common the word is in documents that the
reader may not open. Here document frequency, number of chunks and mean length are those of the visible chunks, so a
reader's ranking is the one of an index that never held anything else.
"""

import hashlib
import io
import re
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from levers.errors import LeversError
from levers.knowledge.optional import need
from levers.ledger import write_atomic

K1, B = 1.2, 0.75  # Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009
_GRAMMAR = 0.3  # what a word of grammar tells
SEGMENTS = 8  # more are merged: each costs a look-up for every word of a query

_EAST = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"  # scripts without spaces: a letter is a word
_MARKED_APART = "\u0590"  # Latin, Greek and Cyrillic letters come before it once they are decomposed
_PLAIN = re.compile(r"[a-z0-9]+")
_WORD = re.compile(r"\w+")
_ANY = re.compile(rf"[{_EAST}]|(?:(?![{_EAST}])[^\W_])+")
_STOP = frozenset(  # words of grammar, which name no subject
    "a about after again all also am an and any are as at be because been before being below between both but by can "  # noqa: SIM905
    "could did do does doing down during each few for from further had has have having he her here hers him his how i "
    "if in into is it its just me more most my no nor not of off on once only or other our ours out over own same she "
    "should so some such than that the their theirs them then there these they this those through to too under until "
    "up very was we were what when where which while who whom why will with would you your yours".split()
)


def words(text: str) -> list[str]:
    """Return the words of a text as they are compared: no case, no accents, English endings cut, no grammar words."""
    if text.isascii():
        found = _PLAIN.findall(text.lower())
    else:
        plain = _without_accents(text.casefold())
        marked = "".join("x" if unicodedata.category(each)[0] == "M" else each for each in plain)  # a mark ends no word
        found = [plain[slice(*hit.span())] for hit in _ANY.finditer(marked)]
    return [_stem(word) for word in found if word not in _STOP]


def _without_accents(text: str) -> str:
    """Drop the marks of Latin, Greek and Cyrillic letters; elsewhere, as in Hindi, they tell words apart."""
    kept: list[str] = []
    base = ""
    for letter in unicodedata.normalize("NFKD", text):
        if unicodedata.category(letter)[0] != "M":
            base = letter
        elif base < _MARKED_APART or "\ufe00" <= letter <= "\ufe0f":  # how a sign looks: as text or in colours
            continue
        kept.append(letter)
    return unicodedata.normalize("NFC", "".join(kept))


class Segment(NamedTuple):
    """Postings of some rows: `rows[starts[n]:starts[n + 1]]` hold the n-th of the sorted `terms`, `counts` times.

    `owners` are the rows of the segment, ascending, `lengths` their number of words.
    """

    terms: NDArray[np.uint64]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.uint16]
    owners: NDArray[np.int32]
    lengths: NDArray[np.int32]

    def slice(self, term: np.uint64) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
        """Return the rows that hold a term and how often."""
        place = int(np.searchsorted(self.terms, term))
        if place == len(self.terms) or self.terms[place] != term:
            return self.rows[:0], self.counts[:0]
        part = slice(int(self.starts[place]), int(self.starts[place + 1]))
        return self.rows[part], self.counts[part]


def segment(rows: Sequence[int], texts: Sequence[str]) -> Segment:
    """Make the postings of texts; `rows` are their numbers, ascending."""
    terms: list[int] = []
    held: list[int] = []
    counts: list[int] = []
    lengths: list[int] = []
    for row, text in zip(rows, texts, strict=True):
        found = Counter(_term(word) for word in words(text))
        terms += found.keys()
        counts += found.values()
        held += [row] * len(found)
        lengths.append(sum(found.values()))
    return _sorted(
        np.array(terms, dtype=np.uint64),
        np.array(held, dtype=np.int32),
        np.minimum(np.array(counts, dtype=np.int64), 65_535).astype(np.uint16),
        np.array(rows, dtype=np.int32),
        np.array(lengths, dtype=np.int32),
    )


def merge(parts: Sequence[Segment], alive: NDArray[np.bool_]) -> Segment:
    """Make one segment of several; rows that are not `alive` (by number) are left out for good."""
    terms, rows, counts = [], [], []
    owners, lengths = [], []
    for part in parts:
        keep = alive[part.rows]
        terms.append(np.repeat(part.terms, np.diff(part.starts))[keep])
        rows.append(part.rows[keep])
        counts.append(part.counts[keep])
        owners.append(part.owners[alive[part.owners]])
        lengths.append(part.lengths[alive[part.owners]])
    order = np.argsort(np.concatenate(owners), kind="stable")
    return _sorted(
        np.concatenate(terms),
        np.concatenate(rows),
        np.concatenate(counts),
        np.concatenate(owners)[order],
        np.concatenate(lengths)[order],
    )


def save(path: Path, part: Segment) -> None:
    """Write a segment whole or not at all."""
    out = io.BytesIO()
    np.savez(out, **part._asdict())
    write_atomic(path, out.getvalue())


def load(path: Path) -> Segment:
    """Read a segment. Raises LeversError for a file that is damaged or gone."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return Segment(**{name: kept[name] for name in Segment._fields})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        hint = f"delete {path.parent.parent}; the next build makes it anew"
        raise LeversError(f"the index is damaged: {path.name} of its words cannot be read", hint) from error


class Seen(NamedTuple):
    """What one reader may see, counted once: which rows, how many, and what each row's length adds below the line."""

    visible: NDArray[np.bool_]
    total: int
    norms: NDArray[np.float32]


class Words:
    """The segments of one index version, to be searched. `size` is above the highest row number."""

    def __init__(self, parts: Sequence[Segment], size: int) -> None:
        """Take the segments."""
        self._parts = tuple(parts)
        self._lengths = np.zeros(size, dtype=np.float32)
        for part in parts:
            self._lengths[part.owners] = part.lengths

    def seen(self, visible: NDArray[np.bool_]) -> Seen:
        """Count what a reader may see; `visible` tells for each row number whether it takes part in anything."""
        total = int(visible.sum())
        mean = max(float(self._lengths[visible].mean()), 1.0) if total else 1.0
        return Seen(visible, total, K1 * (1 - B + B * self._lengths / mean))

    def search(self, query: str, seen: Seen, depth: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return rows and BM25 scores of the best `depth` visible rows and of those that tie, unordered."""
        asked = Counter(words(query))
        if not asked or not seen.total:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        scores = np.zeros(len(seen.visible))
        for word, times in asked.items():
            for rows, gain in self._gains(np.uint64(_term(word)), seen):
                scores[rows] += times * gain
        return best(scores, depth)

    def rarity(self, text: str, seen: Seen) -> dict[str, float]:
        """Return for each word of a text, in lower case, how much it tells: the square root of BM25's rarity.

        It is counted over the visible rows only. A word of grammar counts 0.3, as one that nearly all of them hold.
        """
        found: dict[str, float] = {}
        for word in dict.fromkeys(_WORD.findall(text.lower())):
            held = [self._held(np.uint64(_term(stem)), seen.visible) for stem in words(word)]
            numbers = [sum(len(rows) for rows, _ in each) for each in held]
            found[word] = float(np.sqrt(_rare(seen.total, min(numbers)))) if numbers else _GRAMMAR
        return found

    def _held(self, term: np.uint64, visible: NDArray[np.bool_]) -> list[tuple[NDArray[np.int32], NDArray[np.float64]]]:
        """Return, segment by segment, the visible rows that hold a term and how often."""
        held = []
        for part in self._parts:
            rows, counts = part.slice(term)
            keep = visible[rows]
            held.append((rows[keep], counts[keep].astype(np.float64)))
        return held

    def _gains(self, term: np.uint64, seen: Seen) -> list[tuple[NDArray[np.int32], NDArray[np.float64]]]:
        held = self._held(term, seen.visible)
        rarity = _rare(seen.total, sum(len(rows) for rows, _ in held))
        return [(rows, rarity * counts * (K1 + 1) / (counts + seen.norms[rows])) for rows, counts in held]


def _rare(total: int, number: int) -> float:
    """Return BM25's inverse document frequency of a word that `number` of `total` chunks hold."""
    return float(np.log1p((total - number + 0.5) / (number + 0.5)))


def best(scores: NDArray[np.float64], depth: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the places of the best `depth` scores above zero and of those that tie with the last, and the scores.

    Scores are rounded, so that ties are ties on every machine.
    """
    places = np.flatnonzero(scores > 0)
    if len(places) > 4 * depth:  # rounding all of a common word's would cost more than the search
        last = np.partition(scores[places], len(places) - depth)[len(places) - depth]
        places = places[scores[places] >= last - 1e-6]
    found = np.round(scores[places], 6)
    if len(places) > depth:
        last = np.partition(found, len(found) - depth)[len(found) - depth]
        keep = found >= last
        places, found = places[keep], found[keep]
    return places, found


def _sorted(terms: Any, rows: Any, counts: Any, owners: Any, lengths: Any) -> Segment:
    order = np.lexsort((rows, terms))
    unique, first = np.unique(terms[order], return_index=True)
    starts = np.append(first, len(terms)).astype(np.int64)
    return Segment(unique, starts, rows[order], counts[order], owners, lengths)


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    return need("Stemmer", "PyStemmer").Stemmer("english")


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=200_000)
def _term(word: str) -> int:
    """Return a word's number: 64 bits of its hash, so that segments need no common dictionary."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
