"""Precision, recall and F1 per need, and their mean with an interval."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from levers.trial import Interval

Named = Mapping[str, frozenset[str]]
_RESAMPLES = 500


@dataclass(frozen=True)
class Scores:
    """F1 by need, their mean over the needs that were planted, its bootstrap interval over cases, and the share of
    cases with a planted cause that were left unexplained."""

    precision: dict[str, float]
    recall: dict[str, float]
    f1: dict[str, float]
    macro: float
    interval: Interval
    unexplained: float


def score(truth: Named, named: Named, seed: int = 0) -> Scores:
    """Set what was named against what was planted. Needs are a set per case; each counts by itself."""
    needs = sorted({need for planted in truth.values() for need in planted})
    cases = list(truth)
    wanted = np.array([[need in truth[case] for need in needs] for case in cases])
    found = np.array([[need in named.get(case, frozenset()) for need in needs] for case in cases])
    precision, recall, f1 = _rates(wanted, found)
    generator = np.random.default_rng(seed)
    drawn = [generator.integers(0, len(cases), len(cases)) for _ in range(_RESAMPLES)]
    means = [float(_rates(wanted[rows], found[rows])[2].mean()) for rows in drawn]
    failing = [case for case in cases if truth[case]]
    lost = sum("unexplained" in named.get(case, frozenset()) for case in failing)
    return Scores(
        precision=dict(zip(needs, precision.tolist(), strict=True)),
        recall=dict(zip(needs, recall.tolist(), strict=True)),
        f1=dict(zip(needs, f1.tolist(), strict=True)),
        macro=float(f1.mean()),
        interval=Interval(low=float(np.quantile(means, 0.025)), high=float(np.quantile(means, 0.975))),
        unexplained=lost / len(failing) if failing else 0.0,
    )


def _rates(wanted: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision, recall and F1 by column; a need that is neither planted nor named scores 1."""
    right = (wanted & found).sum(axis=0)
    precision = np.where(found.sum(axis=0), right / np.maximum(found.sum(axis=0), 1), (wanted.sum(axis=0) == 0) * 1.0)
    recall = np.where(wanted.sum(axis=0), right / np.maximum(wanted.sum(axis=0), 1), 1.0)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return precision, recall, f1
