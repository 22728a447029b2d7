"""Are two pictures one picture? The best shift and zoom of one over the other, and how much of both then agrees.

The shift is where the cross-correlation of the contours is highest; then every tile of the common part is compared on
its own. A stranger agrees in a silhouette, a copy agrees everywhere: brightness, contrast, a crop, another encoder or
a mirror leave the tiles correlated.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from econet.data.decoders import usual_workers
from econet.data.sketches import THUMB, Floats
from econet.images.preprocess import Pixels

# Zooms of the first and the second picture that are tried: one may be a crop of the other's central 7/8 or 3/4.
ZOOMS = ((1.0, 1.0), (0.875, 1.0), (1.0, 0.875), (0.75, 1.0), (1.0, 0.75))
MOST_SHIFT = 8
_TILE = 8
_ACROSS = THUMB // _TILE
# Gray levels of noise that no correlation is expected to see through, and how much of a tile both must show.
_NOISE = 3.0
_TILE_SHARE = 0.6
# Contours: details finer than about a pixel and shapes wider than about four are taken out.
_FINE = np.array([0.25, 0.5, 0.25], np.float32)
_WIDE = np.exp(-(np.arange(-3, 4) ** 2) / (2 * 1.5**2)).astype(np.float32)
# Added to the length of the contours, so that an even surface correlates with nothing.
_FAINT = 8.0
# So much that a shift of up to MOST_SHIFT meets nothing that comes round from the other side.
_PADDED = THUMB + MOST_SHIFT
_CHUNK = 512

Whole = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Placement:
    """How the second picture of n pairs lies over the first: `zoom` [n] of ZOOMS, `down` and `right` [n] in pixels.

    `height` [n] is the correlation of the contours there.
    """

    height: Floats
    zoom: Whole
    down: Whole
    right: Whole


def agreement(first: Pixels, second: Pixels) -> Floats:
    """How far gray pictures uint8 [n, 32, 32] show the same as those they are paired with: [n], from -1 to 1.

    Each pair is first aligned. The mean correlation of tiles of 8 x 8 pixels over what both show.
    """

    def of_chunk(start: int) -> Floats:
        chunk = slice(start, start + _CHUNK)
        return _agreement(first[chunk].astype(np.float32), second[chunk].astype(np.float32))

    # NumPy lets go of the interpreter while it computes, so that threads share the chunks out.
    with ThreadPoolExecutor(usual_workers()) as threads:
        parts = list(threads.map(of_chunk, range(0, len(first), _CHUNK)))
    return np.concatenate([np.empty(0, np.float32), *parts])


def _agreement(first: Floats, second: Floats) -> Floats:
    placed = _placement(first, second)
    zooms = np.array(ZOOMS, np.float32)[placed.zoom]
    nowhere = np.zeros(len(first), np.intp)
    a, shown_a = _sampled(first, zooms[:, 0], nowhere, nowhere)
    b, shown_b = _sampled(second, zooms[:, 1], placed.down, placed.right)
    return _tiles_agree(_tiles(a), _tiles(b), _tiles((shown_a & shown_b).astype(np.float32)))


def _placement(first: Floats, second: Floats) -> _Placement:
    """The shift and zoom at which the contours correlate best."""
    near = np.r_[0 : MOST_SHIFT + 1, _PADDED - MOST_SHIFT : _PADDED]
    signed = np.where(near > MOST_SHIFT, near - _PADDED, near)
    of_first = {zoom: _spectrum(first, zoom) for zoom in {zoom for zoom, _ in ZOOMS}}
    of_second = {zoom: _spectrum(second, zoom).conj() for zoom in {zoom for _, zoom in ZOOMS}}
    none = np.zeros(len(first), np.intp)
    best = _Placement(np.full(len(first), -2, np.float32), none, none, none)
    for number, (zoom_a, zoom_b) in enumerate(ZOOMS):
        heights = np.fft.irfft2(of_first[zoom_a] * of_second[zoom_b], (_PADDED, _PADDED))
        heights = heights[:, near][:, :, near].reshape(len(first), -1)
        place = heights.argmax(1)
        height = np.take_along_axis(heights, place[:, None], 1)[:, 0].astype(np.float32)
        better = height > best.height
        best = _Placement(
            np.where(better, height, best.height),
            np.where(better, number, best.zoom),
            np.where(better, signed[place // len(near)], best.down),
            np.where(better, signed[place % len(near)], best.right),
        )
    return best


def _spectrum(pictures: Floats, zoom: float) -> NDArray[np.complex64]:
    """Fourier transform of the contours of the central `zoom` of each picture, of unit length, padded for shifts."""
    zoomed = _zoom_matrix(zoom)
    fine, wide = _blur_matrix(_FINE) @ zoomed, _blur_matrix(_WIDE / _WIDE.sum()) @ zoomed
    contours = fine @ pictures @ fine.T - wide @ pictures @ wide.T
    contours -= contours.mean((1, 2), keepdims=True)
    length = np.linalg.norm(contours.reshape(len(contours), -1), axis=1) + _FAINT
    return np.fft.rfft2(contours / length[:, None, None], (_PADDED, _PADDED)).astype(np.complex64)


def _zoom_matrix(zoom: float) -> Floats:
    """[32, 32]: the rows of a picture from those of the whole, linearly interpolated."""
    middle = (THUMB - 1) / 2
    at = middle + (np.arange(THUMB) - middle) * zoom
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(THUMB))).astype(np.float32)


def _blur_matrix(kernel: Floats) -> Floats:
    """[32, 32]: the rows of a picture smoothed by `kernel`, its first and last row continued."""
    half = len(kernel) // 2
    matrix = np.zeros((THUMB, THUMB), np.float32)
    for offset, share in enumerate(kernel, -half):
        np.add.at(matrix, (np.arange(THUMB), np.clip(np.arange(THUMB) + offset, 0, THUMB - 1)), share)
    return matrix


def _sampled(pictures: Floats, zoom: Floats, down: Whole, right: Whole) -> tuple[Floats, NDArray[np.bool_]]:
    """Each picture zoomed, then shifted, by linear interpolation; and which pixels [n, H, W] it really has there."""
    rows, row_share, row_in = _places(zoom, down)
    columns, column_share, column_in = _places(zoom, right)
    picture = np.arange(len(pictures))[:, None, None]
    upper = [pictures[picture, rows[:, :, None], (columns + step)[:, None, :]] for step in (0, 1)]
    lower = [pictures[picture, (rows + 1)[:, :, None], (columns + step)[:, None, :]] for step in (0, 1)]
    across = column_share[:, None, :]
    above, below = (pair[0] * (1 - across) + pair[1] * across for pair in (upper, lower))
    share = row_share[:, :, None]
    sampled = (above * (1 - share) + below * share).astype(np.float32)
    return sampled, row_in[:, :, None] & column_in[:, None, :]


def _places(zoom: Floats, shift: Whole) -> tuple[Whole, Floats, NDArray[np.bool_]]:
    """Of each of 32 places: the pixel before it, how far behind that it lies, and whether it is inside: [n, 32]."""
    middle = (THUMB - 1) / 2
    at = middle + (np.arange(THUMB) - shift[:, None] - middle) * zoom[:, None]
    inside = (at >= 0) & (at <= THUMB - 1)
    at = np.clip(at, 0, THUMB - 1)
    before = np.minimum(at.astype(np.intp), THUMB - 2)
    return before, (at - before).astype(np.float32), inside


def _tiles(pictures: Floats) -> Floats:
    """[n, 32, 32] as [n, 16, 64]: tile by tile."""
    split = pictures.reshape(len(pictures), _ACROSS, _TILE, _ACROSS, _TILE)
    return split.transpose(0, 1, 3, 2, 4).reshape(len(pictures), _ACROSS**2, _TILE**2)


def _tiles_agree(a: Floats, b: Floats, shown: Floats) -> Floats:
    """The mean correlation over the tiles [n, 16, 64] of which both pictures show enough."""
    pixels = np.maximum(shown.sum(2), 1)
    a = (a - ((a * shown).sum(2) / pixels)[..., None]) * shown
    b = (b - ((b * shown).sum(2) / pixels)[..., None]) * shown
    spread = ((a * a).sum(2) / pixels + _NOISE**2) * ((b * b).sum(2) / pixels + _NOISE**2)
    correlation = (a * b).sum(2) / pixels / np.sqrt(spread)
    counted = pixels > _TILE_SHARE * _TILE**2
    # At the largest shift and zoom tried most tiles are still shown by both: there is always one to count.
    return ((correlation * counted).sum(1) / np.maximum(counted.sum(1), 1)).astype(np.float32)
