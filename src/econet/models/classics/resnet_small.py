"""`resnet_small`: a dense residual network for small images; EcoNet's usual teacher, never its candidate."""

from econet.models.architecture import Architecture, Conv, Dense, GlobalMean, Residual
from econet.models.width import rounded

STEM_CHANNELS = 32
# (blocks, channels, stride of the first) at width 1.
STAGES = ((2, 64, 2), (2, 128, 2))


def resnet_small(input_shape: tuple[int, int, int], classes: int, *, width: float = 1.0) -> Architecture:
    """A stem at full resolution, then two stages of residual blocks at a half and a quarter of it.

    The plan of He et al. 2016, section 4.2, wider and shallower: at 28x28x1 and width 1 it has 0.69 M parameters
    and 58 M MACs.
    """
    blocks = [
        Residual(channels=rounded(channels * width), stride=stride if index == 0 else 1)
        for count, channels, stride in STAGES
        for index in range(count)
    ]
    stem = Conv(channels=rounded(STEM_CHANNELS * width))
    layers = (stem, *blocks, GlobalMean(), Dense(channels=classes, relu=False))
    return Architecture(name="resnet_small", input=input_shape, classes=classes, layers=layers)
