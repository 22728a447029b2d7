"""Where a map points, in words and in coarse figures: what a terminal and a record can hold."""

import itertools

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from econet.explanation.agreement import strongest
from econet.explanation.question import Map

CELLS = 8
# A third of a picture is named where it holds at least half of the map's strongest fifth.
_MOST = 0.5
_ROWS, _COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")
_ROW_ALONE, _COLUMN_ALONE = (
    ("upper part", "across the middle", "lower part"),
    ("left part", "down the middle", "right part"),
)
# Differences of log-probability below this are rounding, not looking.
ROUNDING = 1e-4


def is_flat(found: Map, rounding: float = ROUNDING) -> bool:
    """Whether a map says nothing: no pixel of it differs from another by more than `rounding`."""
    return float(np.ptp(found)) <= rounding


def place_of(found: Map) -> str:
    """Where the strongest fifth of a map lies: "upper left", "centre", "across the middle", "all over the picture"."""
    chosen = strongest(found)
    row, column = (_third(chosen.sum(axis)) for axis in (1, 0))
    if row is None:
        return "all over the picture" if column is None else _COLUMN_ALONE[column]
    if column is None:
        return _ROW_ALONE[row]
    return "centre" if row == column == 1 else f"{_ROWS[row]} {_COLUMNS[column]}"


def grid_of(found: Map) -> NDArray[np.float64]:
    """The map as 8 x 8 means of equal parts of the picture, the upper left first."""
    image = Image.fromarray(found.astype(np.float32))
    return np.asarray(image.resize((CELLS, CELLS), Image.Resampling.BOX)).astype(np.float64)


def _third(counts: NDArray[np.int64]) -> int | None:
    """Which third of a row of counts holds at least half of them all; None where none does."""
    bounds = [round(len(counts) * part / 3) for part in range(4)]
    shares = [counts[begin:end].sum() / counts.sum() for begin, end in itertools.pairwise(bounds)]
    best = int(np.argmax(shares))
    return best if shares[best] >= _MOST else None
