"""The one builder: an Architecture becomes a torch module, layer by layer."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from econet.models.architecture import (
    Activation,
    AnyLayer,
    Architecture,
    AvgPool,
    Bottleneck,
    Conv,
    Dense,
    Dropout,
    Fire,
    Flatten,
    GlobalMean,
    InvertedResidual,
    Local,
    Lrn,
    MapNorm,
    MaxPool,
    MeanImage,
    Residual,
    Separable,
    ShuffleUnit,
    Weighted,
)
from econet.models.classic_layers import FireLayer, InvertedResidualLayer, ShuffleUnitLayer
from econet.models.convolutions import DepthwiseConv, rectified
from econet.models.layers_2012 import LocalLayer, LrnLayer, MapNormLayer, MaskDropout, MeanImageLayer
from econet.models.shapes import Shape, adds_input, inner_channels, padding_of, projects, walk


class ConvLayer(nn.Module):
    """`Conv` as a module: convolution, batch norm where asked, ReLU where asked."""

    def __init__(self, inputs: int, layer: Conv) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs,
            layer.channels,
            layer.kernel,
            layer.stride,
            padding_of(layer),
            groups=layer.groups,
            bias=not layer.norm,
        )
        self.norm = nn.BatchNorm2d(layer.channels) if layer.norm else None
        self.far_padding, self.relu, self.limit = layer.far_padding, layer.relu, layer.limit

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, ...], the sides as `models.shapes` says."""
        bottom, right = self.far_padding
        x = self.conv(F.pad(x, (0, right, 0, bottom)) if bottom or right else x)
        x = x if self.norm is None else self.norm(x)
        return rectified(x, self.limit) if self.relu else x


class SeparableLayer(nn.Module):
    """`Separable` as a module."""

    def __init__(self, inputs: int, layer: Separable) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(inputs, layer.kernel, layer.stride)
        self.depthwise_norm = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, layer.channels, 1, bias=False)
        self.pointwise_norm = nn.BatchNorm2d(layer.channels)
        self.adds_input = adds_input(layer, inputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, H / stride, W / stride]."""
        inner = F.relu(self.depthwise_norm(self.depthwise(x)), inplace=True)
        result = F.relu(self.pointwise_norm(self.pointwise(inner)), inplace=True)
        return x + result if self.adds_input else result


class ResidualLayer(nn.Module):
    """`Residual` as a module."""

    def __init__(self, inputs: int, layer: Residual) -> None:
        super().__init__()
        inner = inner_channels(layer)
        self.conv1 = nn.Conv2d(inputs, inner, 3, layer.stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, layer.channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(layer.channels)
        fits, norm = not projects(layer, inputs), layer.shortcut_norm
        self.shortcut = None if fits else nn.Conv2d(inputs, layer.channels, 1, layer.stride, bias=not norm)
        self.shortcut_norm = None if fits or not norm else nn.BatchNorm2d(layer.channels)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, H / stride, W / stride]."""
        inner = F.relu(self.norm1(self.conv1(x)), inplace=True)
        inner = self.norm2(self.conv2(inner))
        x = x if self.shortcut is None else self.shortcut(x)
        x = x if self.shortcut_norm is None else self.shortcut_norm(x)
        return F.relu(x + inner, inplace=True)


