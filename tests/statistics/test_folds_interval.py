"""The interval over folds, against scipy's quantile and hand-made counts."""

import math

import pytest
from scipy import stats

from econet.statistics.folds import folds_interval
from econet.statistics.intervals import tango


def test_folds_that_agree_leave_the_interval_of_all_pictures_together():
    assert folds_interval([(2, 3, 100)] * 5) == pytest.approx(tango(10, 15, 500))


def test_folds_that_differ_widen_it_as_nadeau_and_bengio_say():
    folds = [(0, 12, 100), (9, 0, 100), (1, 10, 100), (8, 1, 100)]
    differences = [0.12, -0.09, 0.09, -0.07]
    mean = sum(differences) / 4
    variance = sum((each - mean) ** 2 for each in differences) / 3
    half = stats.t.ppf(0.975, 3) * math.sqrt(variance * (1 / 4 + 1 / 3))
    assert folds_interval(folds) == pytest.approx((mean - half, mean + half), rel=1e-6)
    low, high = tango(18, 23, 400)
    assert mean - half < low
    assert mean + half > high


def test_the_middle_is_over_pictures_not_over_folds():
    low, high = folds_interval([(0, 10, 1000), (0, 0, 10), (0, 0, 10)])
    assert low < 10 / 1020 < high


def test_it_never_leaves_what_a_difference_can_be():
    low, high = folds_interval([(10, 0, 10), (0, 10, 10), (10, 0, 10)])
    assert (low, high) == (-1.0, 1.0)


@pytest.mark.parametrize("folds", [[(0, 0, 10)] * 2, [(0, 0, 10), (0, 0, 10), (0, 0, 0)]])
def test_too_few_or_empty_folds_are_refused(folds):
    with pytest.raises(ValueError, match="at least 3"):
        folds_interval(folds)
