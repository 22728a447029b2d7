"""The interval of a difference that was counted in folds: each part of the pictures judged by networks of its own."""

import math
from collections.abc import Sequence

from econet.statistics.intervals import Interval, student_quantile, tango

Counts = tuple[int, int, int]


def folds_interval(folds: Sequence[Counts], level: float = 0.95) -> Interval:
    """The interval of candidate minus baseline over all pictures; `folds` holds (n10, n01, images) of each.

    Two things make such a difference uncertain: which pictures there are, for which all of them are counted together
    (Tango 1998), and which networks the trainings happened to give, for which the folds' differences are compared. As
    any two folds share most of their training pictures, their variance is taken times 1/K + 1/(K-1) (Nadeau and Bengio
    2003, "Inference for the Generalization Error", section 3, corrected resampled t). The wider of the two counts,
    around the same middle. Raises ValueError under three folds, or for an empty one.
    """
    count = len(folds)
    if count < 3 or any(images < 1 for *_, images in folds):
        raise ValueError(f"an interval over folds needs at least 3 that are not empty, not {folds}")
    n10, n01, images = (sum(column) for column in zip(*folds, strict=True))
    middle = (n01 - n10) / images
    differences = [(only_after - only_before) / each for only_before, only_after, each in folds]
    mean = math.fsum(differences) / count
    variance = math.fsum((each - mean) ** 2 for each in differences) / (count - 1)
    half = student_quantile(level, count - 1) * math.sqrt(variance * (1 / count + 1 / (count - 1)))
    low, high = tango(n10, n01, images, level)
    return max(-1.0, min(low, middle - half)), min(1.0, max(high, middle + half))
