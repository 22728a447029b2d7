"""`lenet5`: LeCun, Bottou, Bengio, Haffner 1998, "Gradient-Based Learning Applied to Document Recognition", figure 2.

The reading that is usual today, 61,706 parameters at 1x32x32 and ten classes: every map of C3 reads all six of S2
(the paper's table I connects some), S2 and S4 are plain means of 2x2 (the paper's coefficient and bias of each map are
absorbed by the weights behind), the nonlinearity is tanh where the paper has 1.7159 tanh(2x/3), and one dense layer
takes the place of the fixed codes at the end, which exist for characters only.
"""

from typing import Literal

from econet.errors import UserError, unknown_name
from econet.models.architecture import (
    Activation,
    AnyLayer,
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Flatten,
)

SMALLEST_SIDE = 28
# The paper's own size; smaller pictures get the zeros around them that it drew there.
PUBLISHED_SIDE = 32


def lenet5(
    input_shape: tuple[int, int, int], classes: int, *, activation: Literal["tanh", "relu"] = "tanh"
) -> Architecture:
    """LeNet-5 with the nonlinearity of its time, or ReLU, with which its int8 file is integer throughout.

    Raises UserError where a side is under 28 pixels, or for another nonlinearity.
    """
    if activation not in ("tanh", "relu"):
        raise unknown_name("activation", activation, ("tanh", "relu"))
    side = min(input_shape[1:])
    if side < SMALLEST_SIDE:
        raise UserError(
            f"image size {side} is smaller than lenet5 can take",
            "three convolutions of 5x5 and two halvings leave nothing of it",
            f"--image-size {SMALLEST_SIDE} or larger",
        )
    bent: AnyLayer = Activation(function=activation)
    pool = AvgPool(kernel=2, stride=2, ceil=False)
    layers: tuple[AnyLayer, ...] = (
        _conv(6, padding=2 if side < PUBLISHED_SIDE else 0),
        bent,
        pool,
        _conv(16),
        bent,
        pool,
        _conv(120),
        bent,
        Flatten(),
        Dense(channels=84, relu=False),
        bent,
        Dense(channels=classes, relu=False),
    )
    return Architecture(name="lenet5", input=input_shape, classes=classes, layers=layers)


def _conv(channels: int, padding: int = 0) -> Conv:
    return Conv(channels=channels, kernel=5, padding=padding, norm=False, relu=False)
