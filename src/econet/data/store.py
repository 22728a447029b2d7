"""The store: the decoded uint8 pictures, their size, their statistics and their fingerprint."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from econet.data.dataset import Images
from econet.data.pixel_statistics import offset_and_scale
from econet.errors import UserError
from econet.images.preprocess import Pixels, Preprocess, cropped, resized

_CHUNK = 1024


def resize_all(images: Images, preprocess: Preprocess) -> Images:
    """The same split with every picture brought to the store's size."""
    height, width = preprocess.resize_size
    if images.pixels.shape[1:3] == (height, width):
        return images
    pixels = np.empty((len(images), height, width, preprocess.channels), np.uint8)
    for position, picture in enumerate(images.pixels):
        pixels[position] = resized(picture, preprocess)
    return replace(images, pixels=pixels)


def normalisation(pixels: Pixels) -> tuple[int, float]:
    """(offset, scale) of training pictures uint8 [N, H, W, C]: the mean gray level as a whole number, and 1 / std.

    Both are taken over all pixels and channels at once; the deviation is from the exact mean.
    Raises UserError where every pixel is the same.
    """
    counts = np.zeros(256, np.int64)
    for start in range(0, len(pixels), _CHUNK):
        counts += np.bincount(pixels[start : start + _CHUNK].reshape(-1), minlength=256)
    return offset_and_scale(counts)


def mean_image(pixels: Pixels, preprocess: Preprocess) -> NDArray[np.float32]:
    """The mean over training pictures uint8 [N, H, W, C] of every pixel of the central view: float32 [h, w, C].

    Always of the centre, whatever crop it is later taken from: so does the 2012 code (its data_mean_crop).
    """
    total = np.zeros(cropped(pixels[:1], preprocess).shape[1:], np.float64)
    for start in range(0, len(pixels), _CHUNK):
        total += cropped(pixels[start : start + _CHUNK], preprocess).sum(0, dtype=np.float64)
    return (total / len(pixels)).astype(np.float32)


def fingerprint(classes: Iterable[str], splits: Iterable[Images]) -> str:
    """SHA-256 over classes, and of each split in turn its shape, labels and pixels."""
    digest = hashlib.sha256(msgspec.json.encode(list(classes)))
    for images in splits:
        digest.update(repr(images.pixels.shape).encode())
        digest.update(np.ascontiguousarray(images.labels, "<i8").data)
        digest.update(np.ascontiguousarray(images.pixels).data)
    return digest.hexdigest()


def check_memory(count: int, size: tuple[int, int], channels: int) -> None:
    """Raise UserError where `count` pictures and their two augmented copies would not fit into this machine."""
    if not fits_memory(count, size, channels):
        needed, memory = _needed(count, size, channels), _memory()
        raise UserError(
            f"{count:,} pictures of {size[0]} x {size[1]} need {needed / 1e9:.1f} GB of memory",
            f"they are held whole, with augmented copies, and this machine has {memory / 1e9:.1f} GB",
            "a smaller --image-size",
        )


def fits_memory(count: int, size: tuple[int, int], channels: int) -> bool:
    """Whether `count` pictures and their two augmented copies fit into four fifths of this machine's memory."""
    return _needed(count, size, channels) <= 0.8 * _memory()


def _needed(count: int, size: tuple[int, int], channels: int) -> int:
    return 3 * count * size[0] * size[1] * channels


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
