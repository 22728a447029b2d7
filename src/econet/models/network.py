"""The one builder: an Architecture becomes a torch module, layer by layer."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from econet.models.architecture import (
    Activation,
    AnyLayer,
    Architecture,
    AvgPool,
    Bottleneck,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalMean,
    Local,
    Lrn,
    MapNorm,
    MaxPool,
    MeanImage,
    Residual,
    Separable,
    Weighted,
)
from econet.models.layers_2012 import LocalLayer, LrnLayer, MapNormLayer, MaskDropout, MeanImageLayer
from econet.models.shapes import Shape, padding_of, walk


class _StridedDepthwise(torch.autograd.Function):
    """Strided depthwise convolution whose input gradient is a plain convolution of the spread-out gradient.

    torch's own bf16 input gradient of a strided depthwise convolution is some 30 times slower on the CPU than the
    same in float32. Written between zeros, one value every `stride` pixels, the gradient needs the unstrided
    kernel only, turned by 180 degrees: the same sums, fast in bf16.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: int) -> Tensor:
        """[N, C, H, W] and [C, 1, k, k], k odd -> [N, C, ceil(H / stride), ceil(W / stride)]."""
        ctx.save_for_backward(maps, weight)
        ctx.stride = stride
        return F.conv2d(maps, weight, None, stride, weight.shape[-1] // 2, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None]:
        """Gradients of the maps and of the weight."""
        maps, weight = ctx.saved_tensors
        stride, padding, groups = ctx.stride, weight.shape[-1] // 2, len(weight)
        spread = torch.zeros_like(maps)
        spread[:, :, ::stride, ::stride] = gradients[0]
        of_maps = F.conv2d(spread, weight.flip(2, 3), None, 1, padding, 1, groups)
        of_weight = conv2d_weight(maps, weight.shape, gradients[0], stride, padding, 1, groups)
        return of_maps, of_weight, None


class DepthwiseConv(nn.Conv2d):
    """Depthwise convolution; its strided form takes a detour round a slow gradient under bf16 autocast on the CPU."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C, ceil(H / stride), ceil(W / stride)]."""
        if self.stride == (1, 1) or not torch.is_autocast_enabled("cpu") or input.device.type != "cpu":
            return super().forward(input)
        number = torch.get_autocast_dtype("cpu")
        return cast("Tensor", _StridedDepthwise.apply(input.to(number), self.weight.to(number), self.stride[0]))


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
        self.far_padding, self.relu = layer.far_padding, layer.relu

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, ...], the sides as `models.shapes` says."""
        bottom, right = self.far_padding
        x = self.conv(F.pad(x, (0, right, 0, bottom)) if bottom or right else x)
        x = x if self.norm is None else self.norm(x)
        return F.relu(x, inplace=True) if self.relu else x


class SeparableLayer(nn.Module):
    """`Separable` as a module."""

    def __init__(self, inputs: int, layer: Separable) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(inputs, layer.kernel, layer.stride)
        self.depthwise_norm = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, layer.channels, 1, bias=False)
        self.pointwise_norm = nn.BatchNorm2d(layer.channels)
        self.adds_input = layer.stride == 1 and inputs == layer.channels

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, H / stride, W / stride]."""
        inner = F.relu(self.depthwise_norm(self.depthwise(x)), inplace=True)
        result = F.relu(self.pointwise_norm(self.pointwise(inner)), inplace=True)
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
        inner = F.relu(self.norm1(self.conv1(x)), inplace=True)
        inner = self.norm2(self.conv2(inner))
        if self.shortcut is not None and self.shortcut_norm is not None:
            x = self.shortcut_norm(self.shortcut(x))
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
        self.adds_input = layer.stride == 1 and inputs == layer.channels

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
        case Bottleneck():
            return _initialised(BottleneckLayer(channels, layer))
        case Local():
            return LocalLayer(channels, height, width, layer)
        case MaxPool():
            return nn.MaxPool2d(layer.kernel, layer.stride, layer.padding, ceil_mode=layer.ceil)
        case AvgPool():
            return nn.AvgPool2d(layer.kernel, layer.stride, ceil_mode=True)
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
