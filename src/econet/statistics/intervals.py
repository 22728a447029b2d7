"""Intervals and the verdict: what counted answers on some images say about new images like them."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

Interval = tuple[float, float]

_HALVINGS = 60
_MOST_IMAGES = 1_000_000_000


def wilson(successes: float, n: int, level: float = 0.95) -> Interval:
    """The score interval of one share, `successes` of `n` (fractions).

    Raises ValueError unless 0 <= successes <= n and n >= 1.
    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} are no share")
    z = _z(level)
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return low, high


def tango(n10: float, n01: float, n: int, level: float = 0.95) -> Interval:
    """The score interval of candidate minus baseline, `(n01 - n10) / n`, on the same `n` images (fractions).

    `n10` images only the baseline got right, `n01` only the candidate; shares of an image are welcome, for
    planning. The limits are where the score statistic, its variance taken at the restricted maximum
    likelihood, equals the normal quantile. With no disagreement at all that is +-z^2 / (n + z^2).
    Raises ValueError unless n10, n01 >= 0 and 1 <= n >= n10 + n01.
    Source: Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", Statistics in Medicine 17, 891-908.
    """
    if n < 1 or n10 < 0 or n01 < 0 or n10 + n01 > n * (1 + 1e-12):
        raise ValueError(f"{n10} and {n01} disagreements among {n} images are not possible")
    squared = _z(level) ** 2
    observed = (n01 - n10) / n
    return _limit(n10, n01, n, squared, observed, -1.0), _limit(n10, n01, n, squared, observed, 1.0)


def verdict(interval: Interval, margin: float) -> Literal["yes", "no", "undecided"]:
    """Whether a candidate may replace the baseline when a loss of `margin` is accepted.

    yes: the whole interval of candidate minus baseline lies above -margin; no: all of it below.
    """
    low, high = interval
    if low > -margin:
        return "yes"
    return "no" if high < -margin else "undecided"


def margin_for_yes(interval: Interval) -> float:
    """The margin beyond which the answer to this interval of candidate minus baseline is yes; at least 0."""
    return max(0.0, -interval[0])


def provable_margin(n: int, disagreement: float = 0.05) -> float:
    """The smallest margin that `n` images can prove when both sides err equally often.

    `disagreement` is the share of images on which exactly one of them is right.
    """
    each = n * disagreement / 2
    return margin_for_yes(tango(each, each, n))


def images_needed(difference: float, disagreement: float, margin: float) -> int | None:
    """Roughly how many images turn undecided into yes or no, were the shares seen so far the true ones.

    `difference` is candidate minus baseline, `disagreement` the share of images with exactly one side right.
    None where no number of images up to a thousand million would.
    """

    def decided(n: int) -> bool:
        interval = tango(n * (disagreement - difference) / 2, n * (disagreement + difference) / 2, n)
        return verdict(interval, margin) != "undecided"

    enough = 1
    while not decided(enough):
        enough *= 2
        if enough > _MOST_IMAGES:
            return None
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        too_few, enough = (too_few, middle) if decided(middle) else (middle, enough)
    return enough


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's interval of the mean of a few repeats, as of a training with several seeds.

    Raises ValueError under three values: two say almost nothing.
    """
    n = len(values)
    if n < 3:
        raise ValueError(f"an interval of repeats needs at least 3 values, not {n}")
    mean = math.fsum(values) / n
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    half = student_quantile(level, n - 1) * math.sqrt(variance / n)
    return mean - half, mean + half


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def _limit(n10: float, n01: float, n: int, squared: float, observed: float, outside: float) -> float:
    """Halve between the difference seen, which is inside, and -1 or 1 until the limit is found."""
    inside = observed
    if _score_squared_at_most(n10, n01, n, outside, squared):
        return outside
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if _score_squared_at_most(n10, n01, n, middle, squared):
            inside = middle
        else:
            outside = middle
    return (inside + outside) / 2


def _score_squared_at_most(n10: float, n01: float, n: int, difference: float, squared: float) -> bool:
    variance = n * (2 * _restricted_share(n10, n01, n, difference) + difference * (1 - difference))
    return (n01 - n10 - n * difference) ** 2 <= squared * variance


def _restricted_share(n10: float, n01: float, n: int, difference: float) -> float:
    """Likeliest share of images that only the baseline gets right, given the true difference.

    The larger root of `2n q^2 + b q + c = 0`, in the form that does not cancel.
    """
    b = (2 * n - n01 + n10) * difference - n01 - n10
    c = -n10 * difference * (1 - difference)
    root = math.sqrt(max(0.0, b * b - 8 * n * c))
    if b <= 0:
        return (root - b) / (4 * n)
    return -2 * c / (b + root)


def student_quantile(level: float, freedom: int) -> float:
    """The two-sided quantile of Student's t, by halving the angle atan(t / sqrt(freedom))."""
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_central_mass(middle, freedom) < level else (low, middle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _t_central_mass(angle: float, freedom: int) -> float:
    """P(|T| < sqrt(freedom) tan(angle)); finite sums, Abramowitz and Stegun 1964, 26.7.3 and 26.7.4."""
    cosine_squared = math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0 if freedom == 1 else term
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine_squared * (k - 1) / k
        total += term
    mass = math.sin(angle) * total
    return 2 / math.pi * (angle + mass) if odd else mass
