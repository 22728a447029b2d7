"""Confident learning: which labels are likely wrong, from probabilities of a model that has not seen them.

Source: Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", section 3.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelNoise:
    """`flagged` [M] are the images whose labels are likely wrong, the surest first, and `suggested` [M] their classes.

    `margin` [M] is by how much the suggested class is more probable than the label; `joint` [K, K] estimates how many
    images with label i (row) truly are j (column).
    """

    flagged: NDArray[np.intp]
    suggested: NDArray[np.intp]
    margin: NDArray[np.float64]
    joint: Counts


def find_label_noise(probabilities: NDArray[Any], labels: NDArray[Any]) -> LabelNoise:
    """Prune by noise rate: of every pair of classes as many as the joint expects, those with the largest margin first.

    `probabilities` [N, K] out of sample, `labels` [N]. A label that the model agrees with is never flagged, and of no
    class are all labels. Raises ValueError where shapes do not fit.
    """
    if probabilities.ndim != 2 or len(probabilities) != len(labels) or not len(labels):
        raise ValueError(f"probabilities {probabilities.shape} and labels {labels.shape} do not fit together")
    values = probabilities.astype(np.float64)
    joint = _calibrated(confident_joint(values, labels), np.bincount(labels, minlength=values.shape[1]))
    own = values[np.arange(len(labels)), labels]
    chosen = np.zeros(len(labels), np.bool_)
    for label, truth in zip(*np.nonzero(joint), strict=True):
        if label != truth:
            chosen[_largest_margins(values, own, labels, int(label), int(truth), int(joint[label, truth]))] = True
    answers = values.argmax(1)
    chosen &= answers != labels
    flagged = np.flatnonzero(chosen)
    margin = values[flagged, answers[flagged]] - own[flagged]
    order = np.argsort(-margin, kind="stable")
    return LabelNoise(flagged[order], answers[flagged][order], margin[order], joint)


def confident_joint(probabilities: NDArray[np.float64], labels: NDArray[Any]) -> Counts:
    """[K, K]: of images labelled i (row), how many a class j is confidently true for; uncertain images are not counted.

    A class is confident where its probability is at least its mean over the images with its label; of several the most
    probable counts (equation 1 and the treatment of collisions).
    """
    classes = probabilities.shape[1]
    # A class without images has no mean to reach.
    thresholds = np.full(classes, np.inf)
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    confident = probabilities >= thresholds - 1e-6
    counted = confident.any(1)
    truth = np.where(confident, probabilities, -1).argmax(1)
    joint = np.zeros((classes, classes), np.int64)
    np.add.at(joint, (labels[counted], truth[counted]), 1)
    present = np.unique(labels)
    joint[present, present] = np.maximum(joint[present, present], 1)
    return joint


def _calibrated(joint: Counts, counts: Counts) -> Counts:
    """Rows scaled to how many images have each label (equation 2), in whole images; at least one keeps its label."""
    totals = joint.sum(1, keepdims=True)
    scaled = np.divide(joint * counts[:, None], totals, out=np.zeros(joint.shape), where=totals > 0)
    whole = np.floor(scaled).astype(np.int64)
    for row in range(len(whole)):
        left = int(counts[row] - whole[row].sum()) if totals[row] else 0
        whole[row, np.argsort(whole[row] - scaled[row], kind="stable")[:left]] += 1
        if counts[row] and not whole[row, row]:
            whole[row, whole[row].argmax()] -= 1
            whole[row, row] = 1
    return whole


def _largest_margins(
    values: NDArray[np.float64], own: NDArray[np.float64], labels: NDArray[Any], label: int, truth: int, count: int
) -> NDArray[np.intp]:
    """The `count` images labelled `label` that are most rather `truth`."""
    members = np.flatnonzero(labels == label)
    return members[np.argsort(own[members] - values[members, truth], kind="stable")[:count]]
