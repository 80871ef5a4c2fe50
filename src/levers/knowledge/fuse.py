"""Merge two rankings, take near-duplicates out of a result, and widen passages."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from levers.knowledge.chunk import size
from levers.knowledge.records import Found
from levers.knowledge.store import Hits

_CLOSE = 0.8  # weight of a reranker's score against the fused one; 0.6 to 0.8 differ little
_SAME = 0.9  # share of common words from which two passages may be the same
_COPY = 12  # words from which a literal copy under another heading is a duplicate
_GAP = 200  # characters between two passages from which they do not belong together
_PROSE = (
    r"""\s.,;:!?…'"\u2018-\u201f«»\u2039\u203a()\[\]{}*`~|·•¿¡/\\\u2010-\u2015\-"""
    r"\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f\u300c-\u300f\u00ad\u200b-\u200f\u2060\ufeff"
)
# A word, a point or dash that belongs to a number, or any sign that is not punctuation: € and <, also vowel signs.
_OF_NUMBERS = r"(?<=\d)[^\w\s](?=\d)|(?<!\w)\.(?=\d)|(?<![\w)])[-\u2013](?=\s?\d)"
_WORD = re.compile(rf"\w+(?:[+#]+(?!\w))?|{_OF_NUMBERS}|[^\w{_PROSE}]")
_ENDED = re.compile(r"""[.!?…]["'\u201d\u2019»)\]]*\Z""")  # as sentences are cut
_LISTED = re.compile(r"[-*+>|#]|\d+[.)]\s")  # what begins a line of its own


def fuse(bm25: Hits, dense: Hits) -> Hits:
    """Merge two rankings by the mean of their scores, each brought to 0 to 1; ties by place.

    A convex combination (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", 2023) keeps how
    much better a passage is, which reciprocal ranks throw away. BM25 starts at 0 and is divided by its best;
    similarities are stretched from the lowest ranked to the best, since embedders differ in the range they use.
    A passage that one ranking lacks gets 0 there.
    """
    top = float(bm25.scores.max(initial=0.0)) or 1.0
    best, low = (float(dense.scores.max()), float(dense.scores.min())) if len(dense.scores) else (0.0, 0.0)
    near = (dense.scores - low) / (best - low) if best > low else np.ones(len(dense.scores))
    return _summed([(bm25.places, bm25.scores / top / 2), (dense.places, near / 2)])


def pooled(rankings: Sequence[Hits]) -> Hits:
    """Merge the rankings of several wordings of one question by their mean, each divided by its best score.

    A passage that most wordings find counts for more than one that a single wording finds. Ties by place.
    """
    if len(rankings) == 1:
        return rankings[0]
    tops = [float(each.scores.max(initial=0.0)) or 1.0 for each in rankings]
    return _summed([(each.places, each.scores / top / len(tops)) for each, top in zip(rankings, tops, strict=True)])


def _summed(parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]]) -> Hits:
    """Add the scores of each place, best first."""
    places, at = np.unique(np.concatenate([held for held, _ in parts]), return_inverse=True)
    scores: NDArray[np.float64] = np.round(np.bincount(at, np.concatenate([some for _, some in parts]), len(places)), 6)
    order = np.lexsort((places, -scores))
    return Hits(places[order], scores[order])


def rerank(ranked: Sequence[Found], scores: Sequence[float]) -> list[Found]:
    """Order the first `len(scores)` passages by a reranker's scores, brought to 0 to 1, and their own.

    The reranker reads more closely and counts for most. Passages that were not compared follow in their order.
    """
    head, tail = ranked[: len(scores)], ranked[len(scores) :]
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    close = [(score - low) / (high - low) if high > low else 1.0 for score in scores]
    merged = [round(_CLOSE * a + (1 - _CLOSE) * found.score, 4) for a, found in zip(close, head, strict=True)]
    order = sorted(range(len(head)), key=lambda place: (-merged[place], place))
    found = [head[place].model_copy(update={"score": merged[place]}) for place in order]
    return found + [each.model_copy(update={"score": 0.0}) for each in tail]


