"""Pilots: train on growing parts of the examples, and forecast from what they reach what more examples would bring.

Errors are taken to fall as a power of the number of examples towards a floor, error(n) = floor + scale n^-rate, the
shape found for many tasks and models (Hestness et al. 2017; Cortes et al. 1993). The interval comes from drawing the
measured errors anew within what so few checked answers can tell, and fitting again.
"""

import random
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from levers.errors import Problem, UserError
from levers.ledger import Record

SHARES = (0.1, 0.15, 0.2, 0.25, 0.3)
DRAWS = 400
_RATES = np.linspace(0.1, 1.5, 29)
LEAST_POINTS = 4
_MISFIT = 0.005  # share of answers by which a real curve strays from the form
_FURTHEST = 100  # times the examples of the largest pilot; what lies beyond is not forecast

Floats = NDArray[np.float64]


class Point(Record):
    """A pilot: how many examples it was trained on, and the share of `checked` held-out answers it gets right."""

    examples: int
    right: float
    checked: int


class Forecast(Record):
    """The share right that so many examples would reach on `checked` new answers, with a 95 % interval."""

    examples: int
    right: float
    low: float
    high: float


class Needed(Record):
    """How many examples would reach a target, with a 95 % interval; None: not within 100 times what was tried."""

    target: float
    examples: int | None
    low: int | None
    high: int | None


class Piloted(Record):
    """What pilots of a tuning measured: `untuned` is the share right before any, `examples` how many there are in all.

    `stack` is what was tuned, `how` names the method, `target` the share that is wanted, None where none is.
    """

    stack: str
    how: str
    examples: int
    untuned: float
    points: tuple[Point, ...]
    target: float | None = None

    @property
    def whole(self) -> Forecast:
        """What all examples would reach."""
        return forecast(self.points, self.examples)

    @property
    def twice(self) -> Forecast:
        """What twice as many would reach."""
        return forecast(self.points, 2 * self.examples)

    def needed(self, share: float) -> Needed:
        """How many would reach a share."""
        return needed(self.points, share)

    @property
    def furthest(self) -> int:
        """The number of examples beyond which nothing is forecast."""
        return max(point.examples for point in self.points) * _FURTHEST


def pilot(
    count: int, checked: int, learn: Callable[[Sequence[int]], float], shares: Sequence[float] = SHARES, seed: int = 0
) -> tuple[Point, ...]:
    """Train on nested parts of `count` examples; `learn` gets their places and returns the share it gets right.

    Args:
        count: how many examples there are.
        checked: on how many held-out answers `learn` measures.
        learn: trains and measures.
        shares: the parts, each of which holds the one before.
        seed: decides the order.
    """
    order = list(range(count))
    random.Random(f"pilot/{seed}").shuffle(order)
    sizes = sorted({max(1, round(share * count)) for share in shares})
    return tuple(Point(examples=size, right=learn(order[:size]), checked=checked) for size in sizes)


def forecast(points: Sequence[Point], examples: int, checked: int | None = None, seed: int = 0) -> Forecast:
    """Forecast what `examples` examples reach, as measured on `checked` answers (None: as many as the pilots').

    Raises:
        UserError: there are fewer than four pilots.
    """
    curves = _draw(points, seed)
    errors = _errors(curves, examples)
    size = checked or min(point.checked for point in points)
    noise = np.random.default_rng([seed, examples]).normal(size=len(errors))
    seen = errors + noise * np.sqrt(_spread(errors, size) + _MISFIT**2)
    low, high = np.quantile(np.clip(seen, 0, 1), [0.025, 0.975])
    middle = float(_errors(_fit(_sizes(points), _wrong(points)[None], _weights(points)), examples)[0])
    return Forecast(examples=examples, right=1 - middle, low=1 - float(high), high=1 - float(low))


