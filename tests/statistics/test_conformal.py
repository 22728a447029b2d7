"""Quantiles by pencil and paper, and coverage that lies where beta-binomial counts say."""

import math

import numpy as np
import pytest
from scipy.stats import betabinom

from econet.statistics.conformal import alarm_threshold, coverage_interval, rank, threshold


@pytest.mark.parametrize(
    ("images", "coverage", "place"),
    # ceil((n + 1) c): 10 x 0.9 = 9, 20 x 0.95 = 19, 100 x 0.9 = 90, 11 x 0.9 = 9.9
    [(9, 0.9, 9), (19, 0.95, 19), (99, 0.9, 90), (10, 0.9, 10), (8, 0.9, 9), (4, 0.5, 3)],
)
def test_the_rank_is_that_of_the_formula(images, coverage, place):
    assert rank(images, coverage) == place


def test_the_threshold_is_the_ranked_score():
    scores = np.array([0.9, 0.1, 0.5, 0.3, 0.7, 0.2, 0.8, 0.6, 0.4])
    assert threshold(scores, 0.9) == 0.9
    assert threshold(scores, 0.8) == 0.8
    assert threshold(scores, 0.5) == 0.5
    assert threshold(scores, 0.95) == math.inf
    for coverage, given in ((0.0, scores), (1.0, scores), (0.9, scores[:0])):
        with pytest.raises(ValueError, match="no threshold"):
            threshold(given, coverage)


def test_the_alarm_lets_at_most_the_stated_share_ring():
    familiarity = np.arange(1.0, 20.0)  # 19 images: floor(20 x 0.1) = 2, so the second smallest
    assert alarm_threshold(familiarity, 0.1) == 2.0
    assert alarm_threshold(familiarity, 0.05) == 1.0
    assert alarm_threshold(familiarity, 0.01) == -math.inf


@pytest.mark.parametrize(("calibration", "coverage", "images"), [(99, 0.9, 50), (500, 0.95, 1000), (60, 0.8, 10)])
def test_the_interval_is_that_of_scipys_beta_binomial(calibration, coverage, images):
    place = math.ceil(round((calibration + 1) * coverage, 9))
    law = betabinom(images, place, calibration + 1 - place)
    low, high = coverage_interval(calibration, coverage, images)
    assert (low * images, high * images) == pytest.approx((law.ppf(0.025), law.ppf(0.975)))
    with pytest.raises(ValueError, match="cannot state"):
        coverage_interval(8, 0.95, 100)


def test_coverage_of_drawn_scores_lies_in_its_interval_as_often_as_stated():
    random = np.random.default_rng(4)
    low, high = coverage_interval(60, 0.8, 200)
    inside = 0
    for _ in range(400):
        limit = threshold(random.exponential(size=60), 0.8)
        inside += low <= (random.exponential(size=200) <= limit).mean() <= high
    assert inside / 400 > 0.92  # 0.95 or more are to be; three standard errors below
