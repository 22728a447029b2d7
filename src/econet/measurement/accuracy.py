"""How good: the predictions of one artifact on one split, and everything counted from them."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.errors import UserError
from econet.files import sha256_of, write_whole
from econet.runs.arrays import read_arrays
from econet.runs.artifact_records import (
    ClassAccuracy,
    EvaluatedData,
    Evaluation,
    Precision,
    ReliabilityBin,
    TorchAgreement,
)
from econet.statistics.calibration import ece, nll
from econet.statistics.intervals import wilson

# With fewer classes, being among the five best says nothing.
_LEAST_CLASSES_FOR_TOP5 = 6


@dataclass(frozen=True, slots=True)
class Predictions:
    """`truth` [N] and `predicted` [N], class numbers, and `probabilities` [N, K] of one artifact on one split."""

    truth: NDArray[np.uint16]
    predicted: NDArray[np.uint16]
    probabilities: NDArray[np.floating[Any]]

    def __len__(self) -> int:
        return len(self.truth)


def predictions_of(logits: NDArray[np.float32], probabilities: NDArray[np.float32], truth: NDArray[Any]) -> Predictions:
    """The predictions in `logits` [N, K]: the answer is the largest logit, the first one where several are."""
    return Predictions(truth.astype(np.uint16), logits.argmax(axis=1).astype(np.uint16), probabilities)


def write_predictions(path: Path, predictions: Predictions) -> str:
    """Write `<artifact>.predictions.npz` whole or not at all and return its SHA-256; probabilities as float16."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        truth=predictions.truth.astype(np.uint16),
        predicted=predictions.predicted.astype(np.uint16),
        probabilities=predictions.probabilities.astype(np.float16),
    )
    write_whole(path, buffer.getvalue())
    return sha256_of(path)


def read_predictions(path: Path) -> Predictions:
    """Read predictions back. Raises UserError naming the file where it is absent, cut or not of this form."""
    names = ("truth", "predicted", "probabilities")
    found = Predictions(*read_arrays(path, names, "the predictions", "make them again with `econet evaluate`").values())
    shapes = found.truth.shape, found.predicted.shape, found.probabilities.shape[:1]
    if found.truth.ndim != 1 or found.probabilities.ndim != 2 or len(set(shapes)) != 1:
        raise UserError(
            f"cannot read the predictions in {path}",
            f"its arrays have lengths {shapes}",
            "make them again with `econet evaluate`",
        )
    return found


def evaluate_predictions(
    predictions: Predictions,
    classes: tuple[str, ...],
    *,
    subject: str,
    precision: Precision,
    data: EvaluatedData,
    predictions_sha256: str,
    test_reads: int,
    seconds: float,
    torch_agreement: TorchAgreement | None = None,
) -> Evaluation:
    """The evaluation record of one artifact's predictions.

    Accuracy with its Wilson interval at 95 %, per class, confusion [truth][predicted], top-5 (None under 6 classes),
    negative log-likelihood, expected calibration error over 15 equal-mass bins. Raises ValueError without images.
    """
    n = len(predictions)
    right = int((predictions.truth == predictions.predicted).sum())
    confusion = _confusion(predictions, len(classes))
    error, bins = ece(predictions.probabilities, predictions.truth)
    return Evaluation(
        subject=subject,
        precision=precision,
        data=data,
        accuracy=right / n,
        accuracy_interval=wilson(right, n),
        top5_accuracy=_top5(predictions) if len(classes) >= _LEAST_CLASSES_FOR_TOP5 else None,
        per_class=tuple(
            _class_accuracy(name, row, index) for index, (name, row) in enumerate(zip(classes, confusion, strict=True))
        ),
        confusion=confusion,
        nll=nll(predictions.probabilities, predictions.truth),
        ece=error,
        reliability=tuple(ReliabilityBin(confidence=b.confidence, accuracy=b.accuracy, images=b.images) for b in bins),
        torch_agreement=torch_agreement,
        predictions_sha256=predictions_sha256,
        test_reads=test_reads,
        seconds=seconds,
    )


def paired(baseline: Predictions, candidate: Predictions) -> tuple[int, int, int]:
    """(n10, n01, n): images only the baseline got right, only the candidate, and all.

    Raises UserError where the two were not made on the same images.
    """
    if not np.array_equal(baseline.truth, candidate.truth):
        raise UserError(
            "the two sides cannot be paired",
            f"they were evaluated on different images ({len(baseline)} and {len(candidate)})",
            "evaluate both on the same data and split",
        )
    baseline_right = baseline.predicted == baseline.truth
    candidate_right = candidate.predicted == candidate.truth
    only_baseline = int((baseline_right & ~candidate_right).sum())
    only_candidate = int((candidate_right & ~baseline_right).sum())
    return only_baseline, only_candidate, len(baseline)


def _confusion(predictions: Predictions, classes: int) -> tuple[tuple[int, ...], ...]:
    cell = predictions.truth.astype(np.int64) * classes + predictions.predicted
    counts = np.bincount(cell, minlength=classes * classes).reshape(classes, classes)
    return tuple(tuple(int(count) for count in row) for row in counts)


def _class_accuracy(name: str, row: tuple[int, ...], index: int) -> ClassAccuracy:
    images = sum(row)
    return ClassAccuracy(name=name, images=images, accuracy=row[index] / images if images else None)


def _top5(predictions: Predictions) -> float:
    """Share of images whose class is among the five most probable."""
    best = np.argsort(-predictions.probabilities.astype(np.float64), axis=1, kind="stable")[:, :5]
    return float((best == predictions.truth[:, None]).any(axis=1).mean())