def needed(points: Sequence[Point], target: float, seed: int = 0) -> Needed:
    """Forecast how many examples reach a target share.

    Raises:
        UserError: there are fewer than four pilots.
    """
    most = max(point.examples for point in points) * _FURTHEST
    middle = _reach(_fit(_sizes(points), _wrong(points)[None], _weights(points)), target)[0]
    drawn = np.sort(_reach(_draw(points, seed), target))
    low, high = drawn[int(0.025 * len(drawn))], drawn[int(0.975 * (len(drawn) - 1))]
    counts = [None if not value <= most else max(1, int(np.ceil(value))) for value in (middle, low, high)]
    return Needed(target=target, examples=counts[0], low=counts[1], high=counts[2])


def _draw(points: Sequence[Point], seed: int) -> Floats:
    """Return curves [draws, 3] (floor, scale, rate) fitted to the errors drawn anew."""
    if len({point.examples for point in points}) < LEAST_POINTS:
        found = f"{len(points)} pilots"
        raise UserError(Problem(file="pilot", found=found, expected=f"at least {LEAST_POINTS} of different sizes"))
    wrong = _wrong(points)
    noise = np.random.default_rng(seed).normal(size=(DRAWS, len(points))) / np.sqrt(_weights(points))
    return _fit(_sizes(points), np.clip(wrong + noise, 0, 1), _weights(points))


def _fit(sizes: Floats, wrong: Floats, weights: Floats) -> Floats:
    """Fit each row of errors [draws, points]: least squares in floor and scale, none below 0, the best of all rates."""
    best, least = np.zeros((len(wrong), 3)), np.full(len(wrong), np.inf)
    for rate in _RATES:
        shape = sizes**-rate
        for floor, scale in _lines(shape, wrong, weights):
            missed = ((floor[:, None] + scale[:, None] * shape - wrong) ** 2 * weights).sum(-1)
            better = missed < least - 1e-12
            least[better] = missed[better]
            best[better] = np.stack([floor, scale, np.full(len(wrong), rate)], -1)[better]
    return best


def _lines(shape: Floats, wrong: Floats, weights: Floats) -> list[tuple[Floats, Floats]]:
    """Return the candidates for floor and scale: the weighted line where it is not below 0, and both its edges."""
    total = weights.sum()
    middle, mean = (weights * shape).sum() / total, (wrong * weights).sum(-1) / total
    slope = ((wrong - mean[:, None]) * (shape - middle) * weights).sum(-1) / (weights * (shape - middle) ** 2).sum()
    slope = np.maximum(slope, 0)
    through = np.maximum((wrong * shape * weights).sum(-1) / (weights * shape**2).sum(), 0)
    flat = mean - slope * middle
    zero = np.zeros(len(wrong))
    return [(np.where(flat >= 0, flat, 0), np.where(flat >= 0, slope, through)), (mean, zero)]


def _errors(curves: Floats, examples: float) -> Floats:
    return np.clip(curves[:, 0] + curves[:, 1] * float(examples) ** -curves[:, 2], 0, 1)


def _reach(curves: Floats, target: float) -> Floats:
    """Return how many examples each curve needs for a target; infinity where its floor lies above."""
    room = (1 - target) - curves[:, 0]
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        found = (curves[:, 1] / np.maximum(room, 0)) ** (1 / curves[:, 2])
    return np.where(room > 0, found, np.inf)


def _sizes(points: Sequence[Point]) -> Floats:
    return np.array([point.examples for point in points], dtype=float)


def _wrong(points: Sequence[Point]) -> Floats:
    return np.array([1 - point.right for point in points])


def _weights(points: Sequence[Point]) -> Floats:
    """Return one over the variance of each measured error."""
    checked = np.array([point.checked for point in points], dtype=float)
    return np.asarray(1 / (_spread(_wrong(points), checked) + _MISFIT**2))


def _spread(error: Floats, checked: Floats | float) -> Floats:
    """Return the variance of a measured share, as if two more answers of each kind had been seen (Agresti-Coull)."""
    share = (error * checked + 2) / (checked + 4)
    return np.asarray(share * (1 - share) / (checked + 4))
