"""The permutation test agrees with SciPy's, is fair where nothing differs, and is never 0."""

import numpy as np
import pytest
from scipy import stats

from econet.statistics.permutation import permutation_p

RNG = np.random.default_rng(3)
FIRST, SECOND = RNG.normal(0, 1, 24), RNG.normal(0.6, 1, 30)


def test_the_share_is_that_of_scipy():
    def gap(first, second, axis):
        return first.mean(axis) - second.mean(axis)

    found = stats.permutation_test((FIRST, SECOND), gap, n_resamples=9999, vectorized=True, rng=1)
    assert permutation_p(FIRST, SECOND, seed=0) == pytest.approx(found.pvalue, abs=0.01)


def test_all_divisions_of_equal_figures_are_as_extreme():
    same = np.full(8, 0.3)
    assert permutation_p(same, same, seed=0, rounds=99) == 1


def test_groups_far_apart_have_the_least_share_there_is():
    assert permutation_p(np.zeros(20), np.ones(20), seed=0, rounds=999) == 1 / 1000


def test_two_against_two_is_one_division_in_three():
    # Of the three ways to pair four figures one is as extreme as the one found.
    assert permutation_p(np.array([0.0, 1.0]), np.array([10.0, 11.0]), seed=0) == pytest.approx(1 / 3, abs=0.015)


def test_a_seed_gives_one_share():
    shares = [permutation_p(FIRST, SECOND, seed=seed) for seed in (1, 1, 2)]
    assert shares[0] == shares[1] != shares[2]


def test_an_empty_group_is_refused():
    with pytest.raises(ValueError, match="both groups"):
        permutation_p(np.array([]), SECOND, seed=0)
