"""Split conformal prediction: sets of classes that hold the true one as often as they say, whatever the network.

A score says how strange a class would be for an image. A threshold taken from the scores of true classes on
calibration images, which the network was not fitted to, covers the true class of a new image with the stated
probability, on average over calibration images and new ones.
Source: Vovk, Gammerman, Shafer 2005, "Algorithmic Learning in a Random World", chapter 2; the score -log p gives the
sets of Sadinle, Lei, Wasserman 2019, "Least Ambiguous Set-Valued Classifiers With Bounded Error Levels" (LAC).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A product such as 20 * 0.95 may come out a hair above 19.
_HAIR = 1e-9


def rank(images: int, coverage: float) -> int:
    """ceil((n + 1) coverage): which of n scores, from the smallest, is the threshold; n + 1 where none is enough."""
    return math.ceil((images + 1) * coverage - _HAIR)


def threshold(scores: NDArray[Any], coverage: float) -> float:
    """The score up to which a class belongs to the set; infinite where there are too few `scores` for `coverage`.

    Raises ValueError for a coverage outside 0 to 1, or no score.
    """
    if not 0 < coverage < 1 or not len(scores):
        raise ValueError(f"no threshold for a coverage of {coverage} from {len(scores)} scores")
    place = rank(len(scores), coverage)
    return float(np.sort(scores)[place - 1]) if place <= len(scores) else math.inf


def alarm_threshold(familiarity: NDArray[Any], false_alarms: float) -> float:
    """The familiarity below which an image is called unlike: of new familiar ones at most `false_alarms` are.

    The k-th smallest of n, k = floor((n + 1) false_alarms); minus infinity where there are too few.
    Raises ValueError as `threshold`.
    """
    return -threshold(-familiarity, 1 - false_alarms)


def coverage_interval(calibration: int, coverage: float, images: int, level: float = 0.95) -> tuple[float, float]:
    """The interval in which the share of covered images among `images` new ones lies with probability `level`.

    Given the calibration images, coverage is drawn from Beta(k, n + 1 - k), k = `rank`; the count among m new images is
    beta-binomial. Equal tails. Raises ValueError where there are too few calibration images for the coverage.
    Source: Angelopoulos and Bates 2023, "Conformal Prediction: A Gentle Introduction", section 3.2 and appendix C.
    """
    place = rank(calibration, coverage)
    if place > calibration or images < 1:
        raise ValueError(f"{calibration} calibration images cannot state a coverage of {coverage}")
    counts = range(images + 1)
    a, b = place, calibration + 1 - place
    logs = [
        math.lgamma(images + 1)
        - math.lgamma(count + 1)
        - math.lgamma(images - count + 1)
        + math.lgamma(count + a)
        + math.lgamma(images - count + b)
        - math.lgamma(images + a + b)
        + math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
        for count in counts
    ]
    mass = np.cumsum(np.exp(logs))
    tail = (1 - level) / 2
    low, high = np.searchsorted(mass, tail), np.searchsorted(mass, 1 - tail)
    return float(low) / images, min(float(high) / images, 1.0)
