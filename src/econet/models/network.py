"""The one builder: an Architecture becomes a torch module, layer by layer."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from econet.models.architecture import (
    Architecture,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalMean,
    Lrn,
    MaxPool,
    Residual,
    Separable,
)


class DepthwiseConv(nn.Conv2d):
    """Depthwise convolution whose strided form runs in float32 under CPU autocast.

    The bf16 backward pass of a strided depthwise convolution on the CPU is some 30 times slower than in float32.
    """

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C, ceil(H / stride), ceil(W / stride)]."""
        if self.stride == (1, 1) or not torch.is_autocast_enabled("cpu") or input.device.type != "cpu":
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())


class ConvLayer(nn.Module):
    """`Conv` as a module: convolution, batch norm where asked, ReLU."""

    def __init__(self, inputs: int, layer: Conv) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, layer.channels, layer.kernel, layer.stride, layer.kernel // 2, bias=not layer.norm
        )
        self.norm = nn.BatchNorm2d(layer.channels) if layer.norm else None

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, H / stride, W / stride]."""
        x = self.conv(x)
        return F.relu(x if self.norm is None else self.norm(x))


class SeparableLayer(nn.Module):
    """`Separable` as a module."""

    def __init__(self, inputs: int, layer: Separable) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(inputs, layer.kernel, layer.stride)
        self.depthwise_norm = nn.BatchNorm2d(inputs) if layer.inner_norm else None
        self.pointwise = nn.Conv2d(inputs, layer.channels, 1, bias=False)
        self.pointwise_norm = nn.BatchNorm2d(layer.channels)
        self.adds_input = layer.stride == 1 and inputs == layer.channels

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, H / stride, W / stride]."""
        inner = self.depthwise(x)
        if self.depthwise_norm is not None:
            inner = F.relu(self.depthwise_norm(inner))
        result = F.relu(self.pointwise_norm(self.pointwise(inner)))
        return x + result if self.adds_input else result


class ResidualLayer(nn.Module):
    """`Residual` as a module."""

    def __init__(self, inputs: int, layer: Residual) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, layer.channels, 3, layer.stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(layer.channels)
        self.conv2 = nn.Conv2d(layer.channels, layer.channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(layer.channels)
        fits = layer.stride == 1 and inputs == layer.channels
        self.shortcut = None if fits else nn.Conv2d(inputs, layer.channels, 1, layer.stride, bias=False)
        self.shortcut_norm = None if fits else nn.BatchNorm2d(layer.channels)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, H / stride, W / stride]."""
        inner = F.relu(self.norm1(self.conv1(x)))
        inner = self.norm2(self.conv2(inner))
        if self.shortcut is not None and self.shortcut_norm is not None:
            x = self.shortcut_norm(self.shortcut(x))
        return F.relu(x + inner)


class GlobalMeanLayer(nn.Module):
    """`GlobalMean` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C]."""
        return x.mean((2, 3))


class DenseLayer(nn.Module):
    """`Dense` as a module."""

    def __init__(self, inputs: int, layer: Dense) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, layer.channels)
        self.relu = layer.relu

    def forward(self, x: Tensor) -> Tensor:
        """[N, C] -> [N, channels]."""
        x = self.linear(x)
        return F.relu(x) if self.relu else x


class Network(nn.Module):
    """A network built from its architecture: float32 [N, C, H, W] in, logits [N, classes] out."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.layers = nn.ModuleList()
        shape = architecture.input
        for layer in architecture.layers:
            module, shape = _made(layer, shape)
            self.layers.append(module)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes] of images [N, C, H, W]."""
        for layer in self.layers:
            x = layer(x)
        return x


Shape = tuple[int, int, int]


def _made(layer: object, shape: Shape) -> tuple[nn.Module, Shape]:
    """The module of `layer` fed maps of `shape` (C, H, W; a vector is (C, 1, 1)), and the shape it gives."""
    channels, height, width = shape
    match layer:
        case Conv():
            return _initialised(ConvLayer(channels, layer)), _strided(layer.channels, shape, layer.stride)
        case Separable():
            return _initialised(SeparableLayer(channels, layer)), _strided(layer.channels, shape, layer.stride)
        case Residual():
            return _initialised(ResidualLayer(channels, layer)), _strided(layer.channels, shape, layer.stride)
        case MaxPool():
            pooled = (channels, _pooled(height, layer), _pooled(width, layer))
            return nn.MaxPool2d(layer.kernel, layer.stride, layer.padding), pooled
        case Lrn():
            # torch divides alpha by the size; the paper's formula does not.
            return nn.LocalResponseNorm(layer.size, layer.alpha * layer.size, layer.beta, layer.k), shape
        case GlobalMean():
            return GlobalMeanLayer(), (channels, 1, 1)
        case Flatten():
            return nn.Flatten(), (channels * height * width, 1, 1)
        case Dropout():
            return nn.Dropout(layer.p), shape
        case Dense():
            return _initialised(DenseLayer(channels, layer)), (layer.channels, 1, 1)
        case _:
            raise TypeError(f"no builder for a layer of type {type(layer).__name__}")


def _strided(channels: int, shape: Shape, stride: int) -> Shape:
    return channels, -(-shape[1] // stride), -(-shape[2] // stride)


def _pooled(side: int, pool: MaxPool) -> int:
    return (side + 2 * pool.padding - pool.kernel) // pool.stride + 1


def _initialised(module: nn.Module) -> nn.Module:
    """Weights by He et al. 2015, equation 10 (gain of ReLU, fan in); biases zero; batch norm as torch has it."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            bias = cast("Tensor | None", part.bias)
            if bias is not None:
                nn.init.zeros_(bias)
    return module
