"""Calibration: whether a confidence of 90 % is right nine times in ten."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The smallest positive float16: a predictions file stores nothing between it and zero.
_LEAST_PROBABILITY = 2.0**-24


@dataclass(frozen=True, slots=True)
class Bin:
    """Some images of similar confidence: its mean, the share of right answers, how many."""

    confidence: float
    accuracy: float
    images: int


def ece(probabilities: NDArray[Any], labels: NDArray[Any], bins: int = 15) -> tuple[float, list[Bin]]:
    """Expected calibration error over bins of equally many images, and those bins from unsure to sure.

    `probabilities` [N, K], `labels` [N]; the confidence is the largest probability of a row. Images of equal
    confidence share one accuracy, so that their order does not matter. Fewer images than bins: fewer bins.
    Raises ValueError where there is no image.
    Source: Nguyen and O'Connor 2015, "Posterior calibration and exploratory analysis for natural language
    processing models", section 3 (equal mass); Guo et al. 2017, "On calibration of modern neural networks".
    """
    _check(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    _, group, size = np.unique(confidence, return_inverse=True, return_counts=True)
    right = (np.bincount(group, weights=right) / size)[group]
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    found = [Bin(float(confidence[part].mean()), float(right[part].mean()), len(part)) for part in parts]
    error = sum(each.images * abs(each.confidence - each.accuracy) for each in found) / len(labels)
    return error, found


def nll(probabilities: NDArray[Any], labels: NDArray[Any]) -> float:
    """Mean negative log-likelihood (nats) of the true classes; a probability below 2^-24 counts as 2^-24.

    `probabilities` [N, K], `labels` [N]. Raises ValueError where there is no image.
    """
    _check(probabilities, labels)
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(true, _LEAST_PROBABILITY)).mean())


def _check(probabilities: NDArray[Any], labels: NDArray[Any]) -> None:
    if probabilities.ndim != 2 or not len(labels) or len(probabilities) != len(labels):
        raise ValueError(f"probabilities {probabilities.shape} and labels {labels.shape} do not fit together")
