"""The paired difference of two files as it stands in records."""

from typing import Literal

from econet.runs.record import Record


class Difference(Record, frozen=True, kw_only=True):
    """Candidate minus baseline, or after minus before, on the same images.

    `n10` are right with the baseline alone, `n01` with the candidate alone.
    """

    candidate_minus_baseline: float
    interval: tuple[float, float]
    method: Literal["tango", "folds"] = "tango"
    level: float = 0.95
    n10: int
    n01: int
    images: int
