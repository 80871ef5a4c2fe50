"""Scores of replies: those of the SQuAD script, shares in percent, and how well confidence ranks."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

from scipy.stats import rankdata


def normalised(text: str) -> str:
    """Return a text as the SQuAD script compares it: no case, punctuation or articles."""
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def overlap(found: str, wanted: str) -> float:
    """Return the word-overlap F1 of SQuAD 2.0 (Rajpurkar, Jia, Liang 2018), 0 to 1."""
    ours, theirs = normalised(found).split(), normalised(wanted).split()
    if not ours or not theirs:
        return float(ours == theirs)
    common = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs))


def is_exact(reply: str, answers: Sequence[str]) -> bool:
    """Say whether a reply equals one of the accepted answers once both are normalised."""
    return normalised(reply) in {normalised(answer) for answer in answers}


def best_overlap(reply: str, answers: Sequence[str]) -> float:
    """Return the F1 with the accepted answer that fits best."""
    return max(overlap(reply, answer) for answer in answers)


def share(hits: Sequence[float]) -> float:
    """Return the mean in percent, rounded to a tenth; nan where there is nothing."""
    return round(100 * sum(hits) / len(hits), 1) if hits else float("nan")


def read_scores(replies: Sequence[str], answers: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return exact match and F1 in percent, and how many were asked."""
    pairs = list(zip(replies, answers, strict=True))
    return {
        "em": share([is_exact(reply, wanted) for reply, wanted in pairs]),
        "f1": share([best_overlap(reply, wanted) for reply, wanted in pairs]),
        "n": len(pairs),
    }


def auroc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """Return the probability that a right reply ranks above a wrong one, ties counting half (Mann and Whitney 1947)."""
    if not right or not wrong:
        return float("nan")
    ranks = rankdata([*right, *wrong])[: len(right)].sum()
    return float((ranks - len(right) * (len(right) + 1) / 2) / (len(right) * len(wrong)))
