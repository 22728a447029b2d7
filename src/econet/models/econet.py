"""`econet`: the compact candidate. Depthwise-separable blocks, one width dial, one dense layer: the classifier.

The stem halves the picture at once, since most of the time of a small network is spent on large maps; most of the
weights lie in the last stage, where a weight costs sixteen multiplications instead of two hundred.
"""

from econet.errors import UserError
from econet.models.architecture import AnyLayer, Architecture, Conv, Dense, GlobalMean, Separable

SMALLEST_SIDE = 8
# The stem halves pictures from this side on; from twice as much on the first stage halves them once more.
HALVED_FROM = 24

STEM_CHANNELS = 32
# (blocks, channels) at width 1; every stage after the first halves the map.
STAGES = ((1, 48), (2, 96), (2, 160))


def econet(input_shape: tuple[int, int, int], classes: int, *, width: float = 1.0) -> Architecture:
    """The candidate for `input_shape` (channels, height, width); `width` scales every layer's channels.

    At (1, 28, 28), ten classes and width 1: 63,130 parameters, 1.85 M MACs.
    Raises UserError where a side is under 8 pixels or the width is out of range.
    """
    side = min(input_shape[1:])
    if side < SMALLEST_SIDE:
        raise UserError(
            f"image size {side} is smaller than econet can take",
            f"its halvings need at least {SMALLEST_SIDE} pixels a side",
            f"--image-size {SMALLEST_SIDE} or larger",
        )
    if not 0.05 <= width <= 16:
        raise UserError(f"--width {width:g} is out of range", "a width lies between 0.05 and 16", "--width 1")
    layers: list[AnyLayer] = [Conv(channels=rounded(STEM_CHANNELS * width), stride=1 + (side >= HALVED_FROM))]
    for number, (blocks, channels) in enumerate(STAGES):
        halves = number > 0 or side >= 2 * HALVED_FROM
        for index in range(blocks):
            layers.append(Separable(channels=rounded(channels * width), stride=1 + (halves and index == 0)))
    layers += [GlobalMean(), Dense(channels=classes, relu=False)]
    return Architecture(name="econet", input=input_shape, classes=classes, layers=tuple(layers))


def rounded(channels: float) -> int:
    """Nearest multiple of 8, at least 8: widths that are no multiple of 4 leave the runtimes' fast path."""
    return max(8, 8 * round(channels / 8))
