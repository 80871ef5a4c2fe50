import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from levers.trial import (
    detectable_difference,
    holm,
    mcnemar_exact,
    paired_bootstrap,
    permutation_p,
    required_n,
    wilson,
)
from levers.trial.statistics import detectable_mean

counts = st.integers(0, 300)
differences = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=1, max_size=60)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_statsmodels(pair):
    low, high = proportion_confint(*pair, method="wilson")
    found = wilson(*pair)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    assert 0 <= found.low <= pair[0] / pair[1] <= found.high <= 1


def test_wilson_without_trials_and_with_impossible_counts():
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)
    with pytest.raises(ValueError, match="3 successes in 2"):
        wilson(3, 2)


@pytest.mark.parametrize(("share", "n"), [(0.05, 50), (0.3, 20), (0.5, 100), (0.9, 60)])
def test_wilson_covers_about_95_percent(share, n):
    drawn = np.random.default_rng(7).binomial(n, share, size=4000)
    intervals = {int(k): wilson(int(k), n) for k in set(drawn)}
    covered = np.mean([intervals[int(k)].low <= share <= intervals[int(k)].high for k in drawn])
    assert 0.92 <= covered <= 0.985


@given(counts, counts)
def test_mcnemar_agrees_with_statsmodels(gained, lost):
    expected = mcnemar([[0, gained], [lost, 0]], exact=True).pvalue if gained + lost else 1.0
    assert mcnemar_exact(gained, lost) == pytest.approx(min(1.0, expected), rel=1e-9)
    assert mcnemar_exact(gained, lost) == mcnemar_exact(lost, gained)


def test_mcnemar_by_hand():
    assert mcnemar_exact(6, 0) == 2 / 64
    assert mcnemar_exact(8, 2) == 2 * (1 + 10 + 45) / 1024
    assert mcnemar_exact(5000, 0) == 0  # too small for a float, not an overflow
    with pytest.raises(ValueError, match="lost"):
        mcnemar_exact(1, -1)


@pytest.mark.parametrize("values", [[1] * 20 + [-1] * 6 + [0] * 30, [(each / 30) ** 6 for each in range(31)]])
def test_bootstrap_agrees_with_scipy_bca(values):
    expected = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=20_000, rng=1).confidence_interval
    found = paired_bootstrap(values)
    off = 0.005 if len(set(values)) > 3 else 1.01 / len(values)  # means of passes lie on a grid: one step may be off
    assert (found.low, found.high) == (pytest.approx(expected.low, abs=off), pytest.approx(expected.high, abs=off))


@settings(max_examples=40, deadline=None)
@given(differences, st.integers(0, 5))
def test_bootstrap_is_ordered_repeatable_and_turns_with_the_sign(values, seed):
    found = paired_bootstrap(values, seed)
    assert min(values) <= found.low <= found.high <= max(values)
    assert found == paired_bootstrap(values, seed)
    assert found == paired_bootstrap(values[::-1], seed)
    turned = paired_bootstrap([-each for each in values], seed)
    spread = (max(values) - min(values)) / 4
    assert turned.low == pytest.approx(-found.high, abs=max(spread, 1e-9))


def test_bootstrap_covers_about_95_percent():
    generator, covered = np.random.default_rng(3), 0
    for seed in range(200):
        found = paired_bootstrap(generator.choice([-1, 0, 1], p=[0.1, 0.6, 0.3], size=80).tolist(), seed)
        covered += found.low <= 0.2 <= found.high
    assert covered >= 180


def test_identical_differences_have_a_point_as_interval():
    assert paired_bootstrap([0.0] * 9).high == 0
    with pytest.raises(ValueError, match="at least one"):
        paired_bootstrap([])


def test_permutation_by_hand():
    assert permutation_p([0, 0, 0]) == 1
    assert permutation_p([1, 2, 3]) == 2 / 8
    assert permutation_p([1, 2, -3]) == 1
    assert permutation_p([0.1] * 6 + [0]) == 2 / 64


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1).map(lambda x: round(x, 2)), min_size=2, max_size=10).filter(any))
def test_permutation_agrees_with_scipy(values):
    nonzero = [each for each in values if each]
    if len(nonzero) < 2:
        return
    found = stats.permutation_test((nonzero,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert permutation_p(values) == pytest.approx(min(1.0, found.pvalue), abs=1e-9)


def test_permutation_by_sampling_is_near_mcnemar_which_it_equals_on_passes():
    values = [1.0] * 18 + [-1.0] * 7
    assert permutation_p(values) == pytest.approx(mcnemar_exact(18, 7), abs=0.012)
    assert permutation_p(values) == permutation_p(values)
    assert permutation_p([1.0] * 200) == 1 / 10_001


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_agrees_with_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_holm_by_hand():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


@given(st.integers(6, 2000), st.floats(0, 1))
def test_detectable_difference_and_required_n_undo_each_other(n, discordant):
    difference = detectable_difference(n, discordant)
    assert 0 < difference <= 1
    assert required_n(difference, discordant) <= n
    assert difference > 0.999 or required_n(difference * 0.99, discordant) >= n - 1


@given(st.integers(1, 2000), st.floats(0, 1), st.floats(0, 1))
def test_more_cases_and_fewer_changes_show_smaller_differences(n, one, other):
    assert detectable_difference(n + 1, one) <= detectable_difference(n, one) + 1e-12
    assert detectable_difference(n, min(one, other)) <= detectable_difference(n, max(one, other)) + 1e-12


@pytest.mark.parametrize(("n", "discordant"), [(20, 0.5), (50, 0.3), (90, 0.3), (90, 0.0), (160, 0.1)])
def test_the_detectable_difference_has_80_percent_power_in_the_exact_test(n, discordant):
    difference = detectable_difference(n, discordant)
    share = max(discordant, difference)
    power = 0.0
    for changed in range(n + 1):
        gains = np.arange(changed + 1)
        decisive = np.array([mcnemar_exact(int(each), int(changed - each)) < 0.05 for each in gains])
        gain_share = (share + difference) / (2 * share)
        power += stats.binom.pmf(changed, n, share) * stats.binom.pmf(gains, changed, gain_share)[decisive].sum()
    assert 0.77 <= power <= 0.9


def test_too_few_cases_show_nothing():
    assert detectable_difference(5) == 1
    assert detectable_difference(6, 0.0) == pytest.approx(1)  # exact McNemar needs all six
    assert detectable_mean([0.3, 0.1]) == 1
    with pytest.raises(ValueError, match="above 0"):
        required_n(0)


def test_detectable_mean_by_hand():
    values = [0.5, -0.5] * 50
    spread = np.std(values, ddof=1)
    assert detectable_mean(values) == pytest.approx((1.959964 + 0.841621) * spread / 10, rel=1e-5)
    assert detectable_mean([0.0] * 50) == detectable_difference(50, 0)
