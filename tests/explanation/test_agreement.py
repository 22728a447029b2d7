"""Two maps are held against each other by ranks and by their strongest fifths."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from econet.explanation.agreement import rank_correlation, strongest, top_overlap


def test_the_rank_correlation_is_spearmans_with_ties():
    random = np.random.default_rng(0)
    first = random.integers(0, 9, (12, 10)).astype(float)
    second = first + random.integers(0, 9, (12, 10))
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic)
    assert rank_correlation(first, first) == pytest.approx(1)
    assert rank_correlation(first, -first) == pytest.approx(-1)


def test_the_overlap_is_the_share_of_the_strongest_fifth_in_common():
    first = np.arange(25.0).reshape(5, 5)
    shifted = np.where(first == 20, 0, first) + np.where(first == 0, 100, 0)
    assert np.flatnonzero(strongest(first)).tolist() == [20, 21, 22, 23, 24]
    assert top_overlap(first, first) == 1
    assert top_overlap(first, shifted) == pytest.approx(0.8)
    assert top_overlap(first, -first) == 0


def test_a_flat_map_agrees_with_nothing():
    flat, other = np.zeros((4, 4)), np.arange(16.0).reshape(4, 4)
    assert rank_correlation(flat, other) is None
    assert top_overlap(other, flat) is None
