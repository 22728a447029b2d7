"""Histograms of oriented gradients of many pictures, by scikit-image."""

import numpy as np
from numpy.typing import NDArray

from econet.images.preprocess import Pixels
from econet.models.handcrafted.features import Hog


def hog_features(pixels: Pixels, settings: Hog) -> NDArray[np.float32]:
    """Features [N, D] of pictures uint8 [N, H, W, C]; all values lie between 0 and 1."""
    return np.stack([_of_one(picture, settings) for picture in pixels])


def _of_one(picture: Pixels, settings: Hog) -> NDArray[np.float32]:
    from skimage.feature import hog

    gray = picture.shape[2] == 1
    parts = [
        hog(
            picture[:, :, 0] if gray else picture,
            orientations=settings.orientations,
            pixels_per_cell=(cell, cell),
            cells_per_block=(settings.block, settings.block),
            block_norm="L2-Hys",
            channel_axis=None if gray else -1,
        )
        for cell in settings.cells
    ]
    return np.concatenate(parts).astype(np.float32)
