import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.weightstats import ttost_paired

from levers.trial.paired import (
    margin_n,
    margin_of_means,
    margin_of_passes,
    newcombe,
    newcombe_paired,
    tango,
    tango_z,
)
from levers.trial.student import t_cdf, t_quantile

cells = st.tuples(*[st.integers(0, 40)] * 4).filter(any)
levels = st.floats(-0.9, 0.9).map(lambda each: round(each, 3))


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 30, 119, 1000])
def test_students_t_agrees_with_scipy(degrees):
    for t in (-40.0, -2.0, -0.3, 0.0, 1e-6, 1.0, 1.96, 12.0, math.inf):
        assert t_cdf(t, degrees) == pytest.approx(stats.t.cdf(t, degrees), abs=1e-10)
    for level in (0.001, 0.05, 0.3, 0.5, 0.95, 0.975, 0.9999):
        assert t_quantile(level, degrees) == pytest.approx(stats.t.ppf(level, degrees), rel=1e-9, abs=1e-9)


def test_t_refuses_what_it_cannot_mean():
    for call in (lambda: t_cdf(1, 0), lambda: t_quantile(1, 5)):
        with pytest.raises(ValueError, match=r"degrees|level"):
            call()


@given(*[st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))] * 2)
def test_newcombe_agrees_with_statsmodels(before, after):
    expected = confint_proportions_2indep(*after, *before, method="newcomb", compare="diff")
    found = newcombe((before[0], after[0]), (before[1], after[1]))
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


def test_paired_intervals_of_a_published_table():
    # Airway responses of 21 children before and after a transplant (Bentur 2009), as worked out by Fagerland 2014.
    assert (newcombe_paired(1, 1, 7, 12).low, newcombe_paired(1, 1, 7, 12).high) == pytest.approx(
        (-0.507, -0.026), abs=5e-4
    )
    assert (tango(1, 7, 21).low, tango(1, 7, 21).high) == pytest.approx((-0.517, -0.026), abs=5e-4)


@given(cells)
def test_paired_intervals_hold_the_difference_and_turn_with_it(table):
    both, gained, lost, neither = table
    n = sum(table)
    for there, back in (
        (newcombe_paired(*table), newcombe_paired(both, lost, gained, neither)),
        (tango(gained, lost, n), tango(lost, gained, n)),
    ):
        assert -1 <= there.low <= (gained - lost) / n + 1e-9 and (gained - lost) / n - 1e-9 <= there.high <= 1
        assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)


def test_no_change_among_few_cases_is_no_certainty():
    few, many = newcombe_paired(5, 0, 0, 4), newcombe_paired(500, 0, 0, 400)
    assert few.high > 0.15 and many.high < 0.05
    for broken in ((0, 0, 0, 0), (1, -1, 0, 0)):
        with pytest.raises(ValueError, match="no counts"):
            newcombe_paired(*broken)
    with pytest.raises(ValueError, match="both sides"):
        newcombe((0, 1), (0, 2))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 60), levels)
def test_tangos_share_is_the_most_likely_one(gained, lost, rest, difference):
    """The closed form against a numerical search for the restricted maximum of the likelihood."""
    n = gained + lost + rest

    def against(share):
        cells = np.array([share + difference, share, 1 - 2 * share - difference])
        if (cells < 0).any():
            return math.inf
        counts = np.array([gained, lost, rest])
        return -float((counts[counts > 0] * np.log(np.maximum(cells[counts > 0], 1e-300))).sum())

    low, high = max(0.0, -difference), (1 - difference) / 2
    best = optimize.minimize_scalar(against, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = n * (2 * best + difference - difference**2)
    if variance < 1e-3:
        return
    expected = (gained - lost - n * difference) / math.sqrt(variance)
    assert tango_z(gained, lost, n, difference) == pytest.approx(expected, rel=2e-3, abs=2e-3)


def test_tango_at_no_difference_is_mcnemars_statistic():
    assert tango_z(18, 7, 60, 0.0) == pytest.approx((18 - 7) / math.sqrt(25))
    assert tango_z(0, 0, 60, 0.0) == 0
    for broken in ((1, 0, 0, 0.1), (3, 3, 5, 0.1), (1, 1, 5, 1.0)):
        with pytest.raises(ValueError, match="cannot be set"):
            tango_z(*broken)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1, 1).map(lambda each: round(each, 2)), min_size=3, max_size=40), st.floats(0.01, 0.5))
def test_equivalence_of_means_agrees_with_statsmodels(values, margin):
    if np.std(values) < 1e-3:
        return
    p_value, (_, p_low, _), (_, p_high, _) = ttost_paired(np.array(values), np.zeros(len(values)), -margin, margin)
    found = margin_of_means(values, margin)
    assert (found.p_worse, found.p_better) == (pytest.approx(p_low, abs=1e-9), pytest.approx(p_high, abs=1e-9))
    assert found.equivalent == (p_value < 0.05)
    assert found.equivalent == (-margin < found.interval.low and found.interval.high < margin)


def test_margins_by_example():
    same = margin_of_passes(3, 3, 200, 0.05)
    assert same.not_worse and same.equivalent and same.difference == 0
    worse = margin_of_passes(1, 14, 200, 0.05)
    assert not worse.not_worse and not worse.equivalent
    better = margin_of_passes(30, 2, 200, 0.05)
    assert better.not_worse and not better.equivalent
    unsure = margin_of_passes(2, 2, 20, 0.05)
    assert not unsure.not_worse and unsure.required_cases > 20
    for margin in (0, 1, -0.1):
        with pytest.raises(ValueError, match="margin"):
            margin_of_passes(1, 1, 10, margin)


def test_nothing_changed_shows_equivalence_only_with_enough_cases():
    assert margin_of_means([0.0] * 58, 0.05).p_worse == pytest.approx(0.95**58)
    assert not margin_of_means([0.0] * 58, 0.05).equivalent
    assert margin_of_means([0.0] * 59, 0.05).equivalent  # the rule of three: 0.95⁵⁹ < 0.05
    assert margin_n(0.05, 0.0) == 59
    assert margin_of_means([-0.5] * 59, 0.05).p_worse == 1
    with pytest.raises(ValueError, match="finite"):
        margin_of_means([], 0.1)


def test_the_margins_sample_size_has_80_percent_power():
    generator = np.random.default_rng(4)
    n = margin_n(0.1, 0.2)
    drawn = generator.multinomial(n, [0.1, 0.1, 0.8], size=2000)
    shown = np.mean([margin_of_passes(int(g), int(lost), n, 0.1).p_worse < 0.05 for g, lost, _ in drawn])
    assert 0.75 < shown < 0.87


@pytest.mark.parametrize(("n", "table"), [(60, (0.4, 0.2, 0.1, 0.3)), (119, (0.3, 0.15, 0.05, 0.5))])
def test_paired_intervals_cover_about_95_percent(n, table):
    truth, known = table[1] - table[2], {}
    drawn = np.random.default_rng(11).multinomial(n, table, size=4000)
    for row in map(tuple, drawn.tolist()):
        if row not in known:
            score = tango(row[1], row[2], n)
            known[row] = (newcombe_paired(*row), score)
    for which in (0, 1):
        held = [known[tuple(row)][which] for row in drawn.tolist()]
        assert 0.935 <= np.mean([each.low <= truth <= each.high for each in held]) <= 0.97
