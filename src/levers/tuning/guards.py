"""What is wrong with examples before anyone pays for tuning on them. Pure: text in, findings out."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

from levers.ledger import Record
from levers.tuning.personal import find_personal
from levers.tuning.records import Sample

Kind = Literal[
    "empty", "duplicate", "near duplicate", "contradiction", "leak", "too long", "format", "personal data", "fact"
]
_WORD = re.compile(r"\w+")
_ALIKE = 0.5  # Jaccard similarity of what two questions speak of, from which they are looked at closely
_TYPO = 0.8  # similarity of two words that may be one word misspelt
_SHORT = 4  # letters; shorter words are told apart by one letter
# Words that change a question's manner and not what it asks for.
_MANNER = frozenset(
    re.findall(
        r"\w+",
        """a an the please thanks thank hi hello hey so well just i me my mine we us our you your yours it its is are
        was were be do does did can could would will shall may might of for to in on at that this these those there tell
        know s t ll m re""",
    )
)


class Finding(Record):
    """One thing wrong with the sample on `line`; `other` is the line it collides with, `detail` says what was seen."""

    kind: Kind
    line: int
    other: int | None = None
    detail: str = ""


def inspect_samples(samples: Sequence[Sample], near: float = 0.9) -> list[Finding]:
    """Find empty, repeated and contradictory samples, and personal data in them.

    Give the samples as reviewed, before passages are put into their prompts: passages that two questions share would
    make them look alike. Two answers contradict each other when their questions are the same, or differ in manner
    (politeness, word order, a misspelt word) only.

    Args:
        samples: the pairs, each with the line it stands on.
        near: two questions whose sets of words have at least this Jaccard similarity count as nearly equal.

    Returns:
        Findings ordered by line. A pair is reported once, at the later sample.
    """
    findings = [Finding(kind="empty", line=s.line, detail="no question or no answer") for s in samples if _is_empty(s)]
    findings += _repeats(samples)
    findings += _rephrased(samples, {(finding.line, finding.other) for finding in findings})
    words = [_words(sample.question) for sample in samples]
    exact = {(finding.line, finding.other) for finding in findings}
    for left, right in similar_pairs(words, near):
        first, second = samples[left], samples[right]
        if (second.line, first.line) not in exact and _prompt(first) != _prompt(second):
            detail = f"asks nearly what line {first.line} asks"
            findings.append(Finding(kind="near duplicate", line=second.line, other=first.line, detail=detail))
    for sample in samples:
        said = " ".join([*(message.content for message in sample.messages), sample.answer])
        for each in find_personal(said):
            detail = f"{each.kind}: {each.text}"
            findings.append(Finding(kind="personal data", line=sample.line, detail=detail))
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


def _rephrased(samples: Sequence[Sample], known: set[tuple[int, int | None]]) -> list[Finding]:
    """Find pairs that ask the same in another manner and answer differently."""
    content = [_words(sample.question) - _MANNER for sample in samples]
    findings = []
    for left, right in similar_pairs(content, _ALIKE):
        first, second = samples[left], samples[right]
        if (second.line, first.line) in known or first.messages[:-1] != second.messages[:-1]:
            continue
        if same_content(content[left], content[right]) and not _agree(first.answer, second.answer):
            detail = (
                f"asks what line {first.line} asks, other answer: {second.answer[:60]!r}, {first.answer[:60]!r} there"
            )
            findings.append(Finding(kind="contradiction", line=second.line, other=first.line, detail=detail))
    return findings


def same_content(left: frozenset[str], right: frozenset[str]) -> bool:
    """Tell whether two sets of words are the same but for misspelt words; numbers are never misspelt."""
    mine, theirs = sorted(left - right), sorted(right - left)
    if not left or not right or len(mine) != len(theirs):
        return False
    for word in mine:
        partner = next((other for other in theirs if _misspelt(word, other)), None)
        if partner is None:
            return False
        theirs.remove(partner)
    return True


def _misspelt(word: str, other: str) -> bool:
    if min(len(word), len(other)) < _SHORT or any(each.isdigit() for each in word + other):
        return False
    swapped = word[0] == other[0] and sorted(word) == sorted(other)
    return swapped or SequenceMatcher(None, word, other, autojunk=False).ratio() >= _TYPO


def _agree(one: str, other: str) -> bool:
    mine, theirs = _words(one), _words(other)
    return mine <= theirs or theirs <= mine


def _is_empty(sample: Sample) -> bool:
    return not sample.question.strip() or not sample.answer.strip()


def _prompt(sample: Sample) -> tuple[str, ...]:
    return tuple(f"{message.role} {_squeeze(message.content)}" for message in sample.messages)


def _squeeze(text: str) -> str:
    return " ".join(text.casefold().split())


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)
