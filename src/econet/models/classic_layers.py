"""The blocks of the classic small networks: inverted residuals, fire modules, shuffle units."""

import torch
from torch import Tensor, nn

from econet.models.architecture import Fire, InvertedResidual, ShuffleUnit
from econet.models.convolutions import ConvUnit, DepthwiseConv
from econet.models.shapes import splits


class InvertedResidualLayer(nn.Module):
    """`InvertedResidual` as a module."""

    def __init__(self, inputs: int, layer: InvertedResidual) -> None:
        super().__init__()
        inner, limit = layer.expanded or inputs, layer.limit
        if layer.adds_input and (layer.stride, inputs) != (1, layer.channels):
            raise ValueError(f"{inputs} channels at stride {layer.stride} cannot be added to {layer.channels}")
        self.expand = None if layer.expanded is None else ConvUnit(_pointwise(inputs, inner), limit=limit)
        self.depthwise = ConvUnit(DepthwiseConv(inner, layer.kernel, layer.stride), limit=limit)
        self.project = ConvUnit(_pointwise(inner, layer.channels), relu=False)
        self.adds_input = layer.adds_input

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, H / stride, W / stride]."""
        inner = x if self.expand is None else self.expand(x)
        result = self.project(self.depthwise(inner))
        return x + result if self.adds_input else result


class FireLayer(nn.Module):
    """`Fire` as a module."""

    def __init__(self, inputs: int, layer: Fire) -> None:
        super().__init__()
        norm = layer.norm
        self.squeeze = ConvUnit(_pointwise(inputs, layer.squeeze, bias=not norm), norm=norm)
        self.expand1 = ConvUnit(_pointwise(layer.squeeze, layer.expand1, bias=not norm), norm=norm)
        wide = nn.Conv2d(layer.squeeze, layer.expand3, 3, padding=1, bias=not norm)
        self.expand3 = ConvUnit(wide, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, expand1 + expand3, H, W]."""
        x = self.squeeze(x)
        return torch.cat((self.expand1(x), self.expand3(x)), 1)


class ShuffleUnitLayer(nn.Module):
    """`ShuffleUnit` as a module."""

    def __init__(self, inputs: int, layer: ShuffleUnit) -> None:
        super().__init__()
        half, stride = layer.channels // 2, layer.stride
        if layer.channels % 2:
            raise ValueError(f"{layer.channels} channels have no halves")
        passes = splits(layer, inputs)
        self.left_depthwise = None if passes else _bare(DepthwiseConv(inputs, layer.kernel, stride))
        self.left_pointwise = None if passes else ConvUnit(_pointwise(inputs, half))
        self.first = ConvUnit(_pointwise(half if passes else inputs, layer.inner))
        self.depthwise = _bare(DepthwiseConv(layer.inner, layer.kernel, stride))
        self.second = ConvUnit(_pointwise(layer.inner, half))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, channels, H / stride, W / stride]."""
        if self.left_depthwise is None or self.left_pointwise is None:
            left, right = x.chunk(2, 1)
        else:
            left, right = self.left_pointwise(self.left_depthwise(x)), x
        right = self.second(self.depthwise(self.first(right)))
        # The halves are dealt out in turn, so that the next split mixes them.
        return torch.stack((left, right), 2).flatten(1, 2)


def _pointwise(inputs: int, outputs: int, *, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, bias=bias)


def _bare(conv: nn.Conv2d) -> ConvUnit:
    """Batch norm but no ReLU, as everywhere after the depthwise convolutions of ShuffleNet V2."""
    return ConvUnit(conv, relu=False)
