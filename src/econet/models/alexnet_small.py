"""`alexnet_small`: AlexNet's plan at the scale of 28 to 64 pixel images; the baseline of every comparison.

Five convolutions, overlapping pooling after the first, second and fifth, three dense layers with dropout, ReLU:
the plan of Krizhevsky et al. 2012, figure 2, with widths for small images. Without LRN unless asked: it costs
most of the latency and breaks 8-bit files.
"""

from econet.errors import UserError
from econet.models.architecture import (
    AnyLayer,
    Architecture,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Lrn,
    MaxPool,
)

SMALLEST_SIDE = 28
DROPOUT = 0.3


def alexnet_small(input_shape: tuple[int, int, int], classes: int, *, lrn: bool = False) -> Architecture:
    """The baseline for `input_shape` (channels, height, width) and `classes`.

    At (1, 28, 28) and ten classes: 1.13 M parameters, 20.7 M MACs. From 56 pixels a side the first convolution has
    stride 2, as the published network's had stride 4 at 224.
    Raises UserError where a side is under 28 pixels: the third pooling would have nothing left.
    """
    if min(input_shape[1:]) < SMALLEST_SIDE:
        raise UserError(
            f"image size {min(input_shape[1:])} is smaller than alexnet_small can take",
            f"its three overlapping poolings need at least {SMALLEST_SIDE} pixels a side",
            f"--image-size {SMALLEST_SIDE} or larger, or --model econet (from 8)",
        )
    stride = 2 if min(input_shape[1:]) >= 2 * SMALLEST_SIDE else 1
    normalise: tuple[AnyLayer, ...] = (Lrn(),) if lrn else ()
    return Architecture(
        name="alexnet_small",
        input=input_shape,
        classes=classes,
        layers=(
            Conv(channels=32, kernel=5, stride=stride, norm=False),
            *normalise,
            MaxPool(),
            Conv(channels=64, kernel=5, norm=False),
            *normalise,
            MaxPool(),
            Conv(channels=128, norm=False),
            Conv(channels=128, norm=False),
            Conv(channels=64, norm=False),
            MaxPool(padding=1),
            Flatten(),
            Dropout(p=DROPOUT),
            Dense(channels=640),
            Dropout(p=DROPOUT),
            Dense(channels=640),
            Dense(channels=classes, relu=False),
        ),
    )
