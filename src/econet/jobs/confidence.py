"""How sure a file may be: fitted on validation images through the file itself, before it is proven. No torch."""

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray

from econet.data.dataset import Dataset
from econet.data.split import choosing_half
from econet.deployment.confidence import LEAST_IMAGES, fit_confidence
from econet.deployment.graph_writer import OUTPUT
from econet.deployment.session import open_session, run_session
from econet.images.preprocess import Pixels, cropped
from econet.runs.confidence_records import Confidence
from econet.training.progress import Progress

# Beyond these a threshold no longer gains.
_MOST_IMAGES = 10_000
_BATCH = 256
Floats = NDArray[np.float32]


def confidence_of(logits_of: Callable[[Pixels], Floats], dataset: Dataset, progress: Progress) -> Confidence | None:
    """The confidence of a file that gives `logits_of` stored images [N, H, W, C]; None where validation is too small.

    Validation is divided in two by the split's seed (`choosing_half`): the half that may have stopped the training
    fits the temperature, the other one, on which nothing was chosen but among whole runs, the thresholds.
    """
    count = len(dataset.validation)
    if count < LEAST_IMAGES:
        progress.note(
            f"the file will not say how sure it is: {count} validation images are too few ({LEAST_IMAGES} are needed)"
        )
        return None
    rows = np.linspace(0, count - 1, min(count, _MOST_IMAGES)).round().astype(np.intp)
    logits = [
        logits_of(dataset.validation.pixels[rows[start : start + _BATCH]]) for start in range(0, len(rows), _BATCH)
    ]
    choosing = choosing_half(count, dataset.split_seed)[rows]
    return fit_confidence(np.concatenate(logits), dataset.validation.labels[rows], choosing)


def logits_in_memory(model: onnx.ModelProto, dataset: Dataset) -> Callable[[Pixels], Floats]:
    """What an artifact in memory answers to stored images of `dataset`, in ONNX Runtime."""
    session = open_session(model.SerializeToString())

    def answer(stored: Pixels) -> Floats:
        images = cropped(stored, dataset.preprocess)
        return run_session(session, [OUTPUT], np.ascontiguousarray(images.transpose(0, 3, 1, 2)))[0]

    return answer
