"""The improved Fisher vector: in which direction a picture's descriptors would move a mixture of Gaussians.

Source: Sanchez, Perronnin, Mensink and Verbeek 2013, "Image Classification with the Fisher Vector", equations 16 to
18 without the gradient of the weights; signed square root and length 1 after Perronnin et al. 2010.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Codebook:
    """What is learned without labels: PCA and a mixture of G diagonal Gaussians over [components, row, column].

    `mean` [128] and `axes` [components, 128] of the PCA; `weights` [G], `means` and `variances` [G, components + 2].
    """

    mean: Floats
    axes: Floats
    weights: Floats
    means: Floats
    variances: Floats


def reduced(descriptors: Floats, places: Floats, mean: Floats, axes: Floats) -> Floats:
    """Descriptors [N, P, 128] along the PCA's axes, with each patch's place appended: [N, P, components + 2]."""
    along = (descriptors - mean) @ axes.T
    spread = np.broadcast_to(places, (*along.shape[:-1], 2))
    return np.concatenate([along, spread], axis=-1).astype(np.float32, copy=False)


def posteriors(points: Floats, codebook: Codebook) -> Floats:
    """The probability [M, G] of each Gaussian for each of `points` [M, D]."""
    inverse = 1 / codebook.variances
    constant = np.log(codebook.weights) - 0.5 * (np.log(codebook.variances) + codebook.means**2 * inverse).sum(1)
    logs = constant + points @ (codebook.means * inverse).T - 0.5 * points**2 @ inverse.T
    logs -= logs.max(axis=1, keepdims=True)
    odds = np.exp(logs)
    return odds / odds.sum(axis=1, keepdims=True)


def fisher_gradients(points: Floats, codebook: Codebook) -> Floats:
    """The normalised gradients [N, 2 * G * D] of `points` [N, P, D]: by the means, then by the deviations."""
    images, patches, dimensions = points.shape
    flat = points.reshape(-1, dimensions)
    shares = posteriors(flat, codebook).reshape(images, patches, -1).transpose(0, 2, 1)
    zeroth = shares.sum(axis=2)[:, :, None]
    first, second = shares @ points, shares @ points**2
    means, variances = codebook.means, codebook.variances
    by_means = (first - means * zeroth) / np.sqrt(variances)
    by_deviations = (second - 2 * means * first + (means**2 - variances) * zeroth) / (variances * np.sqrt(2))
    root = np.sqrt(codebook.weights)[:, None] * patches
    both = np.stack([by_means / root, by_deviations / root], axis=1)
    return both.reshape(images, -1).astype(np.float32)


def improved(vectors: Floats) -> Floats:
    """Fisher vectors [N, D] after a signed square root, brought to length 1."""
    rooted = np.sign(vectors) * np.sqrt(np.abs(vectors))
    lengths = np.linalg.norm(rooted, axis=1, keepdims=True)
    return rooted / np.maximum(lengths, np.finfo(np.float32).tiny)
