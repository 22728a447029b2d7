"""The temperature is the one that a general minimiser finds, and changes no answer."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from econet.statistics.temperature import LEAST, MOST, fit_temperature, log_probabilities


def drawn(seed, sharpness, images=400, classes=7):
    """Logits whose labels are drawn from their own softmax, then `sharpness` times as large."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (images, classes))
    chances = np.exp(log_softmax(logits, axis=1))
    labels = np.array([random.choice(classes, p=row) for row in chances])
    return (sharpness * logits).astype(np.float32), labels


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 3.5])
def test_it_is_what_scipy_finds(sharpness):
    logits, labels = drawn(1, sharpness)

    def loss(temperature):
        return -log_softmax(logits.astype(float) / temperature, axis=1)[np.arange(len(labels)), labels].mean()

    expected = minimize_scalar(loss, bounds=(LEAST, MOST), method="bounded", options={"xatol": 1e-10}).x
    assert fit_temperature(logits, labels) == pytest.approx(expected, rel=1e-5)


def test_logits_made_three_times_too_sure_get_about_three():
    logits, labels = drawn(2, 3.0, images=20_000)
    assert fit_temperature(logits, labels) == pytest.approx(3.0, rel=0.05)


def test_two_classes_by_hand():
    # Three of four right at a logit of 2 / T: p = 3/4, so 2 / T = log 3.
    logits = np.array([[2.0, 0.0]] * 4)
    assert fit_temperature(logits, np.array([0, 0, 0, 1])) == pytest.approx(2 / np.log(3), rel=1e-9)


def test_it_stays_in_its_bounds_where_all_or_none_are_right():
    logits = np.array([[2.0, 0.0]] * 3)
    assert fit_temperature(logits, np.array([0, 0, 0])) == LEAST
    assert fit_temperature(logits, np.array([1, 1, 1])) == MOST
    assert fit_temperature(np.zeros((3, 2)), np.array([0, 1, 1])) in (LEAST, MOST)


def test_huge_logits_do_not_overflow():
    logits = np.array([[1e4, 0.0, -1e4]] * 9 + [[0.0, 1e4, 0.0]])
    assert LEAST <= fit_temperature(logits, np.zeros(10, int)) <= MOST
    assert np.isfinite(log_probabilities(np.array([[3e38, -3e38]], np.float32))).any()


def test_log_probabilities_are_those_of_scipy():
    logits, _ = drawn(3, 1.0)
    assert np.allclose(log_probabilities(logits, 1.7), log_softmax(logits.astype(float) / 1.7, axis=1), atol=1e-12)
    assert (log_probabilities(logits, 1.7).argmax(1) == logits.argmax(1)).all()


def test_no_image_and_shapes_that_do_not_fit_are_refused():
    for logits, labels in ((np.zeros((0, 3)), np.zeros(0, int)), (np.zeros((2, 3)), np.zeros(3, int))):
        with pytest.raises(ValueError, match="do not fit"):
            fit_temperature(logits, labels)
