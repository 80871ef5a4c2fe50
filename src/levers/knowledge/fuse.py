"""Merge rankings and take near-duplicates out of a result."""

import re
from collections.abc import Sequence

from levers.knowledge.records import Found

RRF = 60  # Cormack, Clarke and Büttcher, SIGIR 2009: the constant that damps the first ranks
_SAME = 0.9  # share of common words from which two passages may be the same
_COPY = 12  # words from which a literal copy under another heading is a duplicate
_WORD = re.compile(r"\w+")


def fuse(rankings: Sequence[Sequence[Found]]) -> list[Found]:
    """Merge rankings by reciprocal rank: a passage scores the sum of 1 / (60 + rank); ties by document and start."""
    scores: dict[tuple[str, int, int], float] = {}
    passages: dict[tuple[str, int, int], Found] = {}
    for ranking in rankings:
        for rank, found in enumerate(ranking, start=1):
            key = (found.document, found.start, found.end)
            scores[key] = scores.get(key, 0.0) + 1 / (RRF + rank)
            passages.setdefault(key, found)
    ordered = sorted(scores, key=lambda key: (-scores[key], key))
    return [passages[key].model_copy(update={"score": round(scores[key], 6)}) for key in ordered]


def distinct(ranking: Sequence[Found], k: int) -> list[list[Found]]:
    """Return the first `k` passages that differ, each followed by its lower-ranked near-duplicates."""
    kept: list[list[Found]] = []
    for found in ranking:
        twin = next((group for group in kept if _twins(group[0], found)), None)
        if twin is not None:
            twin.append(found)
        elif len(kept) < k:
            kept.append([found])
    return kept


def _twins(one: Found, other: Found) -> bool:
    """Tell whether two passages say the same.

    Alike is not enough: two product pages may differ in one figure or one name. So the differing words must be few,
    and none may be a number or start with a capital; and the headings must agree, unless the text is a literal copy.
    """
    a, b = _WORD.findall(one.text), _WORD.findall(other.text)
    if len(a) >= _COPY and a == b:
        return True
    if one.heading.casefold() != other.heading.casefold():
        return False
    if a == b:
        return True
    common, united = set(a) & set(b), set(a) | set(b)
    if not united or len(common) / len(united) < _SAME:
        return False
    return all(word.islower() and word.isalpha() for word in united - common)
