"""What two files answered to the same pictures: right or wrong, and how surely."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.measurement.accuracy import Predictions
from econet.runs.beside import beside
from econet.runs.comparison_records import Side


def right(predictions: Predictions) -> NDArray[np.bool_]:
    """Which answers are right, bool [N]."""
    return predictions.predicted == predictions.truth


def confidence(predictions: Predictions) -> NDArray[np.floating[Any]]:
    """The probability of the answer given, [N]."""
    return predictions.probabilities[np.arange(len(predictions)), predictions.predicted]


def pooled_path(folder: Path, side: Side) -> Path:
    """Where a comparison in folds keeps a side's answers to the pictures of all folds."""
    return folder / f"{side.role}.{side.precision}.predictions.npz"


def predictions_path(artifact: Path) -> Path:
    """`model.int8.onnx` -> `model.int8.predictions.npz` beside it."""
    return beside(artifact, "predictions.npz")
