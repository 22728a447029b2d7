"""Top-1 accuracy with ties shared out, as the 2012 code counted it."""

import numpy as np
import pytest

from econet.measurement.accuracy import Predictions
from econet.measurement.ties import accuracy_ties_shared


def scored(truth, probabilities):
    table = np.asarray(probabilities, np.float32)
    return accuracy_ties_shared(Predictions(np.asarray(truth, np.uint16), table.argmax(1).astype(np.uint16), table))


def test_without_ties_it_is_the_accuracy():
    assert scored([0, 1, 2], [[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.1, 0.3, 0.6]]) == pytest.approx(2 / 3)


def test_a_true_class_among_several_best_counts_its_share():
    two, three = [0.4, 0.4, 0.2], [1 / 3, 1 / 3, 1 / 3]
    assert scored([1], [two]) == 0.5
    assert scored([0], [two]) == 0.5
    assert scored([2], [two]) == 0
    assert scored([2, 1], [three, two]) == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_no_images_have_no_accuracy():
    with pytest.raises(ValueError, match="no images"):
        scored([], np.zeros((0, 3)))
