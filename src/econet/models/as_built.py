"""The architecture of a catalog network as its modules now are: the widths that a cut left."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from torch import nn

from econet.models.architecture import AnyLayer, Architecture
from econet.models.classic_layers import FireLayer, InvertedResidualLayer, ShuffleUnitLayer
from econet.models.layers_2012 import LocalLayer
from econet.models.network import BottleneckLayer, ConvLayer, DenseLayer, Network, ResidualLayer, SeparableLayer


def architecture_as_built(network: Network) -> Architecture:
    """The network's architecture, every width read from its modules.

    What was decided by widths agreeing (an added input, a projected shortcut, halves that part) is said outright: after
    a cut they may agree by chance.
    """
    pairs = zip(network.layers, network.architecture.layers, strict=True)
    return replace(network.architecture, layers=tuple(_as_built(module, layer) for module, layer in pairs))


def _as_built(module: nn.Module, layer: AnyLayer) -> AnyLayer:
    """`layer` with the widths of its `module`: one case a kind of layer that has any."""
    changed: Callable[..., Any] = replace
    match module:
        case ConvLayer():
            return changed(layer, channels=module.conv.out_channels, groups=module.conv.groups)
        case SeparableLayer():
            return changed(layer, channels=module.pointwise.out_channels, adds_input=module.adds_input)
        case ResidualLayer():
            inner, wide = module.conv1.out_channels, module.conv2.out_channels
            return changed(layer, channels=wide, inner=inner, projects=module.shortcut is not None)
        case BottleneckLayer():
            inner, wide = module.down.out_channels, module.up.out_channels
            return changed(layer, channels=wide, inner=inner, adds_input=module.adds_input)
        case InvertedResidualLayer():
            expanded = None if module.expand is None else module.expand.conv.out_channels
            return changed(layer, channels=module.project.conv.out_channels, expanded=expanded)
        case FireLayer():
            narrow, wide = module.expand1.conv.out_channels, module.expand3.conv.out_channels
            return changed(layer, squeeze=module.squeeze.conv.out_channels, expand1=narrow, expand3=wide)
        case ShuffleUnitLayer():
            inner, half = module.first.conv.out_channels, module.second.conv.out_channels
            return changed(layer, channels=2 * half, inner=inner, splits=module.left_depthwise is None)
        case LocalLayer():
            return changed(layer, channels=module.weight.shape[2])
        case DenseLayer():
            return changed(layer, channels=module.linear.out_features)
        case _ if any(True for _ in module.parameters()):
            raise TypeError(f"nobody reads the widths of a {type(module).__name__} back")
        case _:
            return layer
