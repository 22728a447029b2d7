"""`resnet_small`: a dense residual network for small images; EcoNet's usual teacher, never its candidate."""

from econet.models.architecture import Architecture, Conv, Dense, GlobalMean, Residual
from econet.models.econet import rounded

STAGES = ((2, 32, 1), (2, 64, 2), (2, 128, 2))


def resnet_small(input_shape: tuple[int, int, int], classes: int, *, width: float = 1.0) -> Architecture:
    """Three stages of residual blocks (He et al. 2016, section 4.2, wider and shallower)."""
    blocks = [
        Residual(channels=rounded(channels * width), stride=stride if index == 0 else 1)
        for count, channels, stride in STAGES
        for index in range(count)
    ]
    stem = Conv(channels=rounded(STAGES[0][1] * width))
    layers = (stem, *blocks, GlobalMean(), Dense(channels=classes, relu=False))
    return Architecture(name="resnet_small", input=input_shape, classes=classes, layers=layers)
