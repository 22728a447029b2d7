"""Dense SIFT: a descriptor of every patch on a grid, by OpenCV; upright, on the gray picture."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.images.preprocess import Pixels
from econet.models.handcrafted.features import SiftFisher

LENGTH = 128
# OpenCV's descriptor is 4 bins wide, and a bin 1.5 times the key point's size (its SIFT_DESCR_SCL_FCTR / 2).
_PATCH_PER_SIZE = 6


def grid(height: int, width: int, settings: SiftFisher) -> NDArray[np.float32]:
    """Row, column and side [P, 3] of every patch, in pixels of the enlarged picture; rows vary slowest.

    Patches lie wholly inside, `step` apart, and the grid is centred.
    """
    tall, wide = height * settings.enlarged, width * settings.enlarged
    found = [
        (row, column, patch)
        for patch in settings.patches
        for row in _centres(tall, patch, settings.step)
        for column in _centres(wide, patch, settings.step)
    ]
    return np.array(found, np.float32)


def places(height: int, width: int, settings: SiftFisher) -> NDArray[np.float32]:
    """Where each patch lies [P, 2]: row and column of its centre from -0.5 to 0.5 of the picture."""
    size = np.array([height * settings.enlarged, width * settings.enlarged], np.float32)
    return grid(height, width, settings)[:, :2] / size - 0.5


def descriptors(pixels: Pixels, settings: SiftFisher) -> NDArray[np.float32]:
    """Descriptors [N, P, 128] of pictures uint8 [N, H, W, C], each of length 1, or all zeros where a patch is flat.

    The square root of the descriptor that sums to 1: "RootSIFT", Arandjelovic and Zisserman 2012.
    """
    import cv2

    cv2.setNumThreads(1)  # pictures of this size gain nothing from more
    sift = cv2.SIFT.create()
    points = [
        cv2.KeyPoint(float(column), float(row), float(side) / _PATCH_PER_SIZE, 0.0)
        for row, column, side in grid(pixels.shape[1], pixels.shape[2], settings)
    ]
    found = np.empty((len(pixels), len(points), LENGTH), np.float32)
    for place, picture in enumerate(pixels):
        found[place] = sift.compute(_enlarged(picture, settings.enlarged), points)[1]
    total = found.sum(axis=2, keepdims=True)
    return np.sqrt(np.divide(found, total, out=np.zeros_like(found), where=total > 0))


def _enlarged(picture: Pixels, times: int) -> Any:
    import cv2

    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.shape[2] == 3 else picture[:, :, 0]
    return cv2.resize(gray, None, fx=times, fy=times, interpolation=cv2.INTER_LINEAR)


def _centres(side: int, patch: int, step: int) -> Iterable[int]:
    count = (side - patch) // step + 1
    first = (side - (count - 1) * step) // 2
    return (first + step * index for index in range(count))
