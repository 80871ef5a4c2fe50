"""Search in two steps, for questions that need two passages: the second query comes from what the first step found.

"Who was the first president of the association that published …?" names the journal and not the association. The first
step finds the journal's passage; that names the association. So each of the first passages asks again, with what it
leaves open of the question and the names it brings. Multi-hop dense retrieval (Xiong et al., "Answering Complex
Open-Domain Questions with Multi-Hop Dense Retrieval", 2021) trains an encoder to read question and passage together;
this needs no training.
"""

import re
from collections.abc import Sequence

from levers.knowledge.records import Found
from levers.knowledge.words import words

FIRST = 5  # passages of the first step that ask again
_NAMES = 6  # names a passage adds to its query, in the order of the text
_NAME = re.compile(r"\b[A-Z][\w'\u2019.-]*(?:\s+(?:(?:of|the|and|de|la|for|in)\s+)?[A-Z][\w'\u2019.-]*)*")
_WORD = re.compile(r"\w+")


def second_query(query: str, found: Found) -> str:
    """Return what a passage leaves open of a question, then the names that it brings; empty when it brings none."""
    asked, told = set(words(query)), set(words(found.searchable))
    left = [word for word in _WORD.findall(query) if not words(word) or not set(words(word)) <= told]
    names: list[str] = []
    for written in _NAME.findall(f"{found.heading} . {found.text}"):
        name = written.rstrip(".'-")
        if (held := set(words(name))) and not held <= asked and name not in names:
            names.append(name)
    return " ".join([*left, *names[:_NAMES]]) if names else ""


def joined(first: Sequence[Found], seconds: Sequence[tuple[Found, Sequence[Found]]]) -> list[Found]:
    """Merge both steps: a passage's own score, and the best that a first passage's query gives it.

    `seconds` holds for each asking passage what its query found. A second score is brought to 0 to 1 within its
    ranking and weighed by the score of the passage that asked, which itself gains nothing. Ties as in `fuse`.
    """
    places: dict[tuple[str, int, int], Found] = {}
    scores: dict[tuple[str, int, int], float] = {}
    for found in first:
        places[_key(found)], scores[_key(found)] = found, found.score
    gains: dict[tuple[str, int, int], float] = {}
    for asking, ranked in seconds:
        best, low = max((each.score for each in ranked), default=0.0), min((each.score for each in ranked), default=0.0)
        for each in ranked:
            if _key(each) == _key(asking):
                continue
            share = (each.score - low) / (best - low) if best > low else 1.0
            gains[_key(each)] = max(gains.get(_key(each), 0.0), asking.score * share)
            places.setdefault(_key(each), each)
    total = {key: round((scores.get(key, 0.0) + gains.get(key, 0.0)) / 2, 6) for key in places}
    return [
        places[key].model_copy(update={"score": total[key]})
        for key in sorted(total, key=lambda key: (-total[key], key))
    ]


def _key(found: Found) -> tuple[str, int, int]:
    return found.document, found.start, found.end
