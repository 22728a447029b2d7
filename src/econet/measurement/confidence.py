"""Whether a file's confidence holds on images that fitted nothing: calibration, coverage, false and true alarms."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.deployment.confidence import covering, probabilities_of, unlike
from econet.runs.confidence_records import LEAST_COVERAGE, Confidence, ConfidenceFound, Covered, Foreign
from econet.statistics.calibration import ece, nll
from econet.statistics.conformal import coverage_interval
from econet.statistics.detection import auroc, familiarity

STATED = (0.8, 0.9, 0.95)


def confidence_found(logits: NDArray[np.float32], labels: NDArray[Any], confidence: Confidence) -> ConfidenceFound:
    """What `confidence` is worth on images with `logits` [N, K] and `labels` [N] that had no part in fitting it."""
    plain = probabilities_of(logits, None)
    highest = (LEAST_COVERAGE + len(confidence.scores) - 1) / 100
    return ConfidenceFound(
        temperature=confidence.temperature,
        ece_before=ece(plain, labels)[0],
        nll_before=nll(plain, labels),
        coverage=tuple(covered(logits, labels, confidence, stated) for stated in STATED if stated <= highest),
        false_alarms_stated=confidence.false_alarms,
        false_alarms=float(unlike(logits, confidence).mean()),
    )


def covered(logits: NDArray[np.float32], labels: NDArray[Any], confidence: Confidence, stated: float) -> Covered:
    """Sets of one stated coverage on these images."""
    sets = covering(logits, confidence, stated)
    sizes = sets.sum(axis=1)
    return Covered(
        stated=stated,
        covered=float(sets[np.arange(len(labels)), labels].mean()),
        interval=coverage_interval(confidence.images[1], stated, len(labels)),
        mean_classes=float(sizes.mean()),
        empty=float((sizes == 0).mean()),
    )


def foreign_found(
    name: str, fingerprint: str, logits: NDArray[np.float32], known: NDArray[np.float32], confidence: Confidence
) -> Foreign:
    """How well pictures of another source, with `logits` [M, K], are told from images with the logits `known` [N, K].

    Raises ValueError where there is no picture.
    """
    return Foreign(
        name=name,
        fingerprint=fingerprint,
        images=len(logits),
        noticed=float(unlike(logits, confidence).mean()),
        auroc=auroc(familiarity(known), familiarity(logits)),
    )
