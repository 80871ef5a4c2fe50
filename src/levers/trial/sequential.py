"""Stop as soon as it is clear, and stay valid: p-values and intervals that hold at every look, however many there are.

An ordinary p-value looked at after every batch finds a "significant" difference sooner or later, also where there is
none. These are built on test martingales: under the null their value grows beyond 20 with a chance of at most 1 in 20
over the whole run (Ville 1939), so a run may stop at any look. Cases must come in random order.
"""

import math
from collections.abc import Callable, Iterable, Iterator

from levers.trial.records import Interval
from levers.trial.statistics import ALPHA

_BET = 0.5  # never stake more than half: one case cannot take everything
_HALVINGS = 60


def passes_anytime(changes: Iterable[int]) -> Iterator[float]:
    """Yield after every case the p-value of "as many gains as losses", valid at all looks at once.

    `changes` are +1 gained, -1 lost, 0 unchanged, in the order of asking. The martingale is the likelihood of the gains
    under a Beta(½, ½) mixture over that under one half (Robbins 1970); the p-value is the smallest 1/martingale so far.
    """
    gained = lost = 0
    smallest = 1.0
    for change in changes:
        gained, lost = gained + (change > 0), lost + (change < 0)
        smallest = min(smallest, math.exp(-_evidence(gained, lost)))
        yield smallest


def _evidence(gained: int, lost: int) -> float:
    mixed = _log_beta(gained + 0.5, lost + 0.5) - _log_beta(0.5, 0.5)
    return mixed + (gained + lost) * math.log(2)


def means_anytime(differences: Iterable[float]) -> Iterator[float]:
    """Yield after every case the p-value of "no mean difference", valid at all looks; differences lie in [-1, 1].

    The mean of two gamblers' capital, one betting on a gain and one on a loss; each stakes before it sees a case, by
    the mean and variance of what came before (Waudby-Smith and Ramdas 2024). Raises ValueError outside [-1, 1].
    """
    up = down = smallest = 1.0
    total, squares, seen = 0.0, 1.0, 1
    for value in differences:
        if not -1 <= value <= 1:
            raise ValueError(f"a difference of credits lies between -1 and 1, not at {value}")
        mean, square = total / seen, squares / seen
        stake = min(_BET, abs(mean) / square)
        up *= 1 + (stake if mean > 0 else 0.0) * value
        down *= 1 - (stake if mean < 0 else 0.0) * value
        total, squares, seen = total + value, squares + value * value, seen + 1
        smallest = min(smallest, 2 / (up + down))
        yield smallest


def share_anytime(successes: int, n: int) -> Interval:
    """95 % interval of a share that may be looked at after every case (Robbins 1970, Beta(½, ½) mixture).

    All looks' intervals hold the true share at once with 95 %; the price is that it is wider than Wilson's.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    failures = n - successes
    bound = _log_beta(successes + 0.5, failures + 0.5) - _log_beta(0.5, 0.5) + math.log(ALPHA)

    def likely(share: float) -> bool:
        return successes * math.log(share) + failures * math.log1p(-share) >= bound

    best = (successes + 0.5) / (n + 1)
    return Interval(
        low=0.0 if successes == 0 else _edge(likely, best, 0.0),
        high=1.0 if failures == 0 else _edge(likely, best, 1.0),
    )


def _edge(likely: Callable[[float], bool], inside: float, outside: float) -> float:
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if likely(middle) else (inside, middle)
    return outside


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