def differing(ranking: Iterable[Found]) -> Iterator[Found]:
    """Yield the passages that differ from all before them."""
    kept: list[Found] = []
    for found in ranking:
        if not any(twins(each, found) for each in kept):
            kept.append(found)
            yield found


def distinct(ranking: Iterable[Found], k: int) -> list[list[Found]]:
    """Return the first `k` passages that differ, each followed by its lower-ranked near-duplicates."""
    kept: list[list[Found]] = []
    for found in ranking:
        twin = next((group for group in kept if twins(group[0], found)), None)
        if twin is not None:
            twin.append(found)
        elif len(kept) < k:
            kept.append([found])
    return kept


def widened(ranked: Iterable[Found], k: int, words: int, section: Callable[[str], Sequence[Found]]) -> list[Found]:
    """Return the first `k` passages, each grown among the pieces of its document, which `section` returns.

    A passage that stands in a wider one already makes room for the next.
    """
    wide: list[Found] = []
    for found in ranked if k else ():
        if not any(
            each.document == found.document and each.start <= found.start and found.end <= each.end for each in wide
        ):
            wide.append(grow(found, section(found.document), words))
        if len(wide) == k:
            break
    return wide


def grow(found: Found, pieces: Sequence[Found], words: int) -> Found:
    """Return a passage with its neighbours among `pieces` (a document's, in order) of the same section.

    Neighbours come in turns, after and before, while the whole stays within `words`. What stands between two pieces
    (blank lines, a rule) is not kept: it becomes a space where one sentence follows another, else as many line breaks,
    so that every word has its place from `start` on.
    """
    places = [at for at, piece in enumerate(pieces) if piece.start == found.start and piece.end == found.end]
    if not places:
        return found
    first = last = places[0]
    held = size(found.text)
    closed: set[int] = set()
    while len(closed) < 2:
        for step in (1, -1):
            at = last + 1 if step == 1 else first - 1
            if step in closed or not 0 <= at < len(pieces) or not _joins(pieces, at, step, found.section):
                closed.add(step)
                continue
            held += size(pieces[at].text)
            if held > words:
                closed |= {1, -1}
                break
            first, last = min(first, at), max(last, at)
    text = pieces[first].text
    for at in range(first + 1, last + 1):
        text += _between(pieces[at - 1], pieces[at]) + pieces[at].text
    start, end = pieces[first].start, pieces[last].end
    return found.model_copy(update={"text": text, "start": start, "end": end, "page": pieces[first].page})


def _between(before: Found, after: Found) -> str:
    """Return what stands for the white space between two pieces, of the same length."""
    gap = after.start - before.end
    prose = _ENDED.search(before.text) and not _LISTED.match(after.text)
    return " " if gap == 1 and prose else "\n" * gap


def _joins(pieces: Sequence[Found], at: int, step: int, section: str) -> bool:
    before, after = (pieces[at - 1], pieces[at]) if step == 1 else (pieces[at], pieces[at + 1])
    return pieces[at].section == section and 0 <= after.start - before.end <= _GAP


def twins(one: Found, other: Found) -> bool:
    """Tell whether two passages say the same.

    Alike is not enough: two product pages may differ in one figure, one name or one sign. So the differing words must
    be few, and names, numbers and signs the same in the same order; and the headings must agree, unless the text is a
    literal copy.
    """
    a, b = _words(one.text), _words(other.text)
    if sum(word[0].isalnum() for word in a) >= _COPY and one.text.split() == other.text.split():
        return True
    if one.heading != other.heading and one.heading.casefold() != other.heading.casefold():
        return False
    if a == b:
        return True
    common, united = set(a) & set(b), set(a) | set(b)
    if not united or len(common) / len(united) < _SAME:
        return False
    return _telling(a) == _telling(b)


@lru_cache(maxsize=8192)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(unicodedata.normalize("NFC", text).replace("\u2212", "-")))


def _telling(words: Sequence[str]) -> list[str]:
    """Return what must agree: all but words in small letters."""
    return [word for word in words if not (word.islower() and word.isalpha())]
