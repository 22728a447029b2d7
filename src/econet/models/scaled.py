"""A recorded architecture at a share of its widths: the same layers, each with fewer channels. No torch."""

import msgspec

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
from econet.models.shapes import adds_input, projects, splits, walk

# Runtimes compute channels in groups of at least four.
_MULTIPLE = 4


def scaled(architecture: Architecture, kept: float) -> Architecture:
    """`architecture` with `kept` of every layer's channels, 0 < kept <= 1, but for the logits.

    Widths are multiples of four (and of a layer's groups), at least one of them; groups stay as they are. What was
    decided by widths agreeing is said outright: narrow ones may agree by chance.
    """
    if kept == 1:
        return architecture
    *body, last = [_decided(layer, reads[0]) for layer, reads, _ in walk(architecture)]
    return msgspec.structs.replace(architecture, layers=(*(_narrowed(layer, kept) for layer in body), last))


def _decided(layer: AnyLayer, inputs: int) -> AnyLayer:
    """`layer`, which reads `inputs` channels, saying for itself what it does with them."""
    replace = msgspec.structs.replace
    match layer:
        case Separable() | Bottleneck():
            return replace(layer, adds_input=adds_input(layer, inputs))
        case Residual():
            return replace(layer, projects=projects(layer, inputs))
        case ShuffleUnit():
            return replace(layer, splits=splits(layer, inputs))
        case _:
            return layer


def _narrowed(layer: AnyLayer, kept: float) -> AnyLayer:
    replace = msgspec.structs.replace

    def share(channels: int, step: int = _MULTIPLE) -> int:
        return min(channels, max(step, step * round(channels * kept / step)))

    match layer:
        case Conv():
            return replace(layer, channels=share(layer.channels, layer.groups * _MULTIPLE))
        case Bottleneck():
            return replace(layer, channels=share(layer.channels), inner=share(layer.inner))
        case ShuffleUnit():
            return replace(layer, channels=share(layer.channels, 2 * _MULTIPLE), inner=share(layer.inner))
        case InvertedResidual():
            expanded = None if layer.expanded is None else share(layer.expanded)
            return replace(layer, channels=share(layer.channels), expanded=expanded)
        case Fire():
            wide = share(layer.expand3)
            return replace(layer, squeeze=share(layer.squeeze), expand1=share(layer.expand1), expand3=wide)
        case Residual():
            inner = None if layer.inner is None else share(layer.inner)
            return replace(layer, channels=share(layer.channels), inner=inner)
        case Separable() | Local() | Dense():
            return replace(layer, channels=share(layer.channels))
        case _:
            return layer
