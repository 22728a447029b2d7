"""`squeezenet`: SqueezeNet 1.1 of Iandola et al. 2016, 2.4 times cheaper than that paper's own 1.0, at equal accuracy.

Source of the plan: github.com/forresti/SqueezeNet, SqueezeNet_v1.1. Two things are otherwise. Batch norm follows every
convolution (`norm`): from random weights the network hardly learns without, and it folds into the same biases. And the
last convolution loses its ReLU, so that the mean over positions can be taken before it: the sums are the same for fewer
multiplications, and no logit is stuck at 0.
"""

from econet.models.architecture import AnyLayer, Architecture, Conv, Dense, Dropout, Fire, GlobalMean, MaxPool
from econet.models.classics.small_images import strides
from econet.models.width import check_width, rounded

# (squeeze, expand 1x1 and 3x3) of the eight fire modules; a max-pool lies before the first, third and fifth.
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
STEM_CHANNELS = 64


def squeezenet(
    input_shape: tuple[int, int, int], classes: int, *, width: float = 1.0, norm: bool = True
) -> Architecture:
    """1,235,496 parameters at 3x224x224 and 1,000 classes, 0.73 M at ten; `width` scales every layer's channels.

    Small pictures lose halvings from the front (`small_images`). Raises UserError where a side is under 8 pixels.
    """
    check_width(width)
    stem, *pools = strides("squeezenet", input_shape, halvings=4)
    # Unpadded at stride 2, as published; at stride 1 padded, so that small pictures keep their size.
    padding = None if stem == 1 else 0
    body: list[AnyLayer] = [
        Conv(channels=rounded(STEM_CHANNELS * width), stride=stem, padding=padding, norm=norm),
    ]
    for number, (squeeze, expand) in enumerate(FIRES):
        if number in (0, 2, 4) and pools[number // 2] == 2:
            body.append(MaxPool(kernel=3, stride=2, ceil=True))
        wide = rounded(expand * width)
        body.append(Fire(squeeze=rounded(squeeze * width), expand1=wide, expand3=wide, norm=norm))
    layers = (*body, Dropout(p=0.5), GlobalMean(), Dense(channels=classes, relu=False))
    return Architecture(name="squeezenet", input=input_shape, classes=classes, layers=layers)
