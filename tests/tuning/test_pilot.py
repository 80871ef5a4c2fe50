"""Learning curves: the forecast's interval holds the truth about as often as it says, and sizes for a target follow."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levers.errors import UserError
from levers.tuning.pilot import Point, forecast, needed, pilot

SIZES = (300, 450, 600, 750, 900)


def points(floor: float, scale: float, rate: float, checked: int, seed: int | None) -> list[Point]:
    draw = np.random.default_rng(seed)
    rights = [1 - (floor + scale * size**-rate) for size in SIZES]
    seen = rights if seed is None else [draw.binomial(checked, right) / checked for right in rights]
    return [Point(examples=size, right=float(right), checked=checked) for size, right in zip(SIZES, seen, strict=True)]


def test_an_exact_curve_is_continued() -> None:
    found = forecast(points(0.05, 3.0, 0.5, 10_000, None), 3000)
    assert found.right == pytest.approx(1 - (0.05 + 3.0 * 3000**-0.5), abs=0.01)
    assert found.low < found.right < found.high


def test_the_interval_holds_the_result_of_all_examples_about_as_often_as_it_says() -> None:
    draw, held = np.random.default_rng(5), 0
    for seed in range(60):
        floor, rate = draw.uniform(0, 0.15), draw.uniform(0.3, 0.8)
        scale = draw.uniform(0.1, 0.4) * 300**rate
        found = forecast(points(floor, scale, rate, 1000, seed), 3000, 1000)
        result = draw.binomial(1000, 1 - (floor + scale * 3000**-rate)) / 1000
        held += found.low <= result <= found.high
    assert held >= 54  # of 60; fewer would be less than one in a thousand if the level were 97.5 %


def test_examples_for_a_target() -> None:
    curve = points(0.05, 3.0, 0.5, 10_000, None)
    found = needed(curve, 0.90)
    assert found.examples == pytest.approx(3600, rel=0.1)
    assert found.low is not None and found.low <= (found.examples or 0)
    assert needed(curve, 0.999).examples is None
    assert (needed(curve, 0.5).examples or 0) < 300


def test_parts_are_nested_and_measured_once() -> None:
    seen: list[set[int]] = []

    def learn(places: Sequence[int]) -> float:
        seen.append(set(places))
        return len(places) / 200

    found = pilot(200, 50, learn)
    assert [point.examples for point in found] == [20, 30, 40, 50, 60]
    assert all(small < large for small, large in pairwise(seen))
    assert [point.right for point in found] == [0.1, 0.15, 0.2, 0.25, 0.3]


def test_too_few_pilots_are_refused() -> None:
    with pytest.raises(UserError, match="at least 4"):
        forecast(points(0.1, 1, 0.5, 100, None)[:3], 1000)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=5), st.integers(1, 100_000), st.integers(5, 5000))
def test_any_errors_give_a_share_within_its_interval(rights: list[float], examples: int, checked: int) -> None:
    given_points = [Point(examples=n, right=right, checked=checked) for n, right in zip(SIZES, rights, strict=True)]
    found = forecast(given_points, examples)
    assert 0 <= found.low <= found.high <= 1 and 0 <= found.right <= 1


def test_twice_the_pairs_are_foreseen_for_a_head() -> None:
    pytest.importorskip("sklearn")
    from levers.testing import HashEmbedder
    from levers.tuning.students import Lesson, Pair, foresee

    draw = np.random.default_rng(3)
    words = {label: [f"{label}{at}" for at in range(40)] for label in ("ash", "bee", "cod")}
    pairs = [
        Pair(text=" ".join(draw.choice(words[label], 3)), label=label)
        for _ in range(120)
        for label in ("ash", "bee", "cod")
    ]
    found = foresee(pairs, Lesson(), HashEmbedder(256))
    assert found is not None and found.examples == 648
    assert 0.6 < found.low <= found.right <= found.high <= 1
    assert foresee(pairs[:60], Lesson(), HashEmbedder(256)) is None
