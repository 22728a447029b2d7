"""Ensembles: the probabilities of several files averaged, with equal weights or with weights found on validation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.measurement.accuracy import Predictions, predictions_of
from econet.statistics.calibration import nll

# Draws of the search: weights come in steps of 0.05, as the grid of the 2012 code's avg-valid script.
DRAWS = 20


def equal_weights(members: int) -> tuple[float, ...]:
    """The plain average's weights: 1 / members each."""
    return (1 / members,) * members


def averaged(members: Sequence[Predictions], weights: Sequence[float]) -> Predictions:
    """The predictions of the weighted mean of the members' probabilities, computed in float64, kept as float32.

    The answer is the largest mean probability, the first one where several are equal.
    Raises ValueError where the members were not made on the same images, or the weights are not one a member, none
    negative, 1 in sum.
    Source: Krizhevsky, Sutskever, Hinton 2012, section 6 (equal weights).
    """
    truth = _truth(members)
    if len(weights) != len(members) or min(weights) < 0 or abs(sum(weights) - 1) > 1e-9:
        raise ValueError(f"weights {list(weights)} do not share 1 out among {len(members)} members")
    total = np.zeros(members[0].probabilities.shape)
    for member, weight in zip(members, weights, strict=True):
        total += weight * member.probabilities.astype(np.float64)
    mean = total.astype(np.float32)
    return predictions_of(mean, mean, truth)


def tuned_weights(members: Sequence[Predictions]) -> tuple[float, ...]:
    """Weights in steps of 0.05 that suit these images: greedy selection with replacement, 20 draws.

    Each draw adds the member with which the mean over all draws so far has the highest top-1 accuracy; among equal ones
    that with the lowest negative log-likelihood, then the one named first. A weight is a member's share of the draws.
    No chance takes part: the same predictions give the same weights. The images that choose must not judge.
    Raises ValueError where the members were not made on the same images.
    Source: Caruana et al. 2004, "Ensemble selection from libraries of models" (selection with replacement).
    """
    truth = _truth(members)
    total = np.zeros(members[0].probabilities.shape)
    drawn = [0] * len(members)
    for draw in range(1, DRAWS + 1):
        scores = [_score((total + member.probabilities) / draw, truth) for member in members]
        best = scores.index(max(scores))
        drawn[best] += 1
        total += members[best].probabilities
    return tuple(count / DRAWS for count in drawn)


def _score(probabilities: NDArray[np.float64], truth: NDArray[np.uint16]) -> tuple[int, float]:
    """(images right, minus the negative log-likelihood): the larger, the better."""
    return int((probabilities.argmax(axis=1) == truth).sum()), -nll(probabilities, truth)


def _truth(members: Sequence[Predictions]) -> NDArray[Any]:
    """What all members were measured against."""
    truth, shape = members[0].truth, members[0].probabilities.shape
    if any(each.probabilities.shape != shape or not np.array_equal(each.truth, truth) for each in members):
        raise ValueError("the members of an ensemble were not made on the same images and classes")
    return truth
