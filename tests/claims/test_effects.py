"""An effect's interval, the effect one could have seen, and the label that follows from the interval alone."""

import numpy as np
import pytest
from scipy import stats

from econet.claims.effects import Measured, labelled, measured

BEFORE = (0.31, 0.30, 0.33, 0.29, 0.32)
AFTER = (0.28, 0.28, 0.30, 0.28, 0.29)


def test_a_difference_is_the_paired_mean_with_students_interval():
    pairs = np.subtract(AFTER, BEFORE)
    found = measured(BEFORE, AFTER, "points")
    low, high = stats.t.interval(0.95, 4, loc=pairs.mean(), scale=stats.sem(pairs))
    assert found.effect == pytest.approx(pairs.mean())
    assert found.interval == pytest.approx((low, high))


def test_a_ratio_is_the_same_of_logarithms():
    found = measured((2.0, 3.0, 4.0), (12.0, 15.0, 28.0), "times")
    pairs = np.log([6.0, 5.0, 7.0])
    low, high = stats.t.interval(0.95, 2, loc=pairs.mean(), scale=stats.sem(pairs))
    assert found.effect == pytest.approx(np.exp(pairs.mean()))
    assert found.interval == pytest.approx((np.exp(low), np.exp(high)))


def test_the_detectable_effect_is_seen_in_four_cases_of_five():
    spread, pairs = 0.3, 200
    rng = np.random.default_rng(0)
    sample = rng.normal(0, spread, pairs)
    detectable = measured(np.zeros(pairs), sample, "points").detectable
    shown = [
        abs(stats.ttest_1samp(rng.normal(detectable, sample.std(ddof=1), pairs), 0).statistic) > 1.96
        for _ in range(2000)
    ]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize(
    ("interval", "label"),
    [
        ((-0.03, -0.01), "reproduced"),
        ((-0.01, 0.01), "inconclusive"),
        ((-0.003, 0.004), "not reproduced"),  # leaves no room for half of 0.014
        ((0.001, 0.02), "not reproduced"),
    ],
)
def test_the_label_follows_from_the_interval(interval, label):
    found = Measured(sum(interval) / 2, interval, 0.01)
    assert labelled(found, "points", lower_is_better=True, said=0.014) == label


def test_without_a_figure_of_the_papers_only_the_sign_decides():
    near_nothing = Measured(0.0, (-0.001, 0.001), 0.001)
    assert labelled(near_nothing, "points", lower_is_better=True, said=None) == "inconclusive"


@pytest.mark.parametrize(
    ("interval", "label"),
    [
        ((2.0, 4.0), "reproduced"),
        ((0.9, 3.0), "inconclusive"),
        ((0.9, 2.0), "not reproduced"),
        ((0.5, 0.9), "not reproduced"),
    ],
)
def test_a_ratio_has_its_half_way_at_the_root(interval, label):
    found = Measured(1.0, interval, 1.1)
    assert labelled(found, "times", lower_is_better=False, said=6.0) == label
