"""What makes a result count: intervals, paired tests and the difference a set of cases can show. Pure functions."""

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from levers.trial.records import Interval

ALPHA = 0.05
"""Two-sided error of the first kind, everywhere in levers."""
POWER = 0.8
_RESAMPLES = 10_000
_EXACT_SIGNS = 12
_LEAST_DISCORDANT = 6  # with fewer, exact McNemar's p cannot fall under 5 %: 2 · 0.5⁵ = 0.0625
_CELLS = 4_000_000  # numbers held at once while resampling: 32 MB
NORMAL = NormalDist()
_Z_ALPHA = NORMAL.inv_cdf(1 - ALPHA / 2)
Z_POWER = NORMAL.inv_cdf(POWER)


def wilson(successes: int, n: int) -> Interval:
    """95 % interval of a share (Wilson 1927); with no trials, everything from 0 to 1.

    Raises ValueError unless 0 ≤ successes ≤ n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    return wilson_of(successes / n, n) if n else Interval(low=0.0, high=1.0)


def wilson_of(share: float, n: float, quantile: float = _Z_ALPHA) -> Interval:
    """Wilson's interval of a share of `n` cases, which need be no whole number, at a two-sided quantile."""
    z2 = quantile**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = quantile * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # The bounds at the ends are exact; arithmetic would leave 1e-17 instead of 0.
    low = 0.0 if share == 0 else max(0.0, middle - half)
    high = 1.0 if share == 1 else min(1.0, middle + half)
    return Interval(low=low, high=high)


def mcnemar_exact(gained: int, lost: int) -> float:
    """Two-sided p-value of exact McNemar's test (1947) on the cases that changed: is a gain as likely as a loss?"""
    if gained < 0 or lost < 0:
        raise ValueError(f"{gained} gained and {lost} lost")
    changed = gained + lost
    tail = sum(math.comb(changed, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / (1 << changed))


def paired_bootstrap(differences: Sequence[float], seed: int = 0) -> Interval:
    """95 % interval of the mean difference per case: BCa bootstrap (Efron 1987), 10,000 resamples.

    When every case has the same difference the interval is that point: resampling cannot see what was never observed.
    Raises ValueError without cases.
    """
    values = _array(differences)
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) == 1:
        return Interval(low=float(distinct[0]), high=float(distinct[0]))
    means = np.sort(np.concatenate(list(_resampled_means(distinct, counts, seed))))
    mean = float(values.mean())
    below = (np.searchsorted(means, mean - 1e-12) + np.searchsorted(means, mean + 1e-12)) / (2 * len(means))
    bias = NORMAL.inv_cdf(min(max(below, 0.5 / _RESAMPLES), 1 - 0.5 / _RESAMPLES))
    centred = values - mean
    acceleration = float((centred**3).sum() / (6 * (centred**2).sum() ** 1.5))
    low, high = (float(np.quantile(means, _bca_level(z, bias, acceleration))) for z in (-_Z_ALPHA, _Z_ALPHA))
    return Interval(low=low, high=high)


def _resampled_means(
    distinct: NDArray[np.float64], counts: NDArray[np.int64], seed: int
) -> Iterator[NDArray[np.float64]]:
    """Draw how often each distinct value comes up, which is the same as drawing cases and much cheaper."""
    generator, n = np.random.default_rng(seed), int(counts.sum())
    step = max(1, _CELLS // len(distinct))
    for start in range(0, _RESAMPLES, step):
        drawn = generator.multinomial(n, counts / n, size=min(step, _RESAMPLES - start))
        yield drawn @ distinct / n


def _bca_level(z: float, bias: float, acceleration: float) -> float:
    return NORMAL.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))


def permutation_p(differences: Sequence[float], seed: int = 0) -> float:
    """Two-sided p-value of the paired sign-flip permutation test on the mean difference.

    Exact up to 12 cases with a difference, else 10,000 random sign patterns with the observed one counted in
    (Phipson and Smyth 2010). Raises ValueError without cases.
    """
    values = np.abs(_array(differences))
    observed = abs(float(_array(differences).sum()))
    values = values[values > 0]
    if not len(values):
        return 1.0
    # Sums in another order differ in the last digits; equal ones must count as equal.
    bound = observed - 1e-9 * float(values.sum())
    if len(values) <= _EXACT_SIGNS:
        patterns = (np.arange(1 << len(values))[:, None] >> np.arange(len(values))) & 1
        return float((np.abs((2.0 * patterns - 1) @ values) >= bound).mean())
    generator, reached = np.random.default_rng(seed), 0
    step = max(1, _CELLS // len(values))
    for start in range(0, _RESAMPLES, step):
        size = (min(step, _RESAMPLES - start), len(values))
        signs = 2.0 * generator.integers(0, 2, size=size, dtype=np.int8) - 1
        reached += int((np.abs(signs @ values) >= bound).sum())
    return (reached + 1) / (_RESAMPLES + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of several tries (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda each: p_values[each])
    adjusted, reached = [0.0] * len(p_values), 0.0
    for rank, each in enumerate(order):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[each]))
        adjusted[each] = reached
    return adjusted


def required_n(difference: float, discordant: float = 0.3) -> int:
    """Cases needed to show a paired difference of shares with 80 % power at 5 % (Connor 1987).

    n = (1.96 √ψ + 0.84 √(ψ - δ²))² / δ² + 1/δ, δ the difference, ψ the share of cases that change (never under δ).
    The formula is for the normal approximation; exact McNemar's test is stricter, so 1/δ is added, as continuity
    corrections do (power then comes out at 0.79 to 0.88 for 10 to 160 cases), and at least 6 cases must change.
    Raises ValueError unless 0 < difference ≤ 1.
    """
    if not 0 < difference <= 1:
        raise ValueError(f"a difference of shares lies above 0 and up to 1, not at {difference}")
    return math.ceil(_connor(difference, discordant) - 1e-9)


def detectable_difference(n: int, discordant: float = 0.3) -> float:
    """Smallest paired difference of shares that n cases could show with 80 % power at 5 %: `required_n` turned round.

    `discordant` is the share of cases that change; 0.3 is an assumption for planning, before anything was measured.
    1.0 with fewer than six cases means: not even a change of every case.
    """
    if n < _LEAST_DISCORDANT:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if middle > 0 and _connor(middle, discordant) <= n else (middle, high)
    return high


def _connor(difference: float, discordant: float) -> float:
    share = min(1.0, max(discordant, difference))
    root = _Z_ALPHA * math.sqrt(share) + Z_POWER * math.sqrt(max(0.0, share - difference**2))
    return max((root / difference) ** 2 + 1 / difference, _LEAST_DISCORDANT / share)


def detectable_mean(differences: Sequence[float]) -> float:
    """Smallest mean paired difference that cases spread like these could show with 80 % power at 5 %, at most 1.

    (1.96 + 0.84) · s / √n, s the standard deviation of the differences. Where it is 0, the bound for shares.
    """
    values = _array(differences)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if len(values) < _LEAST_DISCORDANT or spread == 0:
        return detectable_difference(len(values), 0.0)
    return min(1.0, (_Z_ALPHA + Z_POWER) * spread / math.sqrt(len(values)))


def _array(differences: Sequence[float]) -> NDArray[np.float64]:
    values = np.asarray(differences, dtype=np.float64)
    if not values.size or not np.isfinite(values).all():
        raise ValueError("differences must be finite, and at least one")
    return values
