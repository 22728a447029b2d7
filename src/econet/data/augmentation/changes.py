"""One change more of every picture: of its light, its colours or its shape, of random kind and strength.

Source: Mueller and Hutter 2021, "TrivialAugment": one operation a picture, its strength uniformly random, is as good as
policies that were searched for. The amounts are milder than theirs, since strong policies hurt small networks.
"""

from dataclasses import dataclass
from math import radians

import torch
from torch import Tensor
from torch.nn import functional as F

# Brightness, contrast and saturation are multiplied by up to 1 +- this.
LARGEST_BLEND = 0.5
LARGEST_TURN = radians(15)
LARGEST_SHEAR = 0.2
# Luma of red, green and blue (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
NOTHING, BRIGHTNESS, CONTRAST, TURN, SHEAR_ROWS, SHEAR_COLUMNS, SATURATION = range(7)


@dataclass(frozen=True, slots=True)
class ChangeDraws:
    """The kind of each picture's change and its strength between -1 and 1: two tensors [N]."""

    kind: Tensor
    strength: Tensor

    def of(self, rows: Tensor) -> "ChangeDraws":
        """Those of `rows`."""
        return ChangeDraws(self.kind[rows], self.strength[rows])


def drawn_changes(count: int, channels: int, generator: torch.Generator) -> ChangeDraws:
    """A change for each of `count` pictures; gray ones have no saturation."""
    kinds = SATURATION + (channels == 3)
    kind = torch.randint(kinds, (count,), generator=generator)
    return ChangeDraws(kind, torch.rand((count,), generator=generator) * 2 - 1)


def changed(pixels: Tensor, draws: ChangeDraws, beyond: int) -> Tensor:
    """Gray levels [N, H, W, C] with each picture's change, as float32 between 0 and 255.

    `beyond` is the gray level of what comes in from outside the picture.
    """
    result = pixels.float()
    kind, strength = draws.kind, draws.strength
    rows = torch.nonzero((kind == BRIGHTNESS) | (kind == CONTRAST) | (kind == SATURATION))[:, 0]
    if len(rows):
        place = rows.to(result.device)
        result[place] = _blended(result[place], kind[rows].to(place.device), strength[rows].to(place.device))
    rows = torch.nonzero((kind == TURN) | (kind == SHEAR_ROWS) | (kind == SHEAR_COLUMNS))[:, 0]
    if len(rows):
        place = rows.to(result.device)
        result[place] = _reshaped(result[place], _shapes(kind[rows], strength[rows]).to(place.device), beyond)
    return result


def _blended(pixels: Tensor, kind: Tensor, strength: Tensor) -> Tensor:
    """`base + (1 + amount) * (pixel - base)`: the base is black, the picture's mean gray, or the pixel's own gray."""
    gray = (pixels * _luma(pixels)).sum(3, keepdim=True)
    kind, factor = kind[:, None, None, None], 1 + LARGEST_BLEND * strength[:, None, None, None]
    base = torch.where(kind == SATURATION, gray, gray.mean((1, 2), keepdim=True) * (kind == CONTRAST))
    return (base + factor * (pixels - base)).clamp_(0, 255)


def _luma(pixels: Tensor) -> Tensor:
    weights = LUMA if pixels.shape[3] == 3 else (1.0,)
    return torch.tensor(weights, device=pixels.device)


def _shapes(kind: Tensor, strength: Tensor) -> Tensor:
    """The matrix [N, 2, 3] that says where each pixel of the result comes from, in shares of the picture."""
    angle = torch.where(kind == TURN, LARGEST_TURN * strength, 0.0)
    slant = LARGEST_SHEAR * strength
    matrix = torch.zeros((len(kind), 2, 3))
    matrix[:, 0, 0], matrix[:, 1, 1] = angle.cos(), angle.cos()
    matrix[:, 0, 1] = torch.where(kind == SHEAR_ROWS, slant, -angle.sin())
    matrix[:, 1, 0] = torch.where(kind == SHEAR_COLUMNS, slant, angle.sin())
    return matrix


def _reshaped(pixels: Tensor, shapes: Tensor, beyond: int) -> Tensor:
    """Each picture read anew through its matrix, bilinearly."""
    maps = (pixels - beyond).permute(0, 3, 1, 2)
    grid = F.affine_grid(shapes, list(maps.shape), align_corners=False)
    read = F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return read.permute(0, 2, 3, 1) + beyond
