"""The layers of 2012 in plain numpy and float64, from the printed formulas: what tests hold the networks against.

Maps are [N, C, H, W], vectors [N, C].
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn

Array = np.ndarray


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def flat(x: Array) -> Array:
    return x.reshape(len(x), -1)


def dense(x: Array, weight: Array, bias: Array) -> Array:
    return x @ weight.T + bias


def windows(x: Array, kernel: int, stride: int) -> Array:
    """[N, C, H', W', kernel, kernel]."""
    return sliding_window_view(x, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]


def surrounded(x: Array, top: int, left: int, bottom: int, right: int, value: float = 0.0) -> Array:
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def convolution(
    x: Array, weight: Array, bias: Array, *, stride: int = 1, padding: int = 0, far: int = 0, groups: int = 1
) -> Array:
    """`padding` zeros on every side and `far` more on the right and the bottom; each group reads its own maps."""
    x = surrounded(x, padding, padding, padding + far, padding + far)
    inputs, outputs = x.shape[1] // groups, len(weight) // groups
    parts = [
        np.einsum(
            "ncyxij,ocij->noyx",
            windows(x[:, g * inputs : (g + 1) * inputs], weight.shape[-1], stride),
            weight[g * outputs : (g + 1) * outputs],
            optimize=True,
        )
        for g in range(groups)
    ]
    return np.concatenate(parts, axis=1) + bias[:, None, None]


def local(x: Array, weight: Array, bias: Array, kernel: int = 3) -> Array:
    """Weights [places, C * kernel * kernel, outputs] and biases [places, 1, outputs] of their own at every place."""
    around = kernel // 2
    seen = windows(surrounded(x, around, around, around, around), kernel, 1)
    count, _, height, width = seen.shape[:4]
    result = np.empty((count, weight.shape[2], height, width))
    for place in range(height * width):
        row, column = divmod(place, width)
        result[:, :, row, column] = flat(seen[:, :, row, column]) @ weight[place] + bias[place]
    return result


def _reaching_over(x: Array, kernel: int, stride: int, value: float) -> Array:
    """`x` with what the last windows, cut off by the edge, still reach."""
    far = [-(side - kernel) % stride for side in x.shape[2:]]
    return windows(surrounded(x, 0, 0, *far, value), kernel, stride)


def max_pool(x: Array, kernel: int = 3, stride: int = 2) -> Array:
    return _reaching_over(x, kernel, stride, -np.inf).max((4, 5))


def average_pool(x: Array, kernel: int = 3, stride: int = 2) -> Array:
    """The mean of what lies inside."""
    return np.nanmean(_reaching_over(x, kernel, stride, np.nan), axis=(4, 5))


def cross_map_norm(x: Array, size: int, alpha: float, k: float, *, columns: int = 1, beta: float = 0.75) -> Array:
    """`a / (k + alpha * sum of a^2 over size neighbouring maps)^beta`, windows inside each of `columns`."""
    result = np.empty_like(x)
    width = x.shape[1] // columns
    for number in range(x.shape[1]):
        first = number // width * width
        low, high = max(first, number - size // 2), min(first + width - 1, number + size // 2)
        base = k + alpha * (x[:, low : high + 1] ** 2).sum(1)
        result[:, number] = x[:, number] / base**beta
    return result


def same_map_norm(x: Array, size: int, alpha: float, beta: float = 0.75) -> Array:
    """`a / (1 + alpha * sum of a^2 over size x size pixels of its own map)^beta`."""
    around = size // 2
    sums = (windows(surrounded(x, around, around, around, around), size, 1) ** 2).sum((4, 5))
    return x / (1 + alpha * sums) ** beta


def weights_of(network: nn.Module) -> Iterator[tuple[Array, Array]]:
    """(weight, bias) of every layer that has them, in order, as float64."""
    values = [parameter.detach().double().numpy() for parameter in network.parameters()]
    return zip(values[::2], values[1::2], strict=True)


def spread_out(network: nn.Module, *, level: float = 1.0) -> nn.Module:
    """Give weights and biases values that keep every layer busy, the mean image some grey, and go to evaluation.

    Responses are of the size of the pixels, times `level`.
    """
    generator = torch.Generator().manual_seed(0)
    for number, (name, parameter) in enumerate(network.named_parameters()):
        inputs = parameter.shape[1] if parameter.ndim == 3 else parameter[0].numel()
        std = 5 * level if name.endswith("bias") else (2 / inputs) ** 0.5
        nn.init.normal_(parameter, 0, std * level if number == 0 else std, generator=generator)
    for name, mean in network.named_buffers():
        if name.endswith(".mean"):
            mean.uniform_(90, 140, generator=generator)
    return network.eval()
