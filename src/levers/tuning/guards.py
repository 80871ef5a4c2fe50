"""What is wrong with examples before anyone pays for tuning on them. Pure: text in, findings out."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

from levers.ledger import Record
from levers.tuning.records import Sample

Kind = Literal["empty", "duplicate", "near duplicate", "contradiction", "leak", "too long"]
_WORD = re.compile(r"\w+")
_SHORTEST_QUOTE = 5  # words: shorter forbidden texts occur in honest examples by chance


class Finding(Record):
    """One thing wrong with the sample on `line`; `other` is the line it collides with, `detail` says what was seen."""

    kind: Kind
    line: int
    other: int | None = None
    detail: str = ""


def inspect_samples(samples: Sequence[Sample], forbidden: Sequence[str] = (), near: float = 0.9) -> list[Finding]:
    """Find empty, repeated and contradictory samples, and samples that leak forbidden texts (the golden set's inputs).

    Give the samples as reviewed, before passages are put into their prompts: passages that two questions share would
    make them look alike.

    Args:
        samples: the pairs, each with the line it stands on.
        forbidden: texts no sample may hold: equal, nearly equal, or quoted.
        near: two questions whose sets of words have at least this Jaccard similarity count as nearly equal.

    Returns:
        Findings ordered by line. A pair is reported once, at the later sample.
    """
    findings = [Finding(kind="empty", line=s.line, detail="no question or no answer") for s in samples if _is_empty(s)]
    findings += _repeats(samples)
    words = [_words(sample.question) for sample in samples]
    exact = {(finding.line, finding.other) for finding in findings}
    for left, right in similar_pairs(words, near):
        first, second = samples[left], samples[right]
        if (second.line, first.line) not in exact and _prompt(first) != _prompt(second):
            detail = f"asks nearly what line {first.line} asks"
            findings.append(Finding(kind="near duplicate", line=second.line, other=first.line, detail=detail))
    findings += _leaks(samples, words, forbidden, near)
    return sorted(findings, key=lambda finding: (finding.line, finding.kind, finding.other or 0))


def similar_pairs(sets: Sequence[frozenset[str]], near: float) -> Iterator[tuple[int, int]]:
    """Yield the pairs (i < j) of word sets with Jaccard similarity of at least `near`; empty sets match nothing.

    Exact, without comparing all pairs: two sets that alike must share one of their rarest words (prefix filtering,
    Bayardo, Ma and Srikant 2007).
    """
    counts: dict[str, int] = defaultdict(int)
    for words in sets:
        for word in words:
            counts[word] += 1
    holders: dict[str, list[int]] = defaultdict(list)
    for index, words in enumerate(sets):
        rarest = sorted(words, key=lambda word: (counts[word], word))
        head = rarest[: len(words) - math.ceil(near * len(words)) + 1]
        candidates = sorted({other for word in head for other in holders[word]})
        for other in candidates:
            if _jaccard(sets[other], words) >= near:
                yield other, index
        for word in head:
            holders[word].append(index)


def _repeats(samples: Sequence[Sample]) -> list[Finding]:
    first: dict[tuple[str, ...], Sample] = {}
    findings = []
    for sample in samples:
        earlier = first.setdefault(_prompt(sample), sample)
        if earlier is sample:
            continue
        if _squeeze(earlier.answer) == _squeeze(sample.answer):
            detail = f"repeats line {earlier.line}"
            findings.append(Finding(kind="duplicate", line=sample.line, other=earlier.line, detail=detail))
        else:
            detail = f"same question, other answer: {sample.answer[:60]!r} here, {earlier.answer[:60]!r} there"
            findings.append(Finding(kind="contradiction", line=sample.line, other=earlier.line, detail=detail))
    return findings


def _leaks(
    samples: Sequence[Sample], words: Sequence[frozenset[str]], forbidden: Sequence[str], near: float
) -> list[Finding]:
    banned = [frozenset(_WORD.findall(text.casefold())) for text in forbidden]
    found: dict[int, str] = {}
    for left, right in similar_pairs([*words, *banned], near):
        if left < len(samples) <= right:
            found.setdefault(left, forbidden[right - len(samples)])
    quotes = [(_flat(text), text) for text in forbidden if len(_WORD.findall(text)) >= _SHORTEST_QUOTE]
    for index, sample in enumerate(samples):
        whole = _flat(" ".join([*(message.content for message in sample.messages), sample.answer]))
        for flat, text in quotes:
            if flat in whole:
                found.setdefault(index, text)
    return [
        Finding(kind="leak", line=samples[index].line, detail=f"holds a held-out question: {text[:80]!r}")
        for index, text in sorted(found.items())
    ]


def _is_empty(sample: Sample) -> bool:
    return not sample.question.strip() or not sample.answer.strip()


def _prompt(sample: Sample) -> tuple[str, ...]:
    return tuple(f"{message.role} {_squeeze(message.content)}" for message in sample.messages)


def _squeeze(text: str) -> str:
    return " ".join(text.casefold().split())


def _flat(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)
