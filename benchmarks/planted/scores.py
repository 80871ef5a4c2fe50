"""Precision, recall and F1 per need, and their mean with an interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from levers.trial import Interval

Named = Mapping[str, frozenset[str]]
MODEL = frozenset({"capability", "consistency", "reasoning", "unexplained"})  # needs that blame the model
_RESAMPLES = 500


@dataclass(frozen=True)
class Scores:
    """F1 by need, their mean over the needs that were planted, its bootstrap interval over cases, the share of cases
    with a planted cause that were left unexplained, and the cases with a wrong golden answer that blame the model."""

    precision: dict[str, float]
    recall: dict[str, float]
    f1: dict[str, float]
    macro: float
    interval: Interval
    unexplained: float
    blamed: int

    @property
    def worst(self) -> str:
        """The need with the lowest F1."""
        return min(self.f1, key=lambda need: self.f1[need])


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
        blamed=sum("label" in truth[case] and bool(named.get(case, frozenset()) & MODEL) for case in cases),
    )


def table(truth: Named, named: Named, scores: Scores) -> str:
    """Set out per need what was planted and named, and the confusion: a row for the planted, a column for the named."""
    needs = list(scores.f1)
    extra = sorted({need for found in named.values() for need in found} - set(needs))
    counts = confusion(truth, named, [*needs, *extra])
    head = "| planted | cases | precision | recall | F1 | " + " | ".join([*needs, *extra]) + " |"
    lines = [head, "|---" * (5 + len(needs) + len(extra)) + "|"]
    for need in needs:
        cases = sum(need in planted for planted in truth.values())
        rates = f"{scores.precision[need]:.2f} | {scores.recall[need]:.2f} | {scores.f1[need]:.2f}"
        lines.append(
            f"| {need} | {cases} | {rates} | " + " | ".join(str(n or "") for n in counts[need].values()) + " |"
        )
    return "\n".join(lines)


def confusion(truth: Named, named: Named, needs: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count, for each planted need, which needs were named on its cases; a second planted one is no confusion."""
    return {
        need: {
            other: sum(
                other in named.get(case, frozenset()) and (other == need or other not in planted)
                for case, planted in truth.items()
                if need in planted
            )
            for other in needs
        }
        for need in needs
        if any(need in planted for planted in truth.values())
    }


def _rates(wanted: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision, recall and F1 by column; a need that is neither planted nor named scores 1."""
    right = (wanted & found).sum(axis=0)
    precision = np.where(found.sum(axis=0), right / np.maximum(found.sum(axis=0), 1), (wanted.sum(axis=0) == 0) * 1.0)
    recall = np.where(wanted.sum(axis=0), right / np.maximum(wanted.sum(axis=0), 1), 1.0)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return precision, recall, f1
