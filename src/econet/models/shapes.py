"""The shape of the maps behind every layer, told from the record alone. This file knows no torch."""

from collections.abc import Iterator

from econet.errors import UserError
from econet.models.architecture import (
    AnyLayer,
    Architecture,
    AvgPool,
    Bottleneck,
    Conv,
    Dense,
    Fire,
    Flatten,
    GlobalMean,
    InvertedResidual,
    Local,
    MaxPool,
    Residual,
    Separable,
    ShuffleUnit,
)

# (channels, height, width); a vector is (channels, 1, 1).
Shape = tuple[int, int, int]


def walk(architecture: Architecture) -> Iterator[tuple[AnyLayer, Shape, Shape]]:
    """Every layer with the shape it reads and the shape it gives.

    Raises UserError where the images are so small that a layer would have nothing left.
    """
    shape = architecture.input
    for number, layer in enumerate(architecture.layers, 1):
        given = output_shape(layer, shape)
        if min(given) < 1:
            raise UserError(
                f"image size {min(architecture.input[1:])} is smaller than {architecture.name} can take",
                f"its layer {number} ({type(layer).__name__}) would get maps of {shape[1]}x{shape[2]} and give none",
                "a larger --image-size, or --model econet (from 8)",
            )
        yield layer, shape, given
        shape = given


def output_shape(layer: AnyLayer, shape: Shape) -> Shape:
    """What `layer` gives for maps of `shape`; a side of 0 or less where nothing is left."""
    channels, height, width = shape
    match layer:
        case Conv():
            bottom, right = layer.far_padding
            total = 2 * padding_of(layer)
            return (
                layer.channels,
                _windows(height + total + bottom, layer.kernel, layer.stride),
                _windows(width + total + right, layer.kernel, layer.stride),
            )
        case Separable() | Residual() | Bottleneck():
            return layer.channels, -(-height // layer.stride), -(-width // layer.stride)
        case InvertedResidual() | ShuffleUnit():
            return layer.channels, -(-height // layer.stride), -(-width // layer.stride)
        case Fire():
            return layer.expand1 + layer.expand3, height, width
        case Local():
            return layer.channels, height, width
        case MaxPool() | AvgPool():
            return channels, _pooled(height, layer), _pooled(width, layer)
        case GlobalMean():
            return channels, 1, 1
        case Flatten():
            return channels * height * width, 1, 1
        case Dense():
            return layer.channels, 1, 1
        case _:
            return shape


def padding_of(layer: Conv) -> int:
    """The zeros on every side of a convolution's input."""
    return layer.kernel // 2 if layer.padding is None else layer.padding


def splits(layer: ShuffleUnit, inputs: int) -> bool:
    """Whether half of the `inputs` channels pass a shuffle unit untouched."""
    return layer.stride == 1 and inputs == layer.channels if layer.splits is None else layer.splits


def adds_input(layer: Separable | Bottleneck, inputs: int) -> bool:
    """Whether a block that reads `inputs` channels adds them to what it gives."""
    return layer.stride == 1 and inputs == layer.channels if layer.adds_input is None else layer.adds_input


def inner_channels(layer: Residual) -> int:
    """The channels between the two convolutions of a residual block."""
    return layer.channels if layer.inner is None else layer.inner


def projects(layer: Residual, inputs: int) -> bool:
    """Whether a residual block that reads `inputs` channels has a convolution as its shortcut."""
    return layer.stride != 1 or inputs != layer.channels if layer.projects is None else layer.projects


def _windows(side: int, kernel: int, stride: int) -> int:
    return (side - kernel) // stride + 1


def _pooled(side: int, pool: MaxPool | AvgPool) -> int:
    if isinstance(pool, MaxPool):
        side += 2 * pool.padding
    if side < pool.kernel:
        return 0
    return -(-(side - pool.kernel) // pool.stride) + 1 if pool.ceil else _windows(side, pool.kernel, pool.stride)