class BottleneckLayer(nn.Module):
    """`Bottleneck` as a module; the last convolution has no ReLU of its own where the input is added."""

    def __init__(self, inputs: int, layer: Bottleneck) -> None:
        super().__init__()
        self.down = nn.Conv2d(inputs, layer.inner, 1, bias=False)
        self.down_norm = nn.BatchNorm2d(layer.inner)
        self.conv = nn.Conv2d(layer.inner, layer.inner, 3, layer.stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(layer.inner)
        self.up = nn.Conv2d(layer.inner, layer.channels, 1, bias=False)
        self.up_norm = nn.BatchNorm2d(layer.channels)
        self.adds_input = adds_input(layer, inputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, H / stride, W / stride]."""
        inner = F.relu(self.down_norm(self.down(x)), inplace=True)
        inner = F.relu(self.norm(self.conv(inner)), inplace=True)
        result = self.up_norm(self.up(inner))
        return F.relu(x + result if self.adds_input else result, inplace=True)


class GlobalMeanLayer(nn.Module):
    """`GlobalMean` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C].

        Where the maps are laid out channels last the mean is taken in that order, so that their gradient is laid
        out so too: otherwise every layer before, up to the next stride, mixes two layouts and slows down.
        """
        if x.is_contiguous(memory_format=torch.channels_last):
            return x.permute(0, 2, 3, 1).mean((1, 2))
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
        return F.relu(x, inplace=True) if self.relu else x


class Network(nn.Module):
    """A network built from its architecture: float32 [N, C, H, W] in, logits [N, classes] out."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.layers = nn.ModuleList(_made(layer, reads) for layer, reads, _ in walk(architecture))

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes] of images [N, C, H, W]."""
        for layer in self.layers:
            x = layer(x)
        return x


def reading_weight(layer: nn.Module) -> Tensor | None:
    """The weights of a layer of a network that read what comes in, in proportion; None where there are none such."""
    match layer:
        case ConvLayer():
            return layer.conv.weight
        case SeparableLayer():
            return layer.depthwise.weight
        case LocalLayer():
            return layer.weight
        case DenseLayer():
            return layer.linear.weight
        case _:
            return None


USUAL = Weighted()


def own_decays(network: nn.Module) -> dict[nn.Parameter, float]:
    """The weights whose layer has a weight decay of its own, and that decay. Biases never decay."""
    if not isinstance(network, Network):
        return {}
    pairs = zip(network.layers, network.architecture.layers, strict=True)
    return {
        parameter: layer.decay
        for module, layer in pairs
        if isinstance(layer, Weighted) and layer.decay is not None
        for name, parameter in module.named_parameters()
        if name.endswith("weight")
    }


def _made(layer: AnyLayer, shape: Shape) -> nn.Module:
    """The module of `layer`, fed maps of `shape` (C, H, W; a vector is (C, 1, 1))."""
    channels, height, width = shape
    match layer:
        case Conv():
            return _initialised(ConvLayer(channels, layer), layer)
        case Separable():
            return _initialised(SeparableLayer(channels, layer))
        case Residual():
            return _initialised(ResidualLayer(channels, layer))
        case InvertedResidual():
            return _initialised(InvertedResidualLayer(channels, layer))
        case Fire():
            return _initialised(FireLayer(channels, layer))
        case ShuffleUnit():
            return _initialised(ShuffleUnitLayer(channels, layer))
        case Bottleneck():
            return _initialised(BottleneckLayer(channels, layer))
        case Local():
            return LocalLayer(channels, height, width, layer)
        case MaxPool():
            return nn.MaxPool2d(layer.kernel, layer.stride, layer.padding, ceil_mode=layer.ceil)
        case AvgPool():
            return nn.AvgPool2d(layer.kernel, layer.stride, ceil_mode=layer.ceil)
        case Lrn():
            return LrnLayer(layer)
        case MapNorm():
            return MapNormLayer(layer)
        case Activation():
            return nn.ReLU(inplace=True) if layer.function == "relu" else nn.Tanh()
        case MeanImage():
            return MeanImageLayer(channels, height, width)
        case GlobalMean():
            return GlobalMeanLayer()
        case Flatten():
            return nn.Flatten()
        case Dropout():
            return nn.Dropout(layer.p) if layer.inverted else MaskDropout(layer)
        case Dense():
            return _initialised(DenseLayer(channels, layer), layer)
        case _:
            raise TypeError(f"no builder for a layer of type {type(layer).__name__}")


def _initialised(module: nn.Module, layer: Weighted = USUAL) -> nn.Module:
    """Weights and biases as the record says, by default those of He et al. 2015; batch norm as torch has it."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            if layer.init_std is None:
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            else:
                nn.init.normal_(part.weight, std=layer.init_std)
            bias = cast("Tensor | None", part.bias)
            if bias is not None:
                nn.init.constant_(bias, layer.init_bias)
    return module
