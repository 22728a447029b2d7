"""AUROC by counting pairs, and a familiarity that no constant changes."""

import numpy as np
import pytest

from econet.statistics.detection import auroc, centred_maximum


def test_auroc_is_the_share_of_pairs_in_order_with_ties_as_halves():
    higher, lower = np.array([3.0, 1.0, 2.0, 2.0]), np.array([2.0, 0.0, 5.0])
    pairs = [(one > other) + (one == other) / 2 for one in higher for other in lower]
    assert auroc(higher, lower) == pytest.approx(sum(pairs) / 12)
    assert auroc(np.array([1.0]), np.array([0.0])) == 1.0
    with pytest.raises(ValueError, match="two groups"):
        auroc(higher, lower[:0])


def test_familiarity_is_the_largest_logit_above_the_mean():
    logits = np.array([[3.0, 0.0, 0.0], [1.0, 1.0, 1.0]], np.float32)
    assert centred_maximum(logits) == pytest.approx([2.0, 0.0])
    assert centred_maximum(logits + 7) == pytest.approx([2.0, 0.0])
