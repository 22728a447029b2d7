"""`shufflenet_v2:x0.5`: Ma et al. 2018, "ShuffleNet V2", table 5, the smallest of its four widths."""

from econet.models.architecture import AnyLayer, Architecture, Conv, Dense, GlobalMean, MaxPool, ShuffleUnit
from econet.models.classics.small_images import strides

STEM_CHANNELS = 24
# (units, channels) of stages 2 to 4; the first unit of each halves the map.
STAGES_HALF = ((4, 48), (8, 96), (4, 192))
HEAD_CHANNELS = 1024


def shufflenet_v2_half(input_shape: tuple[int, int, int], classes: int) -> Architecture:
    """1,366,792 parameters at 1,000 classes; 0.35 M and 10.9 M MACs at 3x32x32 and ten classes.

    Small pictures lose halvings from the front (`small_images`): the max-pool goes with the second. Raises UserError
    where a side is under 8 pixels.
    """
    stem, pool, *stages = strides("shufflenet_v2:x0.5", input_shape)
    body: list[AnyLayer] = [Conv(channels=STEM_CHANNELS, stride=stem)]
    if pool == 2:
        body.append(MaxPool(kernel=3, stride=2, padding=1))
    inputs = STEM_CHANNELS
    for (units, channels), stride in zip(STAGES_HALF, stages, strict=True):
        body += _stage(inputs, units, channels, stride)
        inputs = channels
    end = (Conv(channels=HEAD_CHANNELS, kernel=1), GlobalMean(), Dense(channels=classes, relu=False))
    return Architecture(name="shufflenet_v2:x0.5", input=input_shape, classes=classes, layers=(*body, *end))


def _stage(inputs: int, units: int, channels: int, stride: int) -> list[AnyLayer]:
    """The first unit widens the maps and halves them."""
    first = ShuffleUnit(channels=channels, inner=channels // 2, stride=stride)
    return [first, *[ShuffleUnit(channels=channels, inner=channels // 2)] * (units - 1)]
