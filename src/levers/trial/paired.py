"""Intervals and margin tests for paired shares and means: Newcombe, Tango, non-inferiority and equivalence.

A margin test turns the usual question round. For a cheaper stack (distilled, cached, routed) nobody asks whether it is
better, but whether it is not worse by more than a margin; and "no significant difference" does not show that.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from levers.trial.records import Interval, Margin
from levers.trial.statistics import ALPHA, NORMAL, POWER, wilson
from levers.trial.student import t_cdf, t_quantile

_Z_ONE_SIDED = NORMAL.inv_cdf(1 - ALPHA)
_HALVINGS = 60  # of an interval of length 2: far under 1e-12


def newcombe(successes: tuple[int, int], trials: tuple[int, int]) -> Interval:
    """95 % interval of the difference of two independent shares, second minus first (Newcombe 1998a, method 10).

    Raises ValueError unless 0 ≤ successes ≤ trials and both have trials.
    """
    if min(trials) < 1:
        raise ValueError("an interval of a difference needs trials on both sides")
    (p1, w1), (p2, w2) = ((s / n, wilson(s, n)) for s, n in zip(successes, trials, strict=True))
    low = math.hypot(p2 - w2.low, w1.high - p1)
    return Interval(low=p2 - p1 - low, high=p2 - p1 + math.hypot(w2.high - p2, p1 - w1.low))


def newcombe_paired(both: int, gained: int, lost: int, neither: int) -> Interval:
    """95 % interval of a paired difference of shares, after minus before (Newcombe 1998b, method 10).

    Wilson intervals of the two shares, squared and added with their correlation. Unlike the bootstrap it stays honest
    where nothing or almost nothing changed. Raises ValueError for negative counts or none.
    """
    n = both + gained + lost + neither
    if min(both, gained, lost, neither) < 0 or n == 0:
        raise ValueError(f"{both}, {gained}, {lost} and {neither} are no counts of at least one case")
    after, before = (both + gained) / n, (both + lost) / n
    new, old = wilson(both + gained, n), wilson(both + lost, n)
    correlation = _correlation(both, gained, lost, neither)
    difference = (gained - lost) / n
    low = _added(after - new.low, old.high - before, correlation)
    high = _added(new.high - after, before - old.low, correlation)
    return Interval(low=max(-1.0, difference - low), high=min(1.0, difference + high))


def _correlation(both: int, gained: int, lost: int, neither: int) -> float:
    """Phi coefficient of the table, corrected towards 0 for continuity when it is positive."""
    margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    if margins == 0:
        return 0.0
    product = float(both * neither - gained * lost)
    if product > 0:
        product = max(0.0, product - (both + gained + lost + neither) / 2)
    return product / math.sqrt(margins)


def _added(left: float, right: float, correlation: float) -> float:
    return math.sqrt(max(0.0, left * left - 2 * correlation * left * right + right * right))


def tango_z(gained: float, lost: float, n: float, difference: float) -> float:
    """Tango's score statistic (1998) for a paired difference of shares against a supposed one, standard normal.

    Positive when the observed difference lies above `difference`, which must lie strictly between -1 and 1. Cases that
    count for less than one each need not come in whole numbers.
    """
    if not -1 < difference < 1 or n < 1 or min(gained, lost) < 0 or gained + lost > n + 1e-9:
        raise ValueError(f"{gained} gained and {lost} lost of {n} cannot be set against {difference}")
    # The share lost, most likely under the supposed difference: the positive root of a·q² + b·q + c.
    a, b = 2.0 * n, (2 * n - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * share + difference * (1 - difference))
    distance = gained - lost - n * difference
    if variance <= 1e-15:
        return 0.0 if abs(distance) < 1e-12 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def tango(gained: float, lost: float, n: float, level: float = 1 - ALPHA) -> Interval:
    """Score interval of a paired difference of shares (Tango 1998), by inverting his test."""
    z = NORMAL.inv_cdf((1 + level) / 2)
    observed = (gained - lost) / n
    low = _root(lambda at: tango_z(gained, lost, n, at) - z, -1.0, observed)
    high = _root(lambda at: tango_z(gained, lost, n, at) + z, observed, 1.0)
    return Interval(low=low, high=high)


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Find where a falling function crosses 0, by halving; the ends themselves are never evaluated."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def margin_of_passes(gained: int, lost: int, n: int, margin: float) -> Margin:
    """Test whether a paired difference of shares stays within a margin: Tango's score test on either side.

    `margin` is the largest loss that does not matter, as a share, above 0 and under 1.
    """
    _check(margin)
    return Margin(
        measure="pass",
        cases=n,
        margin=margin,
        difference=(gained - lost) / n,
        interval=tango(gained, lost, n, 1 - 2 * ALPHA),
        p_worse=1 - NORMAL.cdf(tango_z(gained, lost, n, -margin)),
        p_better=NORMAL.cdf(tango_z(gained, lost, n, margin)),
        required_cases=margin_n(margin, (gained + lost) / n),
    )


def margin_of_means(differences: Sequence[float], margin: float) -> Margin:
    """Test whether a mean paired difference stays within a margin: one-sided t tests on either side (Schuirmann 1987).

    When no case differs from another, t has no spread to go by: then the rule of three decides, p = (1 - margin)ⁿ.
    Raises ValueError without cases.
    """
    _check(margin)
    values = np.asarray(differences, dtype=np.float64)
    if not values.size or not np.isfinite(values).all():
        raise ValueError("differences must be finite, and at least one")
    n, mean = len(values), float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    p_worse, p_better, interval = one_sided(mean, error, n, margin)
    return Margin(
        measure="score",
        cases=n,
        margin=margin,
        difference=mean,
        interval=interval,
        p_worse=p_worse,
        p_better=p_better,
        required_cases=margin_n(margin, float((values**2).mean())),
    )


def one_sided(mean: float, error: float, n: int, margin: float) -> tuple[float, float, Interval]:
    """Return the p-values against worse and against better by the margin, and the 90 % interval: t of n - 1 degrees.

    `n` is how many independent values the mean's error rests on; without an error the rule of three decides.
    """
    if error < 1e-12:
        unseen, half = (1 - margin) ** n, 1 - ALPHA ** (1 / n)
        p_worse, p_better = (unseen if mean > -margin else 1.0), (unseen if mean < margin else 1.0)
    else:
        half = t_quantile(1 - ALPHA, n - 1) * error
        p_worse = 1 - t_cdf((mean + margin) / error, n - 1)
        p_better = t_cdf((mean - margin) / error, n - 1)
    return p_worse, p_better, Interval(low=mean - half, high=mean + half)


def margin_n(margin: float, changing: float) -> int:
    """Cases needed to show with 80 % power at 5 %, one-sided, that two equally good stacks lie within a margin.

    n = (1.64 + 0.84)² · ψ / margin², ψ the share of cases that change (for means, the mean squared difference).
    Never fewer than it takes when nothing changes at all: log 0.05 / log (1 - margin).
    """
    _check(margin)
    shown = (_Z_ONE_SIDED + NORMAL.inv_cdf(POWER)) ** 2 * changing / margin**2
    return math.ceil(max(shown, math.log(ALPHA) / math.log(1 - margin)) - 1e-9)


def _check(margin: float) -> None:
    if not 0 < margin < 1:
        raise ValueError(f"a margin lies above 0 and under 1, not at {margin}")
