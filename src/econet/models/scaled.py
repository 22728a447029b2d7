"""A recorded architecture at a share of its widths: the same layers, each with fewer channels. No torch."""

import msgspec

from econet.models.architecture import AnyLayer, Architecture, Bottleneck, Conv, Dense, Local, Residual, Separable

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
    match layer:
        case Conv():
            step = max(_MULTIPLE, layer.groups * _MULTIPLE) if layer.groups > 1 else _MULTIPLE
            return msgspec.structs.replace(layer, channels=_share(layer.channels, kept, step))
        case Bottleneck():
            inner = _share(layer.inner, kept, _MULTIPLE)
            return msgspec.structs.replace(layer, channels=_share(layer.channels, kept, _MULTIPLE), inner=inner)
        case Separable() | Residual() | Local() | Dense():
            return msgspec.structs.replace(layer, channels=_share(layer.channels, kept, _MULTIPLE))
        case _:
            return layer


def _share(channels: int, kept: float, step: int) -> int:
    """The multiple of `step` nearest to that share of `channels`; all of them where nothing is taken away."""
    if kept == 1:
        return channels
    return min(channels, max(step, step * round(channels * kept / step)))
