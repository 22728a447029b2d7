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

# Runtimes compute channels in groups of at least four.
_MULTIPLE = 4


def scaled(architecture: Architecture, kept: float) -> Architecture:
    """`architecture` with `kept` of every layer's channels, 0 < kept <= 1, but for the logits.

    Widths are multiples of four (and of a layer's groups), at least one of them; groups stay as they are.
    """
    last = len(architecture.layers) - 1
    return msgspec.structs.replace(
        architecture,
        layers=tuple(
            layer if number == last else _narrowed(layer, kept) for number, layer in enumerate(architecture.layers)
        ),
    )


def _narrowed(layer: AnyLayer, kept: float) -> AnyLayer:
    replace = msgspec.structs.replace

    def share(channels: int, step: int = _MULTIPLE) -> int:
        return _share(channels, kept, step)

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


def _share(channels: int, kept: float, step: int) -> int:
    """The multiple of `step` nearest to that share of `channels`; all of them where nothing is taken away."""
    if kept == 1:
        return channels
    return min(channels, max(step, step * round(channels * kept / step)))
