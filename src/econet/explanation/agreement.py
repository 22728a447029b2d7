"""How far two maps of one picture say the same: by the order of their pixels, and by their strongest fifth."""

import numpy as np
from numpy.typing import NDArray

from econet.explanation.question import Map

TOP = 0.2


def rank_correlation(first: Map, second: Map) -> float | None:
    """Spearman's rank correlation of two maps of one shape, -1 to 1; None where one of them is flat."""
    ranks = [ranked(each) - (each.size - 1) / 2 for each in (first, second)]
    norms = [float(np.sqrt(np.square(each).sum())) for each in ranks]
    if min(norms) == 0:
        return None
    return float((ranks[0] * ranks[1]).sum() / (norms[0] * norms[1]))


def top_overlap(first: Map, second: Map) -> float | None:
    """The share of the strongest fifth of one map's pixels that are among the other's; 0.2 by chance.

    None where one of them is flat.
    """
    if any(float(np.ptp(each)) == 0 for each in (first, second)):
        return None
    chosen = [strongest(each) for each in (first, second)]
    return float((chosen[0] & chosen[1]).sum() / chosen[0].sum())


def strongest(found: Map) -> NDArray[np.bool_]:
    """The strongest fifth of a map's pixels, bool [h, w]; of equal ones the first in reading order."""
    count = max(1, round(TOP * found.size))
    chosen = np.zeros(found.size, bool)
    chosen[np.argsort(-found, axis=None, kind="stable")[:count]] = True
    return chosen.reshape(found.shape)


def ranked(values: Map) -> NDArray[np.float64]:
    """The rank of every value, from 0, in one row; equal ones share the mean of their ranks."""
    flat = values.ravel()
    _, group, counts = np.unique(flat, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts + 1) / 2)[group.ravel()]
