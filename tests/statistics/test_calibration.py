import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econet.statistics.calibration import ece, nll


def predictions(seed, images=200, classes=4):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(images, classes)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities, generator.integers(0, classes, images)


def test_ece_of_four_images_in_two_bins_is_the_sum_done_by_hand():
    probabilities = np.array([[0.6, 0.4], [0.3, 0.7], [0.9, 0.1], [0.2, 0.8]])
    labels = np.array([0, 0, 0, 1])
    error, bins = ece(probabilities, labels, bins=2)
    assert [(each.confidence, each.accuracy, each.images) for each in bins] == [
        (pytest.approx(0.65), 0.5, 2),
        (pytest.approx(0.85), 1.0, 2),
    ]
    assert error == pytest.approx((2 * 0.15 + 2 * 0.15) / 4)


def test_bins_hold_equally_many_images_and_all_of_them():
    probabilities, labels = predictions(1, images=203)
    sizes = [each.images for each in ece(probabilities, labels)[1]]
    assert len(sizes) == 15
    assert sum(sizes) == 203
    assert max(sizes) - min(sizes) <= 1


def test_fewer_images_than_bins_make_one_bin_an_image():
    probabilities, labels = predictions(2, images=4)
    assert [each.images for each in ece(probabilities, labels)[1]] == [1, 1, 1, 1]


@given(st.integers(0, 1000))
def test_ece_does_not_depend_on_the_order_of_images_even_when_confidences_tie(seed):
    probabilities, labels = predictions(seed)
    probabilities = np.round(probabilities, 1)
    order = np.random.default_rng(seed).permutation(len(labels))
    assert ece(probabilities[order], labels[order])[0] == pytest.approx(ece(probabilities, labels)[0], abs=1e-12)


@given(st.integers(0, 1000))
def test_ece_lies_between_the_overall_gap_and_one(seed):
    probabilities, labels = predictions(seed)
    gap = abs(probabilities.max(axis=1).mean() - (probabilities.argmax(axis=1) == labels).mean())
    assert gap - 1e-12 <= ece(probabilities, labels)[0] <= 1


def test_nll_is_minus_the_mean_log_of_the_true_classes():
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert nll(probabilities, np.array([0, 1])) == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)


def test_a_sure_and_wrong_answer_costs_a_finite_amount():
    assert nll(np.array([[1.0, 0.0]], dtype=np.float16), np.array([1])) == pytest.approx(24 * np.log(2))


def test_probabilities_that_do_not_fit_the_labels_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        ece(np.zeros((3, 2)), np.zeros(2, dtype=int))
    with pytest.raises(ValueError, match="do not fit"):
        nll(np.zeros((0, 2)), np.zeros(0, dtype=int))
