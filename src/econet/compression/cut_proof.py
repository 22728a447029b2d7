"""The proof of a cut: with the channels that leave set to zero, the network answers as the cut one does.

In float64 both sides add the same numbers, zeros apart: what differs is a channel that went to the wrong place. It
finds what no shape shows, a channel shuffle mapped to the wrong filters or a normalisation over neighbours.
"""

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from econet.compression.channels import MAKES, Channels
from econet.compression.widths import Kept, stays
from econet.models.cuts import tensors_of

# Relative to the largest answer. Sums over thousands of terms in another order differ by some 1e-15.
TOLERANCE = {"float64": 1e-12, "float32": 1e-4}
_NUMBERS = {"float64": torch.float64, "float32": torch.float32}
NumberType = Literal["float64", "float32"]


@dataclass(frozen=True, slots=True)
class Proof:
    """The largest difference of the answers, as a share of the largest answer, over so many images."""

    difference: float
    images: int
    number_type: NumberType

    @property
    def holds(self) -> bool:
        """Whether the difference is no more than rounding."""
        return self.difference <= TOLERANCE[self.number_type]


def zeroed(network: nn.Module, channels: Channels, kept: Kept) -> nn.Module:
    """A copy of `network` in which all that makes a channel that is not kept is 0: weights, biases, gamma and beta."""
    silent = copy.deepcopy(network)
    tensors = tensors_of(silent)
    with torch.no_grad():
        for (name, axis), classes in channels.links.items():
            if channels.roles[name, axis] & MAKES:
                gone = torch.from_numpy(~stays(classes, kept))
                tensors[name].movedim(axis, 0)[gone] = 0
    return silent


def proven(silent: nn.Module, cut: nn.Module, images: Tensor) -> Proof:
    """Compare both networks on `images` [N, C, H, W], each at once and the first one alone.

    In float64; in float32 where the network insists on it inside. Raises RuntimeError, as torch does, where the cut
    network cannot take them, and ValueError where it gives answers of another shape.
    """
    try:
        return _compared(silent, cut, images, "float64")
    except RuntimeError as error:
        if "dtype" not in str(error) and "type" not in str(error):
            raise
        return _compared(silent, cut, images, "float32")


def _compared(silent: nn.Module, cut: nn.Module, images: Tensor, number_type: NumberType) -> Proof:
    kind = _NUMBERS[number_type]
    first, second = (copy.deepcopy(each).to(kind).eval() for each in (silent, cut))
    largest = worst = 0.0
    with torch.no_grad():
        for batch in (images.to(kind), images[:1].to(kind)):
            expected, found = first(batch.clone()), second(batch.clone())
            if expected.shape != found.shape:
                raise ValueError(f"it gives {tuple(found.shape)} where it gave {tuple(expected.shape)}")
            largest = max(largest, float(expected.abs().max()))
            difference = float((expected - found).abs().max())
            worst = difference if difference != difference else max(worst, difference)  # nan stays
    return Proof(worst / max(largest, torch.finfo(kind).tiny), len(images), number_type)
