import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from levers.trial.sequential import means_anytime, passes_anytime, share_anytime
from levers.trial.statistics import wilson

changes = st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=60)


@given(changes)
def test_the_martingale_is_the_beta_mixture(found):
    expected = 1.0
    for place, p_value in enumerate(passes_anytime(found), start=1):
        gained, lost = found[:place].count(1), found[:place].count(-1)
        mixed = math.exp(special.betaln(gained + 0.5, lost + 0.5) - special.betaln(0.5, 0.5))
        expected = min(expected, 0.5 ** (gained + lost) / mixed)
        assert p_value == pytest.approx(expected, rel=1e-9)


@given(changes)
def test_p_values_never_rise_and_stay_in_range(found):
    for values in (list(passes_anytime(found)), list(means_anytime([each / 2 for each in found]))):
        assert len(values) == len(found)
        assert all(0 < later <= earlier <= 1 for earlier, later in itertools.pairwise(values))


def test_looking_after_every_case_stays_under_5_percent_where_mcnemar_does_not():
    generator = np.random.default_rng(1)
    runs, fooled, scores, plain = 400, 0, 0, 0
    for _ in range(runs):
        drawn = generator.choice([-1, 0, 1], p=[0.2, 0.6, 0.2], size=300)
        fooled += list(passes_anytime(drawn.tolist()))[-1] < 0.05
        scores += list(means_anytime((drawn * 0.5).tolist()))[-1] < 0.05
        gains, moved = np.cumsum(drawn > 0), np.cumsum(drawn != 0)
        looks = slice(20, None, 10)
        plain += bool((stats.binom.cdf(np.minimum(gains, moved - gains)[looks], moved[looks], 0.5) < 0.025).any())
    assert fooled / runs <= 0.05 and scores / runs <= 0.05
    assert plain / runs > 0.1


def test_a_real_difference_is_found_early():
    drawn = np.random.default_rng(3).choice([-1, 0, 1], p=[0.02, 0.58, 0.4], size=300).tolist()
    for values in (list(passes_anytime(drawn)), list(means_anytime([each / 2 for each in drawn]))):
        assert next(place for place, p_value in enumerate(values) if p_value < 0.05) < 60


def test_a_difference_of_credits_lies_between_minus_one_and_one():
    with pytest.raises(ValueError, match="between -1 and 1"):
        list(means_anytime([1.5]))
    with pytest.raises(ValueError, match="3 successes"):
        share_anytime(3, 2)


@given(st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_that_may_be_watched_is_wider_than_wilsons(pair):
    found, fixed = share_anytime(*pair), wilson(*pair)
    assert 0 <= found.low <= fixed.low + 1e-9 and fixed.high - 1e-9 <= found.high <= 1


def test_the_watched_share_holds_at_every_look():
    generator, held = np.random.default_rng(6), 0
    known = {}
    for _ in range(300):
        drawn, right = np.cumsum(generator.random(150) < 0.7), True
        for n, successes in enumerate(drawn.tolist(), start=1):
            if (successes, n) not in known:
                interval = share_anytime(successes, n)
                known[successes, n] = interval.low <= 0.7 <= interval.high
            right &= known[successes, n]
        held += right
    assert held / 300 >= 0.95
