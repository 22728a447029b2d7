"""Colour noise along the principal axes of the training pixels (Krizhevsky et al. 2012, section 4.1), in its readings.

The paper adds `sum of p_i * alpha_i * lambda_i` with alpha from N(0, 0.1) and calls lambda the eigenvalues of the RGB
covariance. To the letter, on pixels from 0 to 255, the noise would be larger than any picture. The author's code
multiplies by standard deviations, the square roots (`std`); many later programs multiply by eigenvalues of pixels
from 0 to 1 (`eig01`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from econet.errors import UserError
from econet.images.preprocess import Pixels
from econet.runs.choices import ColourReading

ALPHA = 0.1
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class ColourAxes:
    """`axes` [C, C], a unit vector a row, the longest first; `deviations` [C], the pixels' spread along each."""

    axes: NDArray[np.float64]
    deviations: NDArray[np.float64]


def colour_axes(pixels: Pixels) -> ColourAxes:
    """Principal components of uint8 pixels [N, H, W, C] in grey levels. Raises UserError for gray pictures."""
    channels = pixels.shape[-1]
    if channels == 1:
        raise UserError(
            "gray pictures have no colour noise",
            "it varies the balance of the channels, and these have one",
            "leave --colour-noise out",
        )
    total, products = np.zeros(channels), np.zeros((channels, channels))
    for start in range(0, len(pixels), _CHUNK):
        flat = pixels[start : start + _CHUNK].reshape(-1, channels).astype(np.float64)
        total += flat.sum(0)
        products += flat.T @ flat
    return principal_axes(pixels.size // channels, total, products)


def principal_axes(count: int, total: NDArray[np.float64], products: NDArray[np.float64]) -> ColourAxes:
    """Principal components of `count` pixels from their sum `total` [C] and the sum of their products [C, C]."""
    mean = total / count
    values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    order = np.argsort(values)[::-1]
    return ColourAxes(vectors.T[order], np.sqrt(np.maximum(values[order], 0)))


def noise_deviations(axes: ColourAxes, reading: ColourReading) -> NDArray[np.float64]:
    """The noise's standard deviation [C] along each axis, in grey levels. Raises UserError for `eig255`."""
    if reading == "std":
        return ALPHA * axes.deviations
    eigenvalues = axes.deviations**2
    if reading == "eig01":
        return ALPHA * eigenvalues / 255
    raise UserError(
        "the colour noise `eig255` cannot be used",
        f"the formula to the letter gives noise of {ALPHA * eigenvalues[0]:.0f} grey levels on pixels from 0 to 255",
        "--colour-noise std, as the author's code has it, or eig01",
    )
