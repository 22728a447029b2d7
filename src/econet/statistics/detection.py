"""Detection: how well a score tells one group of images from another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.statistics.temperature import log_probabilities


def auroc(higher: NDArray[Any], lower: NDArray[Any]) -> float:
    """The probability that a score drawn from `higher` is above one drawn from `lower`; equal ones count half.

    Raises ValueError where a group is empty.
    Source: Hanley and McNeil 1982, "The meaning and use of the area under a ROC curve".
    """
    if not len(higher) or not len(lower):
        raise ValueError("two groups of scores are needed")
    ordered = np.sort(lower)
    below = np.searchsorted(ordered, higher, "left") + np.searchsorted(ordered, higher, "right")
    return float(below.mean() / (2 * len(lower)))


def familiarity(logits: NDArray[Any]) -> NDArray[np.float64]:
    """[N]: by how much log(sum(exp(logits))) stands above the mean of the logits [N, K]: how familiar an image looks.

    It is the mean over all classes of -log softmax: log K where all are equally likely, more the more of them are ruled
    out. A constant added to all logits changes neither this nor an answer. `benchmarks/familiarity_scores.py` chose it.
    Source: Liu et al. 2020, "Energy-based Out-of-distribution Detection" (the log of the sum), here above the mean.
    """
    return -log_probabilities(logits).mean(axis=1)
