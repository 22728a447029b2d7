"""The grid of an int8 file's logits, where a format has no float ones behind integer layers."""

from dataclasses import dataclass

_LOWEST, _STEPS = -128, 255
# Logits of other images may be a little larger than those seen: this share of the range is added on either side.
_HEADROOM = 1 / 16


@dataclass(frozen=True, slots=True)
class LogitsGrid:
    """logit = (code - zero_point) * scale, codes -128..127."""

    scale: float
    zero_point: int


def logits_grid(low: float, high: float) -> LogitsGrid:
    """The grid over logits from `low` to `high`, both as seen on training images; 0 lies on it."""
    low, high = min(0.0, low), max(0.0, high)
    margin = (high - low) * _HEADROOM
    scale = (high - low + 2 * margin) / _STEPS or 1.0
    return LogitsGrid(scale, min(_LOWEST + _STEPS, max(_LOWEST, round(_LOWEST - (low - margin) / scale))))
