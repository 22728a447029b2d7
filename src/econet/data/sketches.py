"""What is kept of a picture to find others like it: a digest, a thumbnail, and a short description of its shapes.

The description is the lower half of a cosine transform of 16 x 16 area means, in a brightness and two colour axes.
Each coefficient is multiplied by the root of its frequency, which brings the spectrum of pictures (amplitudes falling
with 1 / frequency: Field 1987, "Relations between the statistics of natural images and the response properties of
cortical cells") half the way to flat: coarse shapes that all pictures share then weigh less. Nothing is learned from
the data, so that two pictures are as alike in a set of ten as in one of a million.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from econet.images.preprocess import Pixels

Floats = NDArray[np.float32]

COARSE = 16
THUMB = 32
# Cosine coefficients (v, u) with v + u up to this many are kept.
_KEPT = 8
_CHUNK = 1000
# ITU-R 601, as the decoder has it.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# Brightness, blue against red, green against both; colour varies less than brightness and counts twice.
_AXES = np.array([[1, 1, 1], [-1, 0, 1], [-0.5, 1, -0.5]], np.float32)
_AXIS_WEIGHTS = np.array([1, 2, 2], np.float32)


@dataclass(frozen=True, slots=True)
class Sketches:
    """Of N pictures: `digests` of their pixels, `coarse` uint8 [N, 16, 16, C] and `thumbs` uint8 gray [N, 32, 32]."""

    digests: tuple[bytes, ...]
    coarse: Pixels
    thumbs: Pixels

    def __len__(self) -> int:
        return len(self.digests)


def sketched(batches: Iterable[Pixels]) -> Sketches:
    """Sketches of all pictures in `batches`, each uint8 [n, H, W, C] of one size."""
    digests: list[bytes] = []
    coarse: list[Pixels] = []
    thumbs: list[Pixels] = []
    for batch in batches:
        for start in range(0, len(batch), _CHUNK):
            pixels = np.ascontiguousarray(batch[start : start + _CHUNK])
            digests += [hashlib.sha256(picture.data).digest() for picture in pixels]
            floats = pixels.astype(np.float32)
            coarse.append(_rounded(area_means(floats, COARSE)))
            thumbs.append(_rounded(area_means(_gray(floats)[..., None], THUMB)[..., 0]))
    if not digests:
        raise ValueError("no pictures to sketch")
    return Sketches(tuple(digests), np.concatenate(coarse), np.concatenate(thumbs))


def described(coarse: Pixels, *, mirrored: bool = False) -> Floats:
    """Descriptions [N, D] of unit length from `coarse` [N, 16, 16, C]; an even surface is described by zeros.

    A product of two is the correlation of what the pictures show, whatever their brightness and contrast. With
    `mirrored` those of the pictures seen in a mirror.
    """
    channels = coarse.shape[-1]
    axes = _AXES / np.linalg.norm(_AXES, axis=1, keepdims=True) * _AXIS_WEIGHTS[:, None]
    axes = axes if channels == 3 else np.ones((1, 1), np.float32)
    cosines = _cosines(COARSE)
    v, u = np.meshgrid(np.arange(_KEPT), np.arange(_KEPT), indexing="ij")
    kept = v + u <= _KEPT
    # A channel's mean is a colour cast: it counts as half a wave; that of the brightness is no shape at all.
    weights = np.sqrt(np.maximum(np.hypot(v, u), 0.5)).astype(np.float32)[..., None].repeat(len(axes), axis=2)
    weights[0, 0, 0] = 0
    parts: list[Floats] = []
    for start in range(0, len(coarse), _CHUNK):
        pixels = coarse[start : start + _CHUNK].astype(np.float32)
        waves = np.einsum(
            "kh,nhwc,lw,oc->nklo", cosines, pixels[:, :, ::-1] if mirrored else pixels, cosines, axes, optimize=True
        )
        flat = (waves * weights)[:, kept].reshape(len(pixels), -1)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        parts.append(np.where(length > 1e-3, flat / np.maximum(length, 1e-3), 0).astype(np.float32))
    return np.concatenate(parts)


def area_means(pixels: Floats, side: int) -> Floats:
    """`pixels` [N, H, W, C] as [N, side, side, C]: each value the mean over its share of the area."""
    rows, columns = _shares(pixels.shape[1], side), _shares(pixels.shape[2], side)
    return np.einsum("sh,nhwc,tw->nstc", rows, pixels, columns, optimize=True)


def _gray(pixels: Floats) -> Floats:
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels @ LUMA


def _shares(length: int, parts: int) -> Floats:
    """[parts, length]: which share of each part every pixel makes up."""
    edges = np.arange(parts + 1) * length / parts
    pixel = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (np.maximum(overlap, 0) * parts / length).astype(np.float32)


def _cosines(length: int) -> Floats:
    """The first rows of the orthonormal cosine transform (DCT-II), [_KEPT, length]."""
    waves = np.cos(np.pi * np.arange(_KEPT)[:, None] * (np.arange(length) + 0.5) / length)
    return (waves / np.linalg.norm(waves, axis=1, keepdims=True)).astype(np.float32)


def _rounded(values: Floats) -> Pixels:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)
