"""How much of a filter is colour: what it answers to beside brightness."""

import numpy as np
from numpy.typing import NDArray


def colourfulness(filters: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each filter of [F, C, h, w], `1 - C |mean over channels|^2 / |w|^2`: [F], 0 gray to 1 nothing but colour.

    A filter that reads all channels alike answers to brightness alone; one whose channels cancel out answers to colour
    alone. A filter of zeros answers to nothing and counts as gray.
    """
    weights = filters.astype(np.float64)
    whole = np.square(weights).sum((1, 2, 3))
    gray = weights.shape[1] * np.square(weights.mean(1)).sum((1, 2))
    return np.where(whole > 0, 1 - gray / np.where(whole > 0, whole, 1.0), 0.0)
