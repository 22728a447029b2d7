"""AUROC by counting pairs, and a familiarity that no constant changes."""

import math

import numpy as np
import pytest

from econet.statistics.detection import auroc, familiarity


def test_auroc_is_the_share_of_pairs_in_order_with_ties_as_halves():
    higher, lower = np.array([3.0, 1.0, 2.0, 2.0]), np.array([2.0, 0.0, 5.0])
    pairs = [(one > other) + (one == other) / 2 for one in higher for other in lower]
    assert auroc(higher, lower) == pytest.approx(sum(pairs) / 12)
    assert auroc(np.array([1.0]), np.array([0.0])) == 1.0
    with pytest.raises(ValueError, match="two groups"):
        auroc(higher, lower[:0])


def test_familiarity_is_how_far_the_other_classes_are_ruled_out():
    logits = np.array([[3.0, 0.0, 0.0], [1.0, 1.0, 1.0]], np.float32)
    # The log of e^3 + 2, less the mean of 3, 0 and 0; of equal ones log 3.
    expected = [math.log(math.exp(3) + 2) - 1, math.log(3)]
    assert familiarity(logits) == pytest.approx(expected)
    assert familiarity(logits + 7) == pytest.approx(expected)
    assert np.isfinite(familiarity(1000 * logits)).all()
