"""Confident learning: planted wrong labels are found, and the counts are those of the paper."""

import numpy as np
import pytest

from econet.statistics.label_noise import confident_joint, find_label_noise


def by_hand(rows, labels):
    return np.array(rows, np.float64), np.array(labels)


def planted(random, images=2000, classes=5, wrong=0.06):
    """Probabilities that follow the truth, and labels of which some were changed."""
    truth = random.integers(0, classes, images)
    logits = random.normal(size=(images, classes))
    logits[np.arange(images), truth] += 4
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = truth.copy()
    changed = random.choice(images, int(wrong * images), replace=False)
    labels[changed] = (truth[changed] + random.integers(1, classes, len(changed))) % classes
    return probabilities, labels, changed


def test_the_confident_joint_is_counted_as_on_paper():
    # Means of the own probability: class 0 (0.9 + 0.7 + 0.2) / 3 = 0.6, class 1 (0.8 + 0.4) / 2 = 0.6.
    values, labels = by_hand([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.2, 0.8], [0.6, 0.4]], [0, 0, 0, 1, 1])
    assert confident_joint(values, labels).tolist() == [[2, 1], [1, 1]]


def test_an_image_sure_of_no_class_is_not_counted():
    values, labels = by_hand([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], [0, 1, 1])
    # Class 1's mean is 0.75: the third image reaches neither mean.
    assert confident_joint(values, labels).tolist() == [[1, 0], [0, 1]]


def test_the_planted_label_is_flagged_with_the_right_suggestion():
    values, labels = by_hand(
        [[0.9, 0.1], [0.8, 0.2], [0.95, 0.05], [0.1, 0.9], [0.2, 0.8], [0.03, 0.97]], [0, 0, 1, 1, 1, 1]
    )
    found = find_label_noise(values, labels)
    assert found.flagged.tolist() == [2]
    assert found.suggested.tolist() == [0]
    assert found.margin[0] == pytest.approx(0.9)
    assert found.joint.sum(1).tolist() == [2, 4]


def test_most_planted_labels_are_found_and_few_others():
    probabilities, labels, changed = planted(np.random.default_rng(1))
    found = find_label_noise(probabilities, labels)
    right = np.isin(found.flagged, changed)
    assert right.mean() > 0.8
    assert right.sum() > 0.8 * len(changed)
    assert np.isin(found.flagged[:20], changed).all()
    assert found.joint.sum() == len(labels)


def test_clean_labels_and_a_sure_model_flag_nothing():
    labels = np.repeat(np.arange(4), 25)
    found = find_label_noise(np.eye(4)[labels], labels)
    assert len(found.flagged) == 0
    assert found.joint.tolist() == (25 * np.eye(4)).tolist()


def test_a_class_without_images_is_never_suggested():
    probabilities, labels, _ = planted(np.random.default_rng(2), classes=4)
    labels[labels == 3] = 0
    probabilities[:, 3] = 0
    found = find_label_noise(probabilities, labels)
    assert (found.suggested != 3).all()
    assert not found.joint[3].any()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        find_label_noise(np.ones((3, 2)), np.zeros(4, int))
