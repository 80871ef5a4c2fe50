"""Student's t distribution for whole degrees of freedom, in closed form: no library has to be loaded for two numbers.

P(|T| ≤ t) as a finite sum in cos² θ, θ = arctan(t/√n), n the degrees (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).
"""

import math
from statistics import NormalDist

_STEPS = 60


def t_cdf(t: float, degrees: int) -> float:
    """P(T ≤ t) for `degrees` ≥ 1 of freedom. Raises ValueError for fewer."""
    if degrees < 1:
        raise ValueError(f"{degrees} degrees of freedom")
    inside = _between(abs(t), degrees)
    return 0.5 + math.copysign(inside / 2, t)


def t_quantile(level: float, degrees: int) -> float:
    """Return t with P(T ≤ t) = level, 0 < level < 1, to about 1e-12."""
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not at {level}")
    if level < 0.5:
        return -t_quantile(1 - level, degrees)
    low, high = 0.0, max(1.0, NormalDist().inv_cdf(level))
    while t_cdf(high, degrees) < level:
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, degrees) < level else (low, middle)
    return (low + high) / 2


def _between(t: float, degrees: int) -> float:
    """P(|T| ≤ t)."""
    if math.isinf(t):
        return 1.0
    theta = math.atan(t / math.sqrt(degrees))
    sine, cosine2 = math.sin(theta), math.cos(theta) ** 2
    odd = degrees % 2
    term = total = (math.cos(theta) if odd else 1.0) if degrees > 1 else 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= cosine2 * (k - 1) / k
        total += term
        if term < 1e-18 * total:
            break
    return 2 / math.pi * (theta + sine * total) if odd else sine * total
