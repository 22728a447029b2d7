"""`vgg_small`: six 3x3 convolutions in three pairs, each pair halved by a max-pool, and one dense layer.

The network that low-bit papers compare on for CIFAR-10: Cai et al. 2017, "Deep Learning with Low Precision by Half-wave
Gaussian Quantization", section 5 ("VGG-Small", after Simonyan and Zisserman 2014), with ReLU after its batch norm.
"""

from econet.errors import UserError
from econet.models.architecture import AnyLayer, Architecture, Conv, Dense, Flatten, MaxPool
from econet.models.width import check_width, rounded

PAIRS = (128, 256, 512)
SMALLEST_SIDE = 8


def vgg_small(input_shape: tuple[int, int, int], classes: int, *, width: float = 1.0) -> Architecture:
    """4.66 M parameters and 0.61 G MACs at 3x32x32, ten classes and width 1, which scales every layer's channels.

    Raises UserError where a side is under 8 pixels: the third halving would have nothing left.
    """
    check_width(width)
    if min(input_shape[1:]) < SMALLEST_SIDE:
        raise UserError(
            f"image size {min(input_shape[1:])} is smaller than vgg_small can take",
            f"its three halvings need at least {SMALLEST_SIDE} pixels a side",
            f"--image-size {SMALLEST_SIDE} or larger",
        )
    body: list[AnyLayer] = []
    for channels in PAIRS:
        body += [Conv(channels=rounded(channels * width))] * 2
        body.append(MaxPool(kernel=2, stride=2))
    layers = (*body, Flatten(), Dense(channels=classes, relu=False))
    return Architecture(name="vgg_small", input=input_shape, classes=classes, layers=layers)
