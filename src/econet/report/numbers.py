"""How figures are written for people: units, separators, and no more digits than the interval supports."""

import math
import unicodedata

from econet.statistics.intervals import verdict

Interval = tuple[float, float]

_BIDI_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def digits_for(interval: Interval) -> int:
    """Decimals of a percentage worth showing, given its interval (fractions): 0, 1 or 2."""
    width = 100 * (interval[1] - interval[0])
    if width > 10:
        return 0
    return 1 if width >= 0.2 else 2


def difference_digits(interval: Interval, margin: float) -> int:
    """Decimals of points at which the rounded interval still gives the verdict of the exact one."""
    answer = verdict(interval, margin)
    for digits in range(max(1, digits_for(interval)), 6):
        low, high, allowed = (round(100 * value, digits) for value in (*interval, margin))
        if verdict((low, high), allowed) == answer and math.isclose(allowed, 100 * margin, abs_tol=1e-9):
            return digits
    return 6


def percent(fraction: float, digits: int = 1) -> str:
    """0.913 -> "91.3 %"."""
    return f"{100 * fraction:.{digits}f} %"


def points(fraction: float, digits: int = 1) -> str:
    """A signed difference of accuracies in points: -0.007 -> "-0.7"; what rounds to nothing has no sign."""
    text = f"{100 * fraction:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def margin_points(margin: float, digits: int = 1) -> str:
    """A margin in points, rounded up so that it still holds: 0.02341 -> "2.4"."""
    steps = 100 * margin * 10**digits
    return f"{math.ceil(steps - 1e-9) / 10**digits:.{digits}f}"


def whole(number: float) -> str:
    """12345 -> "12,345"."""
    return f"{round(number):,}"


def roughly(number: float) -> str:
    """A number rounded up to two significant digits: 4321 -> "4,400"."""
    step = 10 ** max(0, math.floor(math.log10(max(1.0, number))) - 1)
    return f"{math.ceil(number / step) * step:,}"


def magnitude(number: float, units: tuple[str, ...] = ("", " K", " M", " G", " T")) -> str:
    """Three significant digits and a power of a thousand: 77834 -> "77.8 K"."""
    scaled = float(number)
    for unit in units:
        if abs(scaled) < 999.5 or unit == units[-1]:
            return f"{significant(scaled) if unit != units[0] else round(scaled)}{unit}"
        scaled /= 1000
    raise AssertionError("unreachable: the last unit takes any number")


def file_size(size: float) -> str:
    """Bytes for people; 1 KB = 1,000 bytes."""
    return magnitude(size, (" B", " KB", " MB", " GB", " TB"))


def significant(number: float, digits: int = 3) -> str:
    """A number with `digits` significant digits, in plain notation."""
    if number == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(float(f"{number:.{digits - 1}e}"))))
    return f"{round(number, decimals):.{max(0, decimals)}f}"


def per_image(milliseconds: float) -> str:
    """Time for one image: microseconds under 1 ms, milliseconds from there."""
    if milliseconds < 0.9995:
        return f"{significant(1000 * milliseconds)} µs"
    return f"{significant(milliseconds)} ms"


def seconds(duration: float) -> str:
    """48 -> "48 s", 130 -> "2 min 10 s", 3900 -> "1 h 5 min"."""
    if duration < 9.95:
        return f"{duration:.1f} s"
    total = round(duration)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s" if total % 60 else f"{total // 60} min"
    minutes = round(duration / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def factor(ratio: float, better: str, worse: str) -> str:
    """A ratio in words: 0.1 -> "10x smaller"; one that goes the wrong way -> "larger: 1.2x"."""
    if ratio <= 0:
        return "not measured"
    shown = significant(max(ratio, 1 / ratio), 2 if max(ratio, 1 / ratio) < 10 else 3)
    if float(shown) == 1:
        return "the same"
    return f"{shown}x {better}" if ratio < 1 else f"{worse}: {shown}x"


def shown(name: str, limit: int = 80) -> str:
    """A name from outside with control and direction marks made visible, cut to `limit` characters."""
    plain = "".join(
        f"[U+{ord(mark):04X}]" if mark in _BIDI_MARKS or unicodedata.category(mark) in ("Cc", "Cs") else mark
        for mark in name
    )
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
