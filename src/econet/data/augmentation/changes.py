"""One change more of every other picture: of its light, its colours or its shape, of random kind and strength.

Source: Mueller and Hutter 2021, "TrivialAugment": one operation a picture, its strength uniformly random, is as good as
policies that were searched for. Milder than theirs and rarer, since strong policies hurt small networks.
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
    """A change for about half of `count` pictures, each kind as often; gray ones have no saturation."""
    kinds = SATURATION if channels == 3 else SATURATION - 1
    kind = torch.randint(1, 2 * kinds + 1, (count,), generator=generator)
    kind[kind > kinds] = NOTHING
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
    luma = torch.tensor(LUMA if pixels.shape[3] == 3 else (1.0,), device=pixels.device)
    gray = (pixels @ luma)[..., None]
    kind, amount = kind[:, None, None, None], LARGEST_BLEND * strength[:, None, None, None]
    base = torch.where(kind == SATURATION, gray, gray.mean((1, 2), keepdim=True) * (kind == CONTRAST))
    return torch.lerp(base, pixels, 1 + amount).clamp_(0, 255)


def _shapes(kind: Tensor, strength: Tensor) -> Tensor:
    """The matrix [N, 2, 2] from a pixel's place (column, row) to that which it is read from, the middle at (0, 0)."""
    angle = torch.where(kind == TURN, LARGEST_TURN * strength, 0.0)
    slant = LARGEST_SHEAR * strength
    along_rows = torch.where(kind == SHEAR_ROWS, slant, -angle.sin())
    along_columns = torch.where(kind == SHEAR_COLUMNS, slant, angle.sin())
    return torch.stack([angle.cos(), along_rows, along_columns, angle.cos()], dim=1).view(-1, 2, 2)


def _reshaped(pixels: Tensor, shapes: Tensor, beyond: int) -> Tensor:
    """Each picture [H, W, C] read anew through its matrix, bilinearly."""
    height, width = pixels.shape[1:3]
    middles = [(torch.arange(side, device=pixels.device) * 2 + 1) / side - 1 for side in (height, width)]
    rows, columns = middles[0][:, None], middles[1][None, :]
    (right, slant), (rise, down) = (each.unbind(1) for each in shapes[..., None, None].unbind(1))
    places = torch.stack([right * columns + slant * rows, rise * columns + down * rows], dim=3)
    maps = (pixels - beyond).permute(0, 3, 1, 2)
    read = F.grid_sample(maps, places, align_corners=False)
    return read.permute(0, 2, 3, 1) + beyond
