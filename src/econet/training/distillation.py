"""Learning from a teacher: its answers on the very same augmented pictures, and what several of them agree on."""

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor
from torch.nn import functional as F

from econet.data.augmentation.mixing import MixedLabels
from econet.runs.choices import DistilLoss


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 * KL(teacher || student) of the softmax at temperature T, averaged over the batch.

    `student` and `teacher` are logits [N, K]; a scalar comes back.
    Source: Hinton, Vinyals, Dean 2015, "Distilling the knowledge in a neural network", section 2.
    """
    return (
        F.kl_div(
            F.log_softmax(student.float() / temperature, dim=1),
            F.log_softmax(teacher.float() / temperature, dim=1),
            reduction="batchmean",
            log_target=True,
        )
        * temperature**2
    )


def logit_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of the squared differences of two sets of logits [N, K], over images and classes.

    Unlike the divergence it asks for the teacher's confidence too, and knows no temperature: it is what the other tends
    to where T grows without end and both logits have the mean 0, but for a factor of 2.
    Source: Kim et al. 2021, "Comparing Kullback-Leibler divergence and mean squared error loss in knowledge
    distillation", section 3.
    """
    return F.mse_loss(student.float(), teacher.float())


def agreed_answer(answers: Sequence[Tensor], loss: DistilLoss, temperature: float) -> Tensor:
    """The logits [N, K] that stand for several teachers' `answers`, each [N, K].

    For the divergence those whose softmax at the temperature is the arithmetic mean of the teachers' probabilities
    there: where teachers disagree it keeps every class that one of them believes in, which is what a student is to
    learn from an ensemble. For squared differences the mean of the logits, whose softmax is the geometric mean.
    A single answer is itself. Source: Hinton, Vinyals, Dean 2015, section 1, which allows either mean.
    """
    if len(answers) == 1:
        return answers[0]
    together = torch.stack([answer.float() for answer in answers])
    if loss == "mse":
        return together.mean(0)
    believed = F.log_softmax(together / temperature, dim=2)
    return temperature * (torch.logsumexp(believed, dim=0) - log(len(answers)))


def label_loss(student: Tensor, labels: Tensor, mixed: MixedLabels | None, smoothing: float) -> Tensor:
    """Cross entropy with label smoothing; of mixed pictures with both labels by their shares."""
    if mixed is None:
        return F.cross_entropy(student.float(), labels, label_smoothing=smoothing)
    own, other = (
        F.cross_entropy(student.float(), truth, reduction="none", label_smoothing=smoothing)
        for truth in (labels, mixed.other)
    )
    return torch.lerp(own, other, mixed.share).mean()


def mixed_loss(
    student: Tensor,
    labels: Tensor,
    teacher: Tensor | None,
    *,
    temperature: float,
    weight: float,
    smoothing: float,
    loss: DistilLoss = "kl",
    mixed: MixedLabels | None = None,
) -> Tensor:
    """(1 - weight) * loss by the labels + weight * loss by the teacher; the labels' alone without a teacher."""
    hard = label_loss(student, labels, mixed, smoothing)
    if teacher is None:
        return hard
    soft = distillation_loss(student, teacher, temperature) if loss == "kl" else logit_loss(student, teacher)
    return (1 - weight) * hard + weight * soft
