"""`econet`: the compact candidate. Depthwise-separable blocks, one width dial, one dense layer: the classifier."""

from econet.errors import UserError
from econet.models.architecture import AnyLayer, Architecture, Conv, Dense, GlobalMean, Separable

SMALLEST_SIDE = 8

# (blocks, channels, stride of the first) at width 1.
STAGES = ((3, 64, 2), (4, 128, 2))
STEM_CHANNELS = 32


def econet(input_shape: tuple[int, int, int], classes: int, *, width: float = 1.0) -> Architecture:
    """The candidate for `input_shape` (channels, height, width); `width` scales every layer's channels.

    Images of 56 pixels a side or more are halved by the stem, so that the stages see 28 to 55.
    Raises UserError where a side is under 8 pixels or the width is not positive.
    """
    if min(input_shape[1:]) < SMALLEST_SIDE:
        raise UserError(
            f"image size {min(input_shape[1:])} is smaller than econet can take",
            f"its two halvings need at least {SMALLEST_SIDE} pixels a side",
            f"--image-size {SMALLEST_SIDE} or larger",
        )
    if not 0.05 <= width <= 16:
        raise UserError(f"--width {width} is out of range", "a width lies between 0.05 and 16", "--width 1")
    layers: list[AnyLayer] = [Conv(channels=rounded(STEM_CHANNELS * width), stride=_stem_stride(input_shape))]
    for blocks, channels, stride in STAGES:
        for index in range(blocks):
            layers.append(Separable(channels=rounded(channels * width), stride=stride if index == 0 else 1))
    layers += [GlobalMean(), Dense(channels=classes, relu=False)]
    return Architecture(name="econet", input=input_shape, classes=classes, layers=tuple(layers))


def rounded(channels: float) -> int:
    """Nearest multiple of 8, at least 8: widths that are no multiple of 4 leave the runtimes' fast path."""
    return max(8, 8 * round(channels / 8))


def _stem_stride(input_shape: tuple[int, int, int]) -> int:
    return 2 if min(input_shape[1:]) >= 56 else 1
