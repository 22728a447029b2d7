"""From values per seed to an effect with its interval, the smallest effect one could have seen, and a label."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from econet.runs.claim_records import Label, Unit
from econet.statistics.intervals import Interval, t_interval

POWER = 0.8
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Measured:
    """The effect of one arm against another, over paired seeds."""

    effect: float
    interval: Interval
    detectable: float


def measured(first: Sequence[float], second: Sequence[float], unit: Unit) -> Measured:
    """`second` against `first`, a value a seed, the same seeds in the same order.

    A difference is the mean of the pairs' differences with Student's interval; a ratio is the same of logarithms.
    `detectable` is the true effect that this many pairs with this spread would show in four cases of five:
    `(z(0.975) + z(0.8)) * sd / sqrt(n)`; of a ratio, the factor above 1.
    Raises ValueError for fewer than 3 pairs, and for a ratio of values that are not positive.
    """
    if unit != "times":
        pairs = [after - before for before, after in zip(first, second, strict=True)]
        return Measured(fmean(pairs), t_interval(pairs, LEVEL), _detectable(pairs))
    pairs = [math.log(after / before) for before, after in zip(first, second, strict=True)]
    low, high = t_interval(pairs, LEVEL)
    return Measured(math.exp(fmean(pairs)), (math.exp(low), math.exp(high)), math.exp(_detectable(pairs)))


def labelled(found: Measured, unit: Unit, *, lower_is_better: bool, said: float | None) -> Label:
    """Whether the claim holds, by the interval alone.

    `reproduced`: the whole interval lies on the side the paper says. `not reproduced`: it lies on the other side, or
    leaves no room for half of the effect that the paper reports. `inconclusive` otherwise.
    """
    ratio = unit == "times"
    none = 1.0 if ratio else 0.0
    low, high = found.interval
    if lower_is_better:
        low, high = (1 / high, 1 / low) if ratio else (-high, -low)
    if low > none:
        return "reproduced"
    half = None if said is None else (math.sqrt(abs(said)) if ratio else abs(said) / 2)
    if high < none or (half is not None and high < half):
        return "not reproduced"
    return "inconclusive"


def _detectable(pairs: Sequence[float]) -> float:
    normal = NormalDist()
    return (normal.inv_cdf((1 + LEVEL) / 2) + normal.inv_cdf(POWER)) * stdev(pairs) / math.sqrt(len(pairs))
