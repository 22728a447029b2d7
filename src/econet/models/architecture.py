"""An architecture is data: a frozen list of layers that `config.json` holds whole and one builder makes.

Widths, depths and strides stand in the record, so that what was pruned or found by search is rebuilt from it
without code of its own. This file knows no torch.
"""

from typing import Annotated, Any, Literal

import msgspec

from econet.errors import UserError
from econet.runs.record import with_value

# What a record may say: beyond lies a slip, or a file that would fill the memory.
Count = Annotated[int, msgspec.Meta(ge=1, le=65_536)]
Padding = Annotated[int, msgspec.Meta(ge=0, le=65_536)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Layer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """One entry of an architecture; a map is [N, C, H, W], a vector [N, C]."""


class Weighted(Layer, frozen=True, kw_only=True):
    """What every layer with weights may fix for itself.

    Weights start normal with `init_std` (None: He et al. 2015, equation 10), biases at `init_bias`. `decay` is the
    layer's own weight decay; None takes the training's.
    """

    init_std: float | None = None
    init_bias: float = 0.0
    decay: float | None = None


class Conv(Weighted, frozen=True, kw_only=True, tag="conv"):
    """Convolution in `groups` of channels, then batch norm (or a bias) and, unless `relu` is off, ReLU up to `limit`.

    `padding` zeros lie on every side (None: half the kernel), and `far_padding` (bottom, right) more on the far
    ones, where the last window reaches over the edge.
    """

    channels: Count
    kernel: Count = 3
    stride: Count = 1
    groups: Count = 1
    padding: Padding | None = None
    far_padding: tuple[Padding, Padding] = (0, 0)
    norm: bool = True
    relu: bool = True
    limit: float | None = None


class Local(Weighted, frozen=True, kw_only=True, tag="local"):
    """Convolution whose weights and biases are not shared: a filter bank of its own at every position, then ReLU.

    Source: cuda-convnet, `conv-local` layers (Krizhevsky 2011). Stride 1, half the kernel as padding.
    """

    channels: Count
    kernel: Count = 3


class Separable(Layer, frozen=True, kw_only=True, tag="separable"):
    """Depthwise `kernel` x `kernel`, then pointwise to `channels`; the input is added where shapes agree.

    Source: Howard et al. 2017, "MobileNets", section 3.1. Batch norm and ReLU follow both. `adds_input` says for itself
    whether the input is added: after a cut shapes may agree that did not before.
    """

    channels: Count
    kernel: Count = 3
    stride: Count = 1
    adds_input: bool | None = None


class Residual(Layer, frozen=True, kw_only=True, tag="residual"):
    """Two dense 3x3 convolutions around an identity (a 1x1 convolution where shapes differ).

    Source: He et al. 2016, "Deep Residual Learning", section 3.3, with the shortcut of option B, whose convolution has
    a bias instead of batch norm without `shortcut_norm`. `inner` is the width between the two (None: that of the
    block), and `projects` says for itself whether the shortcut is a convolution.
    """

    channels: Count
    stride: Count = 1
    shortcut_norm: bool = True
    inner: Count | None = None
    projects: bool | None = None


class InvertedResidual(Layer, frozen=True, kw_only=True, tag="inverted-residual"):
    """Pointwise to `expanded` channels (None: not at all), depthwise, pointwise to `channels` without ReLU.

    The input is added where `adds_input` says so, which needs stride 1 and equal shapes. ReLU stops at `limit`.
    Source: Sandler et al. 2018, "MobileNetV2", section 3.3.
    """

    expanded: Count | None
    channels: Count
    kernel: Count = 3
    stride: Count = 1
    adds_input: bool = False
    limit: float | None = 6.0


class Fire(Layer, frozen=True, kw_only=True, tag="fire"):
    """Pointwise to `squeeze` channels; from these `expand1` by 1x1 and `expand3` by 3x3, side by side. ReLU after each.

    Source: Iandola et al. 2016, "SqueezeNet", section 3.2, which has no `norm`.
    """

    squeeze: Count
    expand1: Count
    expand3: Count
    norm: bool = False


class ShuffleUnit(Layer, frozen=True, kw_only=True, tag="shuffle-unit"):
    """Half of the channels pass, the other half goes through pointwise, depthwise (`inner` wide) and pointwise.

    Where shapes change both halves are made from all of the input: one as above, one by depthwise and pointwise. The
    halves of the result are then dealt out in turn. `splits` says for itself whether half passes: after a cut shapes
    may agree that did not before. Source: Ma et al. 2018, "ShuffleNet V2", figure 3 (c) and (d).
    """

    channels: Count
    inner: Count
    kernel: Count = 3
    stride: Count = 1
    splits: bool | None = None


class Bottleneck(Layer, frozen=True, kw_only=True, tag="bottleneck"):
    """1x1 down to `inner` channels, a dense 3x3, 1x1 up to `channels`; the input is added where shapes agree.

    Source: He et al. 2016, "Deep Residual Learning", section 4.1, the bottleneck block; the stride is the 3x3's.
    `adds_input` says for itself whether the input is added, as in `Separable`.
    """

    channels: Count
    inner: Count
    stride: Count = 1
    adds_input: bool | None = None


class MaxPool(Layer, frozen=True, kw_only=True, tag="max-pool"):
    """Largest value in a `kernel` x `kernel` window every `stride` pixels; overlapping where kernel > stride.

    With `ceil` a last window that is cut off by the edge counts too.
    """

    kernel: Count = 3
    stride: Count = 2
    padding: Padding = 0
    ceil: bool = False


class AvgPool(Layer, frozen=True, kw_only=True, tag="avg-pool"):
    """Mean of a window every `stride` pixels.

    With `ceil` a last window that is cut off by the edge counts too, with the mean of what is left of it.
    """

    kernel: Count = 3
    stride: Count = 2
    ceil: bool = True


class Lrn(Layer, frozen=True, kw_only=True, tag="lrn"):
    """`a / (k + alpha * sum of a^2 over `size` maps)^beta` (Krizhevsky et al. 2012, section 3.3).

    `alpha` multiplies the sum itself. The window stays inside one of `columns` equal parts of the maps.
    """

    size: Count = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0
    columns: Count = 1


class MapNorm(Layer, frozen=True, kw_only=True, tag="map-norm"):
    """`a / (1 + alpha * sum of a^2 over `size` x `size` pixels of the same map)^beta` (cuda-convnet's `rnorm`)."""

    size: Count
    alpha: float
    beta: float = 0.75


class Activation(Layer, frozen=True, kw_only=True, tag="activation"):
    """A nonlinearity of its own, where it does not directly follow the weights or is no ReLU."""

    function: Literal["relu", "tanh"] = "relu"


class MeanImage(Layer, frozen=True, kw_only=True, tag="mean-image"):
    """Subtracts the mean of the training images, pixel by pixel; training finds it, the weights keep it."""


class GlobalMean(Layer, frozen=True, kw_only=True, tag="global-mean"):
    """Mean over all positions: [N, C, H, W] -> [N, C]."""


class Flatten(Layer, frozen=True, kw_only=True, tag="flatten"):
    """[N, C, H, W] -> [N, C * H * W]."""


class Dropout(Layer, frozen=True, kw_only=True, tag="dropout"):
    """Zero each value with probability `p` in training.

    With `inverted` the rest is scaled by 1 / (1 - p) in training; without, everything by 1 - p afterwards, as in
    2012: in terms of the next layer's weights that is another training, with twice the spread and 4 times the rate.
    """

    p: Share = 0.5
    inverted: bool = True


class Dense(Weighted, frozen=True, kw_only=True, tag="dense"):
    """Fully connected layer with bias, and ReLU unless it is the classifier."""

    channels: Count
    relu: bool = True


AnyLayer = (
    Conv
    | Local
    | Separable
    | Residual
    | InvertedResidual
    | Fire
    | ShuffleUnit
    | Bottleneck
    | MaxPool
    | AvgPool
    | Lrn
    | MapNorm
    | Activation
    | MeanImage
    | GlobalMean
    | Flatten
    | Dropout
    | Dense
)


class Architecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole network: `input` is (channels, height, width), the last layer gives one logit a class."""

    name: str
    input: tuple[Count, Count, Count]
    classes: Count
    layers: tuple[AnyLayer, ...]


def to_data(architecture: Architecture) -> dict[str, Any]:
    """The architecture as plain JSON types, for `config.json`."""
    return msgspec.to_builtins(architecture)


def from_data(data: dict[str, Any]) -> Architecture:
    """Read an architecture back. Raises UserError naming the field that is wrong."""
    try:
        return msgspec.convert(data, Architecture)
    except msgspec.ValidationError as error:
        raise UserError(
            "the recorded architecture cannot be read", with_value(error, data), "restore config.json from a copy"
        ) from error
