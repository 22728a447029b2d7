"""The width dial: which values it takes, and the channels it gives."""

from econet.errors import UserError


def check_width(width: float) -> None:
    """Raises UserError for a width no network has."""
    if not 0.05 <= width <= 16:
        raise UserError(f"--width {width:g} is out of range", "a width lies between 0.05 and 16", "--width 1")


def rounded(channels: float) -> int:
    """Nearest multiple of 8, at least 8: widths that are no multiple of 4 leave the runtimes' fast path."""
    return max(8, 8 * round(channels / 8))


def divisible(channels: float) -> int:
    """Nearest multiple of 8, at least 8 and no less than nine tenths of what was asked.

    Source: `_make_divisible` of MobileNetV2 (github.com/tensorflow/models, slim/nets/mobilenet).
    """
    found = max(8, int(channels + 4) // 8 * 8)
    return found + 8 if found < 0.9 * channels else found
