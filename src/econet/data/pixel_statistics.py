"""What is measured of the training pixels, from one pass over batches of them: for pictures that memory cannot hold."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from econet.data.colour_noise import ColourAxes, principal_axes
from econet.errors import UserError
from econet.images.preprocess import Pixels, Preprocess, cropped

_LEVELS = 256


@dataclass(frozen=True, slots=True)
class PixelStatistics:
    """Of `images` training pictures: `offset` and `scale` of their pixels, the mean of every pixel of the central view
    (float32 [h, w, C]) and the principal axes of their colours, None for gray ones.
    """

    offset: int
    scale: float
    mean_image: NDArray[np.float32]
    colour: ColourAxes | None
    images: int


def pixel_statistics(batches: Iterable[Pixels], preprocess: Preprocess) -> PixelStatistics:
    """The statistics of all pictures in `batches`, each uint8 [n, H, W, C] of the store's size.

    Raises UserError where every pixel is the same, ValueError where there is no picture.
    """
    channels = preprocess.channels
    counts = np.zeros(_LEVELS, np.int64)
    centre = np.zeros((*preprocess.image_size, channels))
    colours, products = np.zeros(channels), np.zeros((channels, channels))
    images = 0
    for batch in batches:
        counts += np.bincount(batch.reshape(-1), minlength=_LEVELS)
        centre += cropped(batch, preprocess).sum(0, dtype=np.float64)
        flat = batch.reshape(-1, channels).astype(np.float64)
        colours += flat.sum(0)
        products += flat.T @ flat
        images += len(batch)
    if not images:
        raise ValueError("no pictures to measure")
    offset, scale = offset_and_scale(counts)
    pixels = int(counts.sum()) // channels
    return PixelStatistics(
        offset=offset,
        scale=scale,
        mean_image=(centre / images).astype(np.float32),
        colour=None if channels == 1 else principal_axes(pixels, colours, products),
        images=images,
    )


def offset_and_scale(counts: NDArray[np.int64]) -> tuple[int, float]:
    """(the mean gray level as a whole number, 1 / standard deviation) of values of which `counts` [256] are known.

    The deviation is from the exact mean. Raises UserError where all values are the same.
    """
    levels, total = np.arange(_LEVELS), int(counts.sum())
    mean = float((counts * levels).sum() / total)
    deviation = float(np.sqrt((counts * (levels - mean) ** 2).sum() / total))
    if deviation == 0:
        raise UserError(
            "all training pictures are one single colour",
            f"every pixel is {mean:.0f}",
            "check that these are the files you meant",
        )
    return round(mean), 1 / deviation
