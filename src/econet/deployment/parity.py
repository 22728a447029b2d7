"""Parity: the file gives the answers of the network in torch, or the export has failed. Arrays only."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from econet.runs.artifact_records import Parity, Precision, TorchAgreement
from econet.statistics.intervals import tango

Floats = NDArray[np.float32]

# Where torch's two best logits are closer than this, either counts as its answer.
TIE_GAP = 1e-4
FP32_LARGEST_DIFFERENCE = 1e-3
INT8_LEAST_AGREEMENT = 0.95
# Each of two logits may come out a step away.
STEPS_OF_A_TIE = 2
MOST_BEYOND_A_STEP = 0.1
# In steps: a median image closer than the first was computed alike, and what fell the other way ends within the second.
# ONNX Runtime's two levels of optimisation differ as much on one file of a deep network that has learned little: 83 to
# 97 images in a hundred are equal to rounding, the others up to 4 steps apart.
COMPUTED_ALIKE = 0.01
FARTHEST_STEPS = 8


class ParityBroken(Exception):
    """The file does not answer as the network does; the message names the worst image and the likeliest cause."""


def check_parity(
    torch_logits: Floats,
    artifact_logits: Floats,
    *,
    precision: Precision,
    labels: NDArray[np.int64],
    parity_drop: float,
    files: int = 0,
) -> Parity:
    """Compare the logits [N, K] of torch and of the file on the same N images; `labels` [N] are the truth.

    The last `files` rows come from original picture files, the others from the store. fp32 passes when every answer
    agrees (ties apart) and no logit differs by more than 1e-3 of the logits' range; int8 fails under 95 %
    agreement, or when the paired interval of its accuracy drop lies wholly beyond `parity_drop`.
    Raises ValueError where there is no image or the shapes differ.
    """
    if torch_logits.shape != artifact_logits.shape or len(labels) != len(torch_logits) or not len(labels):
        raise ValueError(f"logits {torch_logits.shape}, {artifact_logits.shape} and {len(labels)} labels do not fit")
    compared = agreement(torch_logits, artifact_logits)
    if not np.isfinite(artifact_logits).all():
        passed = False
    elif precision == "fp32":
        allowed = FP32_LARGEST_DIFFERENCE * float(np.ptp(torch_logits))
        passed = compared.top1_agreement == 1 and compared.max_logit_difference <= allowed
    else:
        enough = compared.top1_agreement >= INT8_LEAST_AGREEMENT
        passed = enough and not _drops_beyond(torch_logits, artifact_logits, labels, parity_drop)
    return Parity(
        images=len(labels) - files,
        files=files,
        top1_agreement=compared.top1_agreement,
        max_logit_difference=compared.max_logit_difference,
        passed=passed,
    )


def check_quantized_parity(torch_logits: Floats, artifact_logits: Floats, *, files: int = 0) -> Parity:
    """Compare a network with fake quantization [N, K] and its int8 file, which are the same plan twice.

    Passes when every answer agrees (torch's logits less than two output steps apart are a tie) and logits differ by at
    most one step on nine images in ten, or not at all on most. On the others a value lay on the very edge between two
    codes and fell either way in float32, and what follows it was rounded anew, which is seen in the logits of a network
    that tells its images little apart; a file that computes something else differs everywhere, or by far.
    Raises ValueError for other shapes or no image.
    """
    if torch_logits.shape != artifact_logits.shape or not len(torch_logits):
        raise ValueError(f"logits {torch_logits.shape} and {artifact_logits.shape} do not fit")
    step = output_step(torch_logits)
    difference = np.abs(torch_logits.astype(np.float64) - artifact_logits)
    same = same_answer(torch_logits, artifact_logits, STEPS_OF_A_TIE * step)
    worst = difference.max(axis=1)
    within = worst <= step
    few = len(within) - int(within.sum()) <= ceil(MOST_BEYOND_A_STEP * len(within))
    alike = np.median(worst) <= COMPUTED_ALIKE * step and worst.max() <= FARTHEST_STEPS * step
    return Parity(
        images=len(torch_logits) - files,
        files=files,
        top1_agreement=float(same.mean()),
        max_logit_difference=float(worst.max()),
        passed=bool(same.all() and np.isfinite(artifact_logits).all() and (few or alike)),
        largest_steps=float(worst.max() / step),
        within_a_step=float(within.mean()),
        equal_steps=float((np.rint(torch_logits / step) == np.rint(artifact_logits / step)).mean()),
    )


def output_step(logits: Floats) -> float:
    """The width of one of 255 steps over the range of logits [N, K]: what one code of an 8-bit output would mean."""
    return float(np.ptp(logits)) / 255 or 1.0


def agreement(torch_logits: Floats, artifact_logits: Floats) -> TorchAgreement:
    """Share of images with the same top class (a tie in torch counts as the same) and largest logit difference."""
    return TorchAgreement(
        images=len(torch_logits),
        top1_agreement=float(same_answer(torch_logits, artifact_logits).mean()),
        max_logit_difference=float(np.abs(torch_logits - artifact_logits).max()),
    )


def same_answer(torch_logits: Floats, artifact_logits: Floats, tie: float = TIE_GAP) -> NDArray[np.bool_]:
    """[N]: whether the file's top class is torch's, or less than `tie` behind torch's best."""
    rows = np.arange(len(torch_logits))
    chosen = torch_logits[rows, artifact_logits.argmax(axis=1)]
    best = torch_logits.max(axis=1)
    return (artifact_logits.argmax(axis=1) == torch_logits.argmax(axis=1)) | (best - chosen < tie)


def worst_image(torch_logits: Floats, artifact_logits: Floats) -> int:
    """The image to show: among those answered differently (else among all) the one whose logits differ most."""
    difference = np.abs(torch_logits - artifact_logits).max(axis=1)
    difference[~np.isfinite(difference)] = np.inf
    differs = ~same_answer(torch_logits, artifact_logits)
    return int(np.argmax(np.where(differs, difference, -1.0) if differs.any() else difference))


def _drops_beyond(torch_logits: Floats, artifact_logits: Floats, labels: NDArray[np.int64], parity_drop: float) -> bool:
    torch_right = torch_logits.argmax(axis=1) == labels
    artifact_right = artifact_logits.argmax(axis=1) == labels
    only_torch = int((torch_right & ~artifact_right).sum())
    only_artifact = int((artifact_right & ~torch_right).sum())
    return tango(only_torch, only_artifact, len(labels))[1] < -parity_drop
