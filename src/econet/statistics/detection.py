"""Detection: how well a score tells one group of images from another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


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


def centred_maximum(logits: NDArray[Any]) -> NDArray[np.float64]:
    """[N]: by how much the largest logit [N, K] stands above the mean of all: how familiar an image looks.

    A constant added to all logits changes neither this nor an answer.
    Source: Hendrycks et al. 2022, "Scaling Out-of-Distribution Detection for Real-World Settings" (the largest logit).
    """
    values = logits.astype(np.float64)
    return values.max(axis=1) - values.mean(axis=1)
