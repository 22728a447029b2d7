"""`alexnet`: the network that was published in 2012, in the paper's reading and in the original code's.

Sources: Krizhevsky, Sutskever, Hinton 2012 (section numbers are its own), and the 2012 code that the Computer History
Museum released in 2025: its net 145, and 145-half, 146, 147, 148 and 150 for the variants. Both presets have 60,965,224
parameters and 724,406,816 MACs for three channels, 224 pixels a side and 1000 classes.

The two columns, one for each of the paper's graphics cards, are two groups of channels ordered [a; b]: convolutions
that stay inside a column have `groups=2`. `alexnet:mini` is the same plan for pictures of 24 to 64 pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from econet.errors import UserError, unknown_name
from econet.models.architecture import (
    Activation,
    AnyLayer,
    Architecture,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalMean,
    Lrn,
    MapNorm,
    MaxPool,
    MeanImage,
)
from econet.models.shapes import walk
from econet.models.width import check_width, rounded

Nonlinearity = Literal["relu", "tanh"]
Extent = Literal["layer", "column"]
MIDDLE = ("conv3", "conv4", "conv5")


@dataclass(frozen=True, slots=True)
class Preset:
    """Where the presets differ. A spread of None is that of He et al. 2015."""

    name: str
    channels: tuple[int, int, int, int, int]
    dense: int
    first_kernel: int
    first_stride: int
    first_std: float
    std: float | None
    middle_std: float | None
    bias: float
    lrn: Lrn
    extent: Extent
    code_order: bool


PAPER = Preset(
    name="alexnet:paper",
    channels=(96, 256, 384, 384, 256),
    dense=4096,
    first_kernel=11,
    first_stride=4,
    first_std=0.01,
    std=0.01,
    middle_std=0.01,
    bias=1.0,
    lrn=Lrn(size=5, alpha=1e-4, beta=0.75, k=2.0),
    extent="layer",
    code_order=False,
)
ORIGINAL_CODE = Preset(
    name="alexnet:original_code",
    channels=(96, 256, 384, 384, 256),
    dense=4096,
    first_kernel=11,
    first_stride=4,
    first_std=0.01,
    std=0.01,
    middle_std=0.03,
    bias=1.0,
    # Its parser divides the scale of 1e-4 by the window.
    lrn=Lrn(size=5, alpha=2e-5, beta=0.75, k=2.0),
    extent="column",
    code_order=True,
)
# A spread of 0.01 and biases of 1 are made for the full size. The first layer takes He's for 75 inputs, divided by
# 64 grey levels, the spread of the pixels.
MINI = Preset(
    name="alexnet:mini",
    channels=(64, 128, 192, 192, 128),
    dense=512,
    first_kernel=5,
    first_stride=1,
    first_std=0.0025,
    std=None,
    middle_std=None,
    bias=0.0,
    lrn=Lrn(size=5, alpha=1e-4, beta=0.75, k=2.0),
    extent="layer",
    code_order=False,
)
# The code's second normalisation of layer 2: a scale of 1e-3, divided by the 5 x 5 pixels of its window.
SAME_MAP = MapNorm(size=5, alpha=4e-5, beta=0.75)


@dataclass(frozen=True, slots=True)
class _Switches:
    """What of the published network is changed, as `alexnet` takes it."""

    relu: bool
    lrn: bool
    lrn_columns: int
    batch_norm: bool
    overlap: bool
    dropout: bool
    bias: float
    without_layer: str | None
    columns: int
    communicate: bool
    conv6: bool
    dense_layers: bool


def alexnet(
    preset: Preset,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    width: float = 1.0,
    activation: Nonlinearity = "relu",
    lrn: bool = True,
    lrn_extent: Extent | None = None,
    batch_norm: bool = False,
    overlap: bool = True,
    dropout: bool = True,
    bias_one: bool | None = None,
    without_layer: str | None = None,
    columns: int = 2,
    communicate: bool = True,
    conv6: bool = False,
    dense_layers: bool = True,
) -> Architecture:
    """The network of `preset`; every switch left alone, it is the one that was published.

    `lrn_extent`: windows over the whole layer or inside a column; None is the preset's. `batch_norm` stands in place of
    the normalisation, before the ReLU. `overlap=False`: pools of 2 x 2 (net 147). `bias_one`: whether the biases that
    the paper starts at 1 do. `without_layer`: conv3, conv4 or conv5 left out (section 7). `columns=1`: the one-card
    network, half the kernels but for the last convolution and the dense layers (section 3.2, note 2).
    `communicate=False`: columns that meet in the last layer alone, with a wider second layer and f6 (net 150).
    `conv6`: one more convolution over the last pooling (section 6, net 146). `dense_layers=False`: a global mean and
    one classifier in place of f6 and f7.
    Raises UserError for a switch out of range and for images too small.
    """
    _check(preset, width, activation, lrn_extent, without_layer, columns, communicate)
    switches = _Switches(
        relu=activation == "relu",
        lrn=lrn and not batch_norm,
        lrn_columns=columns if (lrn_extent or preset.extent) == "column" else 1,
        batch_norm=batch_norm,
        overlap=overlap,
        dropout=dropout,
        bias=preset.bias if bias_one is None else float(bias_one),
        without_layer=without_layer,
        columns=columns,
        communicate=communicate,
        conv6=conv6,
        dense_layers=dense_layers,
    )
    body = (MeanImage(), *_convolutions(preset, switches, width, input_shape))
    trunk = Architecture(name=preset.name, input=input_shape, classes=classes, layers=body)
    side = [gives for _, _, gives in walk(trunk)][-1][1]
    return replace(trunk, layers=(*body, *_classifier(preset, switches, width, side), _last(preset, classes)))


def _check(
    preset: Preset,
    width: float,
    activation: str,
    lrn_extent: str | None,
    without_layer: str | None,
    columns: int,
    communicate: bool,
) -> None:
    check_width(width)
    for switch, value, known in (
        ("activation", activation, ("relu", "tanh")),
        ("lrn_extent", lrn_extent or "layer", ("layer", "column")),
        ("without_layer", without_layer or "conv3", MIDDLE),
    ):
        if value not in known:
            raise unknown_name(switch, value, known)
    if columns not in (1, 2):
        raise UserError(f"{preset.name} cannot have {columns} columns", "the paper's have two and one", "columns=2")
    if columns == 1 and not communicate:
        raise UserError(f"{preset.name} with one column cannot be cut apart", "there is no other column", "columns=2")


def _convolutions(
    preset: Preset, switches: _Switches, width: float, input_shape: tuple[int, int, int]
) -> Iterator[AnyLayer]:
    """conv1 to conv5, and conv6 where asked, each with what follows it."""
    columns = switches.columns
    # Both columns together; a column's own width is a multiple of 8. One column has half of all but the last.
    c1, c2, c3, c4, c5 = (2 * rounded(channels * width / 2) for channels in preset.channels)
    c1, c2, c3, c4 = (channels * columns // 2 for channels in (c1, c2, c3, c4))
    # Net 147 shrinks two paddings at full size, so that conv3 still sees 13 x 13 behind pools that do not overlap.
    shrinks = not switches.overlap and preset.first_stride > 1
    inside, crossing = columns, 1 if switches.communicate else columns
    yield from _layer(preset, switches, 1, _first(preset, c1, input_shape, norm=switches.batch_norm))
    conv2 = Conv(
        channels=c2 if switches.communicate else c2 * 5 // 4,
        kernel=5,
        groups=inside,
        padding=1 if shrinks else None,
        norm=switches.batch_norm,
        init_std=preset.std,
        init_bias=switches.bias,
    )
    yield from _layer(preset, switches, 2, conv2)
    middle = Conv(channels=c3, groups=crossing, norm=False, init_std=preset.middle_std)
    later = replace(middle, channels=c4, groups=inside, init_bias=switches.bias)
    convolutions = {
        "conv3": middle,
        "conv4": later,
        "conv5": replace(later, channels=c5, padding=0 if shrinks else None),
    }
    kept = [conv for name, conv in convolutions.items() if name != switches.without_layer]
    for conv in kept[:-1]:
        yield from _layer(preset, switches, 3, conv)
    yield from _layer(preset, switches, 5, kept[-1])
    if switches.conv6:
        yield from _layer(preset, switches, 6, replace(later, channels=c5, groups=crossing))


def _first(preset: Preset, channels: int, input_shape: tuple[int, int, int], *, norm: bool) -> Conv:
    """conv1. At full size by the code's rule: every window that begins inside counts, the last ones reach into zeros.

    224 pixels so give the paper's 55 windows, which neither no padding (54) nor the printed 224 explain.
    """
    kernel, stride = preset.first_kernel, preset.first_stride
    if stride == 1:
        return Conv(channels=channels, kernel=kernel, norm=norm, init_std=preset.first_std)
    bottom, right = (-(side - kernel) % stride for side in input_shape[1:])
    return Conv(
        channels=channels,
        kernel=kernel,
        stride=stride,
        padding=0,
        far_padding=(bottom, right),
        norm=norm,
        init_std=preset.first_std,
    )


def _layer(preset: Preset, switches: _Switches, number: int, conv: Conv) -> Iterator[AnyLayer]:
    """Convolution `number` with its nonlinearity, normalisation and pooling, in the preset's order."""
    late = preset.code_order and number in (1, 5)  # rectified behind the pooling
    yield replace(conv, relu=switches.relu and not late)
    if not switches.relu and not late:
        yield Activation(function="tanh")
    if number in (1, 2) and switches.lrn:
        yield replace(preset.lrn, columns=switches.lrn_columns)
        if preset.code_order and number == 2:
            yield SAME_MAP
    if number in (1, 2, 5):
        yield MaxPool(kernel=3 if switches.overlap else 2, stride=2, ceil=True)
    if late:
        yield Activation(function="relu" if switches.relu else "tanh")


def _classifier(preset: Preset, switches: _Switches, width: float, side: int) -> Iterator[AnyLayer]:
    """f6 and f7, each with its dropout, over maps of `side` x `side`; or a global mean."""
    if not switches.dense_layers:
        yield GlobalMean()
        return
    wide = 2 * rounded(preset.dense * width / 2)
    if switches.communicate:
        yield Flatten()
    for number in (6, 7):
        if switches.communicate:
            yield Dense(channels=wide, relu=switches.relu, init_std=preset.std, init_bias=switches.bias)
        else:  # a dense layer inside each column is a grouped convolution over the whole map
            yield Conv(
                channels=2 * wide if number == 6 else wide,
                kernel=side if number == 6 else 1,
                groups=switches.columns,
                padding=0,
                norm=False,
                relu=switches.relu,
                init_std=preset.std,
                init_bias=switches.bias,
            )
        if not switches.relu:
            yield Activation(function="tanh")
        if switches.dropout:
            yield Dropout(p=0.5, inverted=False)
    if not switches.communicate:
        yield Flatten()


def _last(preset: Preset, classes: int) -> Dense:
    return Dense(channels=classes, relu=False, init_std=preset.std)
