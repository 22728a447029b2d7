"""What a student learns from: the labels, and the teacher's softened answers."""

import numpy as np
import pytest
import torch

from econet.data.augmentation.mixing import MixedLabels
from econet.training.distillation import agreed_answer, distillation_loss, label_loss, mixed_loss

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


@pytest.mark.parametrize("weight", [0.0, 0.4])
def test_squared_differences_are_those_of_plain_numpy_and_know_no_temperature(weight):
    loss = mixed_loss(
        torch.tensor(STUDENT),
        torch.tensor(LABELS),
        torch.tensor(TEACHER),
        temperature=5.0,
        weight=weight,
        smoothing=0.0,
        loss="mse",
    )
    expected = (1 - weight) * plain_cross_entropy(0.0) + weight * ((STUDENT - TEACHER) ** 2).mean()
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_several_teachers_believe_the_mean_of_their_probabilities(temperature):
    answers = RANDOM.normal(0, 4, (3, 5, 4))
    agreed = agreed_answer([torch.tensor(answer) for answer in answers], "kl", temperature)
    expected = np.mean([softmax(answer / temperature) for answer in answers], axis=0)
    np.testing.assert_allclose(softmax(agreed.numpy() / temperature), expected, rtol=1e-4)


def test_a_class_that_no_teacher_believes_in_stays_a_finite_number():
    certain = torch.tensor([[900.0, 0.0], [0.0, 900.0]])
    assert agreed_answer([certain, certain], "kl", 1.0).isfinite().all()


def test_for_squared_differences_several_teachers_are_the_mean_of_their_logits():
    answers = RANDOM.normal(0, 4, (3, 5, 4))
    agreed = agreed_answer([torch.tensor(answer) for answer in answers], "mse", 3.0)
    np.testing.assert_allclose(agreed.numpy(), answers.mean(0), rtol=1e-5)


def test_a_single_teacher_is_left_as_it_is():
    answer = torch.tensor(TEACHER)
    assert agreed_answer([answer], "kl", 3.0) is answer


def test_a_mixed_picture_is_judged_by_both_labels_in_their_shares():
    other, share = np.array([1, 3, 0, 2, 2]), np.array([0.5, 0.0, 0.25, 0.1, 0.4])
    mixed = MixedLabels(torch.tensor(other), torch.tensor(share, dtype=torch.float32))
    loss = label_loss(torch.tensor(STUDENT), torch.tensor(LABELS), mixed, 0.1)
    truth = (1 - share)[:, None] * np.eye(4)[LABELS] + share[:, None] * np.eye(4)[other]
    expected = -((0.9 * truth + 0.1 / 4) * np.log(softmax(STUDENT))).sum(1).mean()
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["kl", "mse"])
def test_the_gradient_is_that_of_finite_differences(monkeypatch, loss):
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # enough digits for differences
    mixed = MixedLabels(torch.tensor([1, 3, 0, 2, 2]), torch.tensor([0.5, 0.0, 0.25, 0.1, 0.4], dtype=torch.float64))

    def value(student: torch.Tensor) -> torch.Tensor:
        return mixed_loss(
            student,
            torch.tensor(LABELS),
            torch.tensor(TEACHER),
            temperature=3.0,
            weight=0.6,
            smoothing=0.1,
            loss=loss,
            mixed=mixed,
        )

    student = torch.tensor(STUDENT, requires_grad=True)
    value(student).backward()
    for row, column in np.ndindex(STUDENT.shape):
        step = np.zeros_like(STUDENT)
        step[row, column] = 1e-6
        difference = value(torch.tensor(STUDENT + step)) - value(torch.tensor(STUDENT - step))
        assert student.grad[row, column].item() == pytest.approx(difference.item() / 2e-6, abs=1e-7)
