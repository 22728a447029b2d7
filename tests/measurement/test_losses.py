"""What a step cost, counted by hand."""

import numpy as np
import pytest

from econet.errors import UserError
from econet.measurement.accuracy import Predictions
from econet.measurement.losses import loss_between


def answered(truth, predicted, sure):
    """Predictions of two classes that give the answer the probability `sure`."""
    probabilities = np.full((len(truth), 2), 1 - sure)
    probabilities[np.arange(len(truth)), predicted] = sure
    return Predictions(np.array(truth, np.uint16), np.array(predicted, np.uint16), probabilities)


BEFORE = answered([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 0], 0.75)
AFTER = answered([0, 0, 0, 1, 1, 1], [0, 1, 0, 0, 1, 0], 0.5)


def test_flips_are_counted_by_image_class_and_direction():
    loss = loss_between(BEFORE, AFTER, ("left", "right"))
    assert loss.lost == (1, 3)
    assert loss.gained == (2,)
    assert loss.changed == 3
    assert (loss.difference.n10, loss.difference.n01, loss.difference.images) == (2, 1, 6)
    assert loss.difference.candidate_minus_baseline == pytest.approx(-1 / 6)
    by_class = {each.name: (each.difference.n10, each.difference.n01, each.difference.images) for each in loss.classes}
    assert by_class == {"left": (1, 1, 3), "right": (1, 0, 3)}


def test_calibration_stands_there_before_and_after():
    loss = loss_between(BEFORE, AFTER, ("left", "right"))
    # Before: sure to 75 %, right in 4 of 6; after: sure to 50 %, right in 3 of 6.
    assert loss.ece == pytest.approx((0.75 - 4 / 6, 0.0))
    assert loss.nll == pytest.approx((-(4 * np.log(0.75) + 2 * np.log(0.25)) / 6, -np.log(0.5)))


def test_losses_of_steps_add_up():
    between = answered([0, 0, 0, 1, 1, 1], [1, 0, 1, 1, 0, 1], 0.9)
    classes = ("left", "right")
    steps = [loss_between(BEFORE, between, classes), loss_between(between, AFTER, classes)]
    whole = loss_between(BEFORE, AFTER, classes)
    assert sum(each.difference.n01 - each.difference.n10 for each in steps) == -1
    assert sum(each.difference.candidate_minus_baseline for each in steps) == pytest.approx(
        whole.difference.candidate_minus_baseline
    )


def test_a_class_without_images_has_no_row():
    loss = loss_between(BEFORE, AFTER, ("left", "right", "never seen"))
    assert [each.name for each in loss.classes] == ["left", "right"]


def test_answers_to_other_images_are_refused():
    with pytest.raises(UserError, match="cannot be paired"):
        loss_between(BEFORE, answered([0, 1], [0, 1], 0.5), ("left", "right"))
