"""Compare ways of cutting documents on the same questions, by how much of the answering text search brings."""

from collections.abc import Callable, Sequence

import numpy as np

from levers.knowledge.chunk import size
from levers.knowledge.index import Index
from levers.knowledge.records import Chunking, Found, Mode
from levers.ledger import Record

Span = tuple[str, int, int]
"""A document's id, and characters in its text from start to end, end exclusive."""

ALL = (
    Chunking(),
    Chunking(words=80),
    Chunking(words=320),
    Chunking(kind="sentence", words=60),
    Chunking(kind="sentence", words=40, parent=160),
    Chunking(kind="fixed", words=120, overlap=30),
    Chunking(kind="document"),
)
HALF = 0.5  # share of a gold span's characters from which it counts as found
_DRAWS = 2000  # bootstrap samples behind an interval


class Sought(Record):
    """A question, who asks it, and the spans of text that answer it."""

    query: str
    spans: tuple[Span, ...]
    user: str | None = None


class Reached(Record):
    """A chunking on questions.

    `shares` tells for each question which share of its spans was found: by at least half of their characters, in the
    passages shown. `recall` is their mean with its bootstrap 95 % interval. `words` is the mean number of words shown.
    """

    chunking: Chunking
    chunks: int
    recall: float
    low: float
    high: float
    words: float
    shares: tuple[float, ...]


class Gap(Record):
    """How much more the first of two chunkings finds on the same questions, with its bootstrap 95 % interval."""

    difference: float
    low: float
    high: float


def compare_chunkings(
    asked: Sequence[Sought],
    build_with: Callable[[Chunking], Index],
    chunkings: Sequence[Chunking] = ALL,
    k: int = 5,
    budget: float | None = None,
    mode: Mode = "hybrid",
) -> list[Reached]:
    """Measure chunkings on the same questions, best first; equal recall is decided by fewer words shown.

    `k` passages are shown for each question; with a `budget`, as many as fit into so many words, the first one at any
    rate, so that large pieces win nothing by their size. `build_with` makes the index for a chunking; ask it about dev
    only.
    """
    found = []
    for chunking in chunkings:
        index = build_with(chunking)
        depth = k if budget is None else 50
        results = index.search([each.query for each in asked], users=[each.user for each in asked], k=depth, mode=mode)
        shown = [passages if budget is None else fitting(passages, budget) for passages in results]
        shares = [share(each.spans, passages) for each, passages in zip(asked, shown, strict=True)]
        low, high = _interval(shares)
        words = [sum(size(passage.text) for passage in passages) for passages in shown]
        found.append(
            Reached(
                chunking=chunking,
                chunks=index.size,
                recall=float(np.mean(shares)) if shares else 0.0,
                low=low,
                high=high,
                words=float(np.mean(words)) if words else 0.0,
                shares=tuple(shares),
            )
        )
    return sorted(found, key=lambda each: (-round(each.recall, 6), each.words))


def gap(one: Reached, other: Reached) -> Gap:
    """Return by how much `one` finds more than `other`."""
    differences = [a - b for a, b in zip(one.shares, other.shares, strict=True)]
    low, high = _interval(differences)
    return Gap(difference=float(np.mean(differences)) if differences else 0.0, low=low, high=high)


def share(spans: Sequence[Span], passages: Sequence[Found]) -> float:
    """Return which share of the spans stands in the passages, by at least half of the characters of each."""
    return sum(_held(span, passages) >= HALF * (span[2] - span[1]) for span in spans) / max(len(spans), 1)


def fitting(passages: Sequence[Found], budget: float) -> list[Found]:
    """Return the first passages whose words fit the budget together; the first one at any rate."""
    total = np.cumsum([size(passage.text) for passage in passages])
    return list(passages[: max(1, int(np.searchsorted(total, budget, side="right")))])


def _held(span: Span, passages: Sequence[Found]) -> int:
    """Return how many characters of a span stand in the passages, each counted once."""
    document, start, end = span
    held, reached = 0, start
    for a, b in sorted((each.start, each.end) for each in passages if each.document == document):
        held += max(0, min(b, end) - max(a, reached))
        reached = max(reached, min(b, end))
    return held


def _interval(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 0.0
    single = np.array(values)
    drawn = np.random.default_rng(0).integers(0, len(single), (_DRAWS, len(single)))
    low, high = np.percentile(single[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
