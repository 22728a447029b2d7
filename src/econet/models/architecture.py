"""An architecture is data: a frozen list of layers that `config.json` holds whole and one builder makes.

Widths, depths and strides stand in the record, so that what was pruned or found by search is rebuilt from it
without code of its own. This file knows no torch.
"""

from typing import Any

import msgspec

from econet.errors import UserError


class Layer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """One entry of an architecture; a map is [N, C, H, W], a vector [N, C]."""


class Conv(Layer, frozen=True, kw_only=True, tag="conv"):
    """Dense convolution with `same`-style padding, then batch norm (or a bias) and ReLU."""

    channels: int
    kernel: int = 3
    stride: int = 1
    norm: bool = True


class Separable(Layer, frozen=True, kw_only=True, tag="separable"):
    """Depthwise `kernel` x `kernel`, then pointwise to `channels`; the input is added where shapes agree.

    Source: Howard et al. 2017, "MobileNets", section 3.1. Batch norm and ReLU follow both.
    """

    channels: int
    kernel: int = 3
    stride: int = 1


class Residual(Layer, frozen=True, kw_only=True, tag="residual"):
    """Two dense 3x3 convolutions around an identity (a 1x1 convolution where shapes differ).

    Source: He et al. 2016, "Deep Residual Learning", section 3.3, with the shortcut of option B.
    """

    channels: int
    stride: int = 1


class MaxPool(Layer, frozen=True, kw_only=True, tag="max-pool"):
    """Largest value in a `kernel` x `kernel` window every `stride` pixels; overlapping where kernel > stride."""

    kernel: int = 3
    stride: int = 2
    padding: int = 0


class Lrn(Layer, frozen=True, kw_only=True, tag="lrn"):
    """Local response normalisation across `size` maps (Krizhevsky et al. 2012, section 3.3)."""

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0


class GlobalMean(Layer, frozen=True, kw_only=True, tag="global-mean"):
    """Mean over all positions: [N, C, H, W] -> [N, C]."""


class Flatten(Layer, frozen=True, kw_only=True, tag="flatten"):
    """[N, C, H, W] -> [N, C * H * W]."""


class Dropout(Layer, frozen=True, kw_only=True, tag="dropout"):
    """Zero each value with probability `p` in training, scale the rest by 1 / (1 - p); nothing afterwards."""

    p: float = 0.5


class Dense(Layer, frozen=True, kw_only=True, tag="dense"):
    """Fully connected layer with bias, and ReLU unless it is the classifier."""

    channels: int
    relu: bool = True


AnyLayer = Conv | Separable | Residual | MaxPool | Lrn | GlobalMean | Flatten | Dropout | Dense


class Architecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole network: `input` is (channels, height, width), the last layer gives one logit a class."""

    name: str
    input: tuple[int, int, int]
    classes: int
    layers: tuple[AnyLayer, ...]


def to_data(architecture: Architecture) -> dict[str, Any]:
    """The architecture as plain JSON types, for `config.json`."""
    return msgspec.to_builtins(architecture)


def from_data(data: dict[str, Any]) -> Architecture:
    """Read an architecture back. Raises UserError naming the field that is wrong."""
    try:
        return msgspec.convert(data, Architecture)
    except msgspec.ValidationError as error:
        raise UserError(
            "the recorded architecture cannot be read", str(error), "restore config.json from a copy"
        ) from error
