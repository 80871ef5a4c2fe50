import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from levers.trial.clusters import clustered, detectable_clustered, repeated, shared_share


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.floats(-1, 1).map(lambda x: round(x, 2))), min_size=4, max_size=60))
def test_clustered_errors_agree_with_statsmodels(pairs):
    clusters, values = [each for each, _ in pairs], [each for _, each in pairs]
    found = clustered(values, clusters)
    if found.clusters < 2:
        return
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    if fit.bse[0] < 1e-6:  # then the values' own error stands in its place
        return
    low, high = fit.conf_int()[0]
    assert found.mean == pytest.approx(fit.params[0], abs=1e-9)
    assert found.error == pytest.approx(fit.bse[0], abs=1e-9)
    assert (found.interval.low, found.interval.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    assert found.p_value == pytest.approx(fit.pvalues[0], abs=1e-9)


def test_every_case_its_own_cluster_is_the_ordinary_error():
    values = [0.0, 1.0, 1.0, 0.5]
    assert clustered(values, range(4)).error == pytest.approx(np.std(values, ddof=1) / 2)


def test_copies_of_a_case_bring_no_certainty():
    alone = clustered([0.2, -0.1, 0.4, 0.3], "abcd")
    copied = clustered([0.2, -0.1, 0.4, 0.3] * 5, "abcd" * 5)
    assert copied.error == pytest.approx(alone.error) and copied.clusters == 4


def test_one_cluster_says_nothing():
    found = clustered([1.0, 0.0], "aa")
    assert (found.clusters, found.error, found.p_value) == (1, math.inf, 1.0)
    for values, clusters in (([], []), ([1.0], [])):
        with pytest.raises(ValueError, match="clusters"):
            clustered(values, clusters)


def test_clusters_that_agree_are_no_certainty():
    found = clustered([0.0] * 6, "aabbcc")
    assert found.p_value == 1 and found.interval.high == pytest.approx(1 - 0.05 ** (1 / 3))
    assert clustered([0.8, 0.8], "ab").p_value == clustered([0.8, 0.0], "ab").p_value == pytest.approx(0.5)
    assert clustered([1.0] * 9, "aaabbbccc").p_value == clustered([0.0] + [1.0] * 8, "aaabbbccc").p_value < 0.05
    assert clustered([1.0] * 10, "aaaaabbbbb").p_value > 0.05, "two documents are no proof"
    tenths = clustered([1.0, 1.0, 0.0] * 2, "aaabbb")  # means that differ by rounding alone
    assert tenths.error == pytest.approx(np.std([1, 1, 0] * 2, ddof=1) / math.sqrt(6))
    assert tenths.p_value == pytest.approx(0.195, abs=0.001) and tenths.interval.low < 0


def test_what_clusters_could_show_grows_with_their_spread():
    two = clustered([0.9] * 5 + [0.6] * 5, "aaaaabbbbb")
    assert detectable_clustered(two) == 1.0, "12.7 errors, of 0.15"
    twenty = clustered([0.9, 0.6] * 10, range(20))
    assert detectable_clustered(twenty) == pytest.approx((2.093 + 0.842) * twenty.error, rel=1e-3)
    assert detectable_clustered(clustered([0.0] * 4, "aabb")) == pytest.approx(1 - 0.05**0.5)


def test_clustered_intervals_cover_where_ordinary_ones_do_not():
    generator, held, naive = np.random.default_rng(2), 0, 0
    clusters = np.repeat(np.arange(30), 5).tolist()
    for _ in range(1500):
        values = np.repeat(generator.normal(0.1, 0.3, 30), 5) + generator.normal(0, 0.2, 150)
        interval = clustered(values.tolist(), clusters).interval
        held += interval.low <= 0.1 <= interval.high
        naive += abs(values.mean() - 0.1) <= 1.96 * values.std(ddof=1) / math.sqrt(150)
    assert 0.935 <= held / 1500 <= 0.965
    assert naive / 1500 < 0.8


def test_a_share_of_few_sources_keeps_its_promise():
    generator, held = np.random.default_rng(4), 0
    names = np.repeat(np.arange(5), 8).astype(str).tolist()
    for _ in range(800):
        passed = generator.random(40) < np.repeat(generator.beta(0.8, 0.2, 5), 8)
        found = shared_share(passed.tolist(), names)
        held += found.interval.low <= 0.8 <= found.interval.high
    assert held / 800 > 0.95
    whole = shared_share([True] * 40, names)
    assert whole.interval.high == 1 and whole.interval.low < 0.5
    assert shared_share([True, False], ["a", "b"]) is None


def test_repeats_by_hand():
    found = repeated([[1, 1], [0, 0], [1, 0], [1, 1]])
    assert (found.cases, found.samples, found.mean, found.unstable) == (4, 2, 0.625, 1)
    assert found.within == pytest.approx(0.5 / 4)
    spread = np.var([1, 0, 0.5, 1], ddof=1)
    assert found.error == pytest.approx(math.sqrt(spread / 4))
    assert found.between == pytest.approx(spread - 0.125 / 2)
    for broken in ([[1]], [[1, 0], [1]], [[], []]):
        with pytest.raises(ValueError, match="at least two cases"):
            repeated(broken)


def test_repeats_tell_the_two_variances_apart():
    generator = np.random.default_rng(5)
    shares = generator.beta(2, 2, 4000)
    found = repeated((generator.random((4000, 4)) < shares[:, None]).astype(float).tolist())
    assert found.between == pytest.approx(0.05, abs=0.006)  # of Beta(2, 2)
    assert found.within == pytest.approx(0.2, abs=0.006)  # E[p(1 - p)]
    once = repeated((generator.random((4000, 1)) < shares[:, None]).astype(float).tolist())
    assert once.error > found.error and once.within == 0


def test_repeated_intervals_cover_about_95_percent():
    generator, held = np.random.default_rng(8), 0
    for _ in range(1500):
        shares = generator.beta(2, 1, 40)
        interval = repeated((generator.random((3, 40)) < shares).T.astype(float).tolist()).interval
        held += interval.low <= 2 / 3 <= interval.high
    assert 0.935 <= held / 1500 <= 0.965
