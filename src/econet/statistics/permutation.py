"""Could two groups of figures be one? A permutation test of the difference of their means."""

import numpy as np
from numpy.typing import NDArray

from econet.statistics.streams import stream_seed

ROUNDS = 9_999


def permutation_p(first: NDArray[np.float64], second: NDArray[np.float64], seed: int, rounds: int = ROUNDS) -> float:
    """Share of random divisions of all figures, into groups of these sizes, whose means differ at least as much.

    The division found counts among the drawn ones, so that the share is never 0: (1 + as extreme) / (1 + rounds).
    Two-sided. `seed` makes the draws. Raises ValueError where a group is empty.
    Source: Phipson and Smyth 2010, "Permutation P-values Should Never Be Zero", equation 2.
    """
    if not len(first) or not len(second):
        raise ValueError("a permutation test needs figures in both groups")
    together = np.concatenate([first, second])
    random = np.random.Generator(np.random.PCG64(stream_seed(seed, "permutation")))
    drawn = random.permuted(np.tile(together, (rounds, 1)), axis=1)
    gaps = np.abs(drawn[:, : len(first)].mean(1) - drawn[:, len(first) :].mean(1))
    # Equal divisions are summed in another order: what differs by rounding alone is as extreme.
    found = abs(first.mean() - second.mean()) * (1 - 1e-9)
    return float((1 + np.count_nonzero(gaps >= found)) / (1 + rounds))
