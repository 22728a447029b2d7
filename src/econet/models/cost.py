"""What an architecture costs, counted from the record alone: MACs and parameters, no torch needed."""

from econet.models.architecture import (
    Architecture,
    Conv,
    Dense,
    Flatten,
    GlobalMean,
    MaxPool,
    Residual,
    Separable,
)


def macs(architecture: Architecture) -> int:
    """Multiply-accumulates of convolutions and matrix products for one image."""
    return _walk(architecture)[0]


def parameters(architecture: Architecture) -> int:
    """Weights and biases after batch norm is folded: what an exported file holds."""
    return _walk(architecture)[1]


def _walk(architecture: Architecture) -> tuple[int, int]:
    channels, height, width = architecture.input
    total, weights = 0, 0

    def convolution(inputs: int, outputs: int, kernel: int, side: int) -> None:
        nonlocal total, weights
        total += inputs * outputs * kernel * kernel * side
        weights += inputs * outputs * kernel * kernel + outputs

    for layer in architecture.layers:
        match layer:
            case Conv() | Separable() | Residual():
                height, width = -(-height // layer.stride), -(-width // layer.stride)
                if isinstance(layer, Conv):
                    convolution(channels, layer.channels, layer.kernel, height * width)
                elif isinstance(layer, Separable):
                    total += channels * layer.kernel**2 * height * width
                    weights += channels * (layer.kernel**2 + 1)
                    convolution(channels, layer.channels, 1, height * width)
                else:
                    convolution(channels, layer.channels, 3, height * width)
                    convolution(layer.channels, layer.channels, 3, height * width)
                    if layer.stride != 1 or channels != layer.channels:
                        convolution(channels, layer.channels, 1, height * width)
                channels = layer.channels
            case MaxPool():
                height = (height + 2 * layer.padding - layer.kernel) // layer.stride + 1
                width = (width + 2 * layer.padding - layer.kernel) // layer.stride + 1
            case GlobalMean():
                height = width = 1
            case Flatten():
                channels, height, width = channels * height * width, 1, 1
            case Dense():
                convolution(channels, layer.channels, 1, 1)
                channels = layer.channels
            case _:
                pass
    return total, weights
