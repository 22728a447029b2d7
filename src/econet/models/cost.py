"""What an architecture costs, counted from the record alone: MACs and parameters, no torch needed."""

from econet.models.architecture import AnyLayer, Architecture, Bottleneck, Conv, Dense, Local, Residual, Separable
from econet.models.shapes import Shape, walk


def macs(architecture: Architecture) -> int:
    """Multiply-accumulates of convolutions and matrix products for one image."""
    return sum(_cost(*step)[0] for step in walk(architecture))


def parameters(architecture: Architecture) -> int:
    """Weights and biases after batch norm is folded: what an exported file holds, without a mean image."""
    return sum(_cost(*step)[1] for step in walk(architecture))


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
            both = _sum(_convolution(inputs, outputs, 3, places), _convolution(outputs, outputs, 3, places))
            keeps = layer.stride == 1 and inputs == outputs
            return both if keeps else _sum(both, _convolution(inputs, outputs, 1, places))
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


def _sum(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    return first[0] + second[0], first[1] + second[1]
