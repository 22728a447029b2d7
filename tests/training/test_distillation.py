"""What a student learns from: the labels, and the teacher's softened answers."""

import numpy as np
import pytest
import torch

from econet.training.distillation import distillation_loss, mixed_loss

RANDOM = np.random.default_rng(0)
STUDENT, TEACHER = RANDOM.normal(0, 3, (2, 5, 4))
LABELS = np.array([0, 3, 1, 1, 2])


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def plain_distillation(temperature: float) -> float:
    taught, learned = softmax(TEACHER / temperature), softmax(STUDENT / temperature)
    return temperature**2 * (taught * np.log(taught / learned)).sum(1).mean()


def plain_cross_entropy(smoothing: float) -> float:
    truth = (1 - smoothing) * np.eye(4)[LABELS] + smoothing / 4
    return -(truth * np.log(softmax(STUDENT))).sum(1).mean()


@pytest.mark.parametrize("temperature", [1.0, 3.0, 8.0])
def test_the_loss_is_that_of_plain_numpy(temperature):
    loss = distillation_loss(torch.tensor(STUDENT), torch.tensor(TEACHER), temperature)
    assert loss.item() == pytest.approx(plain_distillation(temperature), rel=1e-5)


def test_who_answers_as_the_teacher_has_nothing_to_learn_from_it():
    assert distillation_loss(torch.tensor(TEACHER), torch.tensor(TEACHER), 2.0).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.7, 1.0])
def test_labels_and_teacher_are_mixed_by_the_weight(weight):
    mixed = mixed_loss(
        torch.tensor(STUDENT),
        torch.tensor(LABELS),
        torch.tensor(TEACHER),
        temperature=3.0,
        weight=weight,
        smoothing=0.1,
    )
    expected = (1 - weight) * plain_cross_entropy(0.1) + weight * plain_distillation(3.0)
    assert mixed.item() == pytest.approx(expected, rel=1e-5)


def test_without_a_teacher_the_labels_are_all():
    loss = mixed_loss(torch.tensor(STUDENT), torch.tensor(LABELS), None, temperature=1.0, weight=0.7, smoothing=0.05)
    assert loss.item() == pytest.approx(plain_cross_entropy(0.05), rel=1e-5)
