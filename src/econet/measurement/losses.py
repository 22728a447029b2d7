"""What a step cost: two files' answers on the same images, overall, class by class and image by image."""

import numpy as np
from numpy.typing import NDArray

from econet.measurement.accuracy import Predictions, paired
from econet.runs.difference import Difference
from econet.runs.ledger_records import ClassLoss, Loss
from econet.statistics.calibration import ece, nll
from econet.statistics.intervals import tango


def loss_between(before: Predictions, after: Predictions, classes: tuple[str, ...]) -> Loss:
    """The paired loss from `before` to `after`, each difference with Tango's 95 % score interval.

    A class without images is left out. Raises UserError where the two were not made on the same images.
    """
    only_before, only_after, images = paired(before, after)
    was_right, is_right = _right(before), _right(after)
    return Loss(
        difference=difference_of(only_before, only_after, images),
        classes=tuple(
            _class_loss(classes[label], was_right[of_class], is_right[of_class])
            for label in np.unique(before.truth).tolist()
            for of_class in [before.truth == label]
        ),
        ece=(ece(before.probabilities, before.truth)[0], ece(after.probabilities, after.truth)[0]),
        nll=(nll(before.probabilities, before.truth), nll(after.probabilities, after.truth)),
        changed=int(np.count_nonzero(before.predicted != after.predicted)),
        lost=tuple(np.flatnonzero(was_right & ~is_right).tolist()),
        gained=tuple(np.flatnonzero(is_right & ~was_right).tolist()),
    )


def difference_of(only_before: int, only_after: int, images: int) -> Difference:
    """After minus before, of `images` pairs of which so many were right on one side alone."""
    return Difference(
        candidate_minus_baseline=(only_after - only_before) / images,
        interval=tango(only_before, only_after, images),
        n10=only_before,
        n01=only_after,
        images=images,
    )


def _class_loss(name: str, was_right: NDArray[np.bool_], is_right: NDArray[np.bool_]) -> ClassLoss:
    only_before = int(np.count_nonzero(was_right & ~is_right))
    only_after = int(np.count_nonzero(is_right & ~was_right))
    return ClassLoss(name=name, difference=difference_of(only_before, only_after, len(was_right)))


def _right(predictions: Predictions) -> NDArray[np.bool_]:
    return predictions.predicted == predictions.truth
