"""Learning a codebook for Fisher vectors: PCA and a mixture of Gaussians on descriptors of training images."""

import time
import warnings
from typing import Any

import numpy as np

from econet.images.preprocess import Pixels
from econet.models.handcrafted.dense_sift import descriptors, places
from econet.models.handcrafted.features import SiftFisher
from econet.models.handcrafted.fisher import Codebook, Floats, reduced
from econet.runs.handcrafted_records import CodebookLearning
from econet.statistics.streams import stream_seed

IMAGES = 2_500
DESCRIPTORS_OF_AN_IMAGE = 20
MOST_ITERATIONS = 50
# The least variance of a Gaussian; flat patches all have the same descriptor, and one that had none would be
# infinitely sure of them.
LEAST_VARIANCE = 1e-5


def learn_codebook(pixels: Pixels, settings: SiftFisher, seed: int) -> tuple[Codebook, CodebookLearning]:
    """The codebook of training pictures uint8 [N, H, W, C], from up to 50,000 of their descriptors."""
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    began = time.perf_counter()
    sample, where = _sample(pixels, settings, seed)
    pca: Any = PCA(settings.components, svd_solver="covariance_eigh").fit(sample)
    mean, axes = pca.mean_.astype(np.float32), pca.components_.astype(np.float32)
    points = reduced(sample[:, None], where[:, None], mean, axes)[:, 0]
    mixture: Any = GaussianMixture(
        settings.gaussians,
        covariance_type="diag",
        reg_covar=LEAST_VARIANCE,
        max_iter=MOST_ITERATIONS,
        random_state=stream_seed(seed, "codebook") % 2**32,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # recorded instead
        mixture.fit(points)
    codebook = Codebook(
        mean=mean,
        axes=axes,
        weights=mixture.weights_.astype(np.float32),
        means=mixture.means_.astype(np.float32),
        variances=mixture.covariances_.astype(np.float32),
    )
    return codebook, CodebookLearning(
        descriptors=len(points),
        iterations=int(mixture.n_iter_),
        converged=bool(mixture.converged_),
        seconds=round(time.perf_counter() - began, 3),
    )


def _sample(pixels: Pixels, settings: SiftFisher, seed: int) -> tuple[Floats, Floats]:
    """Descriptors [M, 128] of chosen pictures and patches, and their places [M, 2]."""
    chance = np.random.default_rng(stream_seed(seed, "descriptors"))
    chosen = np.sort(chance.choice(len(pixels), min(IMAGES, len(pixels)), replace=False))
    all_places = places(pixels.shape[1], pixels.shape[2], settings)
    count = min(DESCRIPTORS_OF_AN_IMAGE, len(all_places))
    found: list[Floats] = []
    where: list[Floats] = []
    for position in chosen:
        patches = chance.choice(len(all_places), count, replace=False)
        found.append(descriptors(pixels[position][None], settings)[0, patches])
        where.append(all_places[patches])
    return np.concatenate(found), np.concatenate(where)
