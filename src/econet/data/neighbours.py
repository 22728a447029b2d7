"""Which pictures are nearest to which: exact search by matrix products, block by block, nothing approximated."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from econet.data.decoders import usual_workers
from econet.data.sketches import Floats

# A block of likenesses should stay in the processor's cache.
_ROWS, _COLUMNS = 512, 2048


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Of Q pictures the K most alike, best first: `likeness` [Q, K] (-1 to 1; -2 where there are fewer than K).

    `index` [Q, K] counts in the searched pictures; `mirrored` [Q, K] where they are alike as in a mirror.
    """

    likeness: Floats
    index: NDArray[np.intp]
    mirrored: NDArray[np.bool_]


def nearest(queries: Floats, in_mirror: Floats, among: Floats, count: int, own: NDArray[np.intp]) -> Neighbours:
    """The `count` nearest of `among` [B, D] to each of `queries` [Q, D], or to `in_mirror` [Q, D], the same mirrored.

    `own` [Q] is each query's own place in `among`, which is passed over; -1 where it is not there.
    """

    def of_block(start: int) -> Neighbours:
        rows = slice(start, start + _ROWS)
        return _nearest_of_block(queries[rows], in_mirror[rows], among, count, own[rows])

    # NumPy lets go of the interpreter while it computes, so that threads share the blocks out.
    with ThreadPoolExecutor(usual_workers()) as threads:
        parts = list(threads.map(of_block, range(0, len(queries), _ROWS)))
    return Neighbours(*(np.concatenate([getattr(part, name) for part in parts]) for name in Neighbours.__slots__))


def _nearest_of_block(
    queries: Floats, in_mirror: Floats, among: Floats, count: int, own: NDArray[np.intp]
) -> Neighbours:
    """A row keeps its best so far; of the next block only what is better than the last of them is looked at."""
    size = len(queries)
    best = Neighbours(
        np.full((size, count), -2, np.float32), np.zeros((size, count), np.intp), np.zeros((size, count), np.bool_)
    )
    for start in range(0, len(among), _COLUMNS):
        block = among[start : start + _COLUMNS]
        straight, turned = queries @ block.T, in_mirror @ block.T
        likeness = np.maximum(straight, turned, out=straight)
        here = np.flatnonzero((own >= start) & (own < start + len(block)))
        likeness[here, own[here] - start] = -2
        better = likeness > best.likeness[:, -1:]
        if start == 0 and len(block) > count:
            # Nothing is known yet: of all that is better than nothing only the best are worth sorting.
            better = likeness >= np.partition(likeness, -count, axis=1)[:, [-count]]
        rows, columns = np.nonzero(better)
        if len(rows):
            found = likeness[rows, columns]
            best = _merged(best, rows, found, columns + start, turned[rows, columns] == found)
    return best


def _merged(
    best: Neighbours, rows: NDArray[np.intp], likeness: Floats, index: NDArray[np.intp], mirrored: NDArray[np.bool_]
) -> Neighbours:
    """The best of `best` and of what was found in `rows`, in each row as many as before."""
    size, count = best.likeness.shape
    row = np.concatenate([np.repeat(np.arange(size), count), rows])
    alike = np.concatenate([best.likeness.ravel(), likeness])
    order = np.lexsort((-alike, row))
    first = np.searchsorted(row[order], np.arange(size))
    chosen = order[first[:, None] + np.arange(count)]
    return Neighbours(
        alike[chosen],
        np.concatenate([best.index.ravel(), index])[chosen],
        np.concatenate([best.mirrored.ravel(), mirrored])[chosen],
    )
