"""A map laid over its picture, in colours that are told apart by colour-blind readers and in gray print alike."""

import numpy as np
from numpy.typing import NDArray

from econet.explanation.question import Map
from econet.images.preprocess import Pixels

# The scale "cividis" at ten equal steps, blue to yellow, its lightness growing evenly; between them straight lines.
# Source: Nunez, Anderton and Renslow 2018, "Optimizing colormaps with consideration for color vision deficiency".
_SCALE = np.array(
    [
        (0, 34, 78),
        (18, 53, 112),
        (59, 73, 108),
        (87, 93, 109),
        (112, 113, 115),
        (138, 134, 120),
        (165, 156, 116),
        (195, 179, 105),
        (225, 204, 85),
        (254, 232, 56),
    ],
    np.float64,
)
_COLOUR = 0.6
# Luma of ITU-R 601, as the decoder has it.
_LUMA = np.array([0.299, 0.587, 0.114])


def coloured(levels: Map) -> Pixels:
    """Levels [h, w] from 0 to 1 as colours, uint8 [h, w, 3]; what lies beyond is cut."""
    steps = np.linspace(0, 1, len(_SCALE))
    clipped = np.clip(levels, 0, 1)
    return np.rint(np.stack([np.interp(clipped, steps, channel) for channel in _SCALE.T], -1)).astype(np.uint8)


def overlay(picture: Pixels, found: Map) -> Pixels:
    """The picture [h, w, C] in gray under its map [h, w]: uint8 [h, w, 3].

    The map's strongest place is the brightest; what matters not at all, or speaks against the class, is dark. A flat
    map colours nothing.
    """
    gray = np.repeat(_gray(picture)[..., None], 3, -1)
    strongest = float(found.max())
    if float(np.ptp(found)) == 0 or strongest <= 0:
        return np.rint(gray).astype(np.uint8)
    return np.rint((1 - _COLOUR) * gray + _COLOUR * coloured(found / strongest)).astype(np.uint8)


def legend() -> Pixels:
    """The scale from left to right, uint8 [8, 128, 3]."""
    return coloured(np.tile(np.linspace(0, 1, 128), (8, 1)))


def _gray(picture: Pixels) -> NDArray[np.float64]:
    return picture[..., 0].astype(np.float64) if picture.shape[-1] == 1 else picture.astype(np.float64) @ _LUMA
