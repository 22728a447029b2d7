"""`econet`: the compact candidate. Depthwise-separable blocks, one width dial, one dense layer: the classifier.

`econet` halves the picture in its stem, since most of the time of a small network is spent on large maps, and keeps
most of its weights in the last stages, where a weight costs four to sixteen multiplications instead of two hundred:
the most accuracy for a minute of training. `econet:fine` looks at the picture at full size first and is deeper: the
most accuracy for a byte, where training may take longer.
"""

from collections.abc import Iterator

from econet.errors import UserError
from econet.models.architecture import AnyLayer, Architecture, Conv, Dense, GlobalMean, Separable
from econet.models.width import check_width, rounded

SMALLEST_SIDE = 8
STEM_CHANNELS = 32
# (blocks, channels) at width 1.
STAGES = ((1, 48), (2, 96), (2, 160), (1, 256))
FINE_STAGES = ((3, 64), (4, 128))
# From this side on a picture is halved once more before the second stage.
LARGE_SIDE = 48
# The stem of `econet` halves pictures from this side on.
MEDIUM_SIDE = 24


def econet(input_shape: tuple[int, int, int], classes: int, *, width: float = 1.0) -> Architecture:
    """The candidate for `input_shape` (channels, height, width); `width` scales every layer's channels.

    At (1, 28, 28), ten classes and width 1: 106,906 parameters, 2.02 M MACs.
    Raises UserError where a side is under 8 pixels or the width is out of range.
    """
    side = _checked_side("econet", input_shape, width)
    stem = _stem(width, halves=side >= MEDIUM_SIDE)
    stages = _stages(STAGES, width, first_halves=side >= LARGE_SIDE)
    return _assembled("econet", input_shape, classes, (stem, *stages))


def econet_fine(input_shape: tuple[int, int, int], classes: int, *, width: float = 1.0) -> Architecture:
    """The finer candidate, `econet:fine`. At (1, 28, 28), ten classes and width 1: 75,978 parameters, 5.52 M MACs.

    Raises UserError where a side is under 8 pixels or the width is out of range.
    """
    side = _checked_side("econet:fine", input_shape, width)
    stem = _stem(width, halves=side >= LARGE_SIDE)
    stages = _stages(FINE_STAGES, width, first_halves=True)
    return _assembled("econet:fine", input_shape, classes, (stem, *stages))


def _checked_side(name: str, input_shape: tuple[int, int, int], width: float) -> int:
    side = min(input_shape[1:])
    if side < SMALLEST_SIDE:
        raise UserError(
            f"image size {side} is smaller than {name} can take",
            f"its halvings need at least {SMALLEST_SIDE} pixels a side",
            f"--image-size {SMALLEST_SIDE} or larger",
        )
    check_width(width)
    return side


def _stem(width: float, *, halves: bool) -> Conv:
    return Conv(channels=rounded(STEM_CHANNELS * width), stride=2 if halves else 1)


def _stages(plan: tuple[tuple[int, int], ...], width: float, *, first_halves: bool) -> Iterator[Separable]:
    """The blocks of all stages; the first block of a stage halves the map, in the first stage only where asked."""
    for number, (blocks, channels) in enumerate(plan):
        for index in range(blocks):
            halves = index == 0 and (number > 0 or first_halves)
            yield Separable(channels=rounded(channels * width), stride=2 if halves else 1)


def _assembled(name: str, input_shape: tuple[int, int, int], classes: int, body: tuple[AnyLayer, ...]) -> Architecture:
    layers = (*body, GlobalMean(), Dense(channels=classes, relu=False))
    return Architecture(name=name, input=input_shape, classes=classes, layers=layers)
