"""What an architecture costs, counted from the record alone: MACs and parameters, no torch needed."""

from econet.errors import UserError
from econet.models.architecture import (
    AnyLayer,
    Architecture,
    Bottleneck,
    Conv,
    Dense,
    Fire,
    InvertedResidual,
    Local,
    Residual,
    Separable,
    ShuffleUnit,
)
from econet.models.shapes import Shape, inner_channels, projects, splits, walk

# 4 GB of weights; the largest network here has 61 million.
MOST_PARAMETERS = 1_000_000_000


def macs(architecture: Architecture) -> int:
    """Multiply-accumulates of convolutions and matrix products for one image."""
    return sum(_cost(*step)[0] for step in walk(architecture))


def parameters(architecture: Architecture) -> int:
    """Weights and biases after batch norm is folded: what an exported file holds, without a mean image."""
    return sum(_cost(*step)[1] for step in walk(architecture))


def check_buildable(architecture: Architecture) -> None:
    """Raises UserError, before any memory is taken, for a recorded network that no module can be made of."""
    for number, (layer, reads, _) in enumerate(walk(architecture)):
        if isinstance(layer, Conv) and (reads[0] % layer.groups or layer.channels % layer.groups):
            raise UserError(
                f"the recorded architecture of {architecture.name} cannot be built",
                f"`layers[{number}].groups` is {layer.groups}, which divides not both {reads[0]} and {layer.channels} "
                "channels",
                "restore config.json from a copy",
            )
    total = parameters(architecture)
    if total > MOST_PARAMETERS:
        raise UserError(
            f"the recorded architecture of {architecture.name} is too large",
            f"it has {total:,} parameters; at most {MOST_PARAMETERS:,} are built",
            "restore config.json from a copy, or a smaller --width",
        )


def _cost(layer: AnyLayer, reads: Shape, gives: Shape) -> tuple[int, int]:
    """(MACs, parameters) of one layer."""
    inputs, outputs, places = reads[0], gives[0], gives[1] * gives[2]
    match layer:
        case Conv():
            return _convolution(inputs // layer.groups, outputs, layer.kernel, places)
        case Separable():
            pointwise = _convolution(inputs, outputs, 1, places)
            return _sum(_convolution(1, inputs, layer.kernel, places), pointwise)
        case Residual():
            inner = inner_channels(layer)
            both = _sum(_convolution(inputs, inner, 3, places), _convolution(inner, outputs, 3, places))
            return _sum(both, _convolution(inputs, outputs, 1, places)) if projects(layer, inputs) else both
        case InvertedResidual():
            return _inverted_residual(layer, reads, places)
        case Fire():
            squeezed = _convolution(inputs, layer.squeeze, 1, places)
            wide = _convolution(layer.squeeze, layer.expand3, 3, places)
            return _sum(squeezed, _convolution(layer.squeeze, layer.expand1, 1, places), wide)
        case ShuffleUnit():
            return _shuffle_unit(layer, reads, places)
        case Bottleneck():
            down = _convolution(inputs, layer.inner, 1, reads[1] * reads[2])
            middle = _convolution(layer.inner, layer.inner, 3, places)
            return _sum(_sum(down, middle), _convolution(layer.inner, outputs, 1, places))
        case Local():
            each, weights = _convolution(inputs, outputs, layer.kernel, 1)
            return each * places, weights * places
        case Dense():
            return _convolution(inputs, outputs, 1, 1)
        case _:
            return 0, 0


def _convolution(inputs: int, outputs: int, kernel: int, places: int) -> tuple[int, int]:
    weights = inputs * outputs * kernel * kernel
    return weights * places, weights + outputs


def _inverted_residual(layer: InvertedResidual, reads: Shape, places: int) -> tuple[int, int]:
    inputs, inner = reads[0], layer.expanded or reads[0]
    expand = (0, 0) if layer.expanded is None else _convolution(inputs, inner, 1, reads[1] * reads[2])
    return _sum(expand, _convolution(1, inner, layer.kernel, places), _convolution(inner, layer.channels, 1, places))


def _shuffle_unit(layer: ShuffleUnit, reads: Shape, places: int) -> tuple[int, int]:
    inputs, half = reads[0], layer.channels // 2
    right = _sum(
        _convolution(half if splits(layer, inputs) else inputs, layer.inner, 1, reads[1] * reads[2]),
        _convolution(1, layer.inner, layer.kernel, places),
        _convolution(layer.inner, half, 1, places),
    )
    if splits(layer, inputs):
        return right
    return _sum(right, _convolution(1, inputs, layer.kernel, places), _convolution(inputs, half, 1, places))


def _sum(*parts: tuple[int, int]) -> tuple[int, int]:
    return sum(each[0] for each in parts), sum(each[1] for each in parts)
