"""Learning from a teacher: its softened answers on the very same augmented pictures."""

from torch import Tensor
from torch.nn import functional as F


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


def mixed_loss(
    student: Tensor, labels: Tensor, teacher: Tensor | None, *, temperature: float, weight: float, smoothing: float
) -> Tensor:
    """(1 - weight) * cross entropy with label smoothing + weight * distillation; cross entropy without a teacher."""
    hard = F.cross_entropy(student.float(), labels, label_smoothing=smoothing)
    if teacher is None:
        return hard
    return (1 - weight) * hard + weight * distillation_loss(student, teacher, temperature)
