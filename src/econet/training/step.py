"""One learning step: forward, loss, backward; the same for training, for the trial at the start and for benchmarks."""

from collections.abc import Callable

import torch
from torch import Tensor

from econet.data.augmentation.mixing import MixedLabels
from econet.runs.records import TrainingConfig
from econet.training.distillation import mixed_loss
from econet.training.hint import Hint
from econet.training.machine import autocast

Forward = Callable[[Tensor], Tensor]


def learn(
    network: Forward,
    teacher: Forward | None,
    images: Tensor,
    labels: Tensor,
    config: TrainingConfig,
    precision: str,
    *,
    mixed: MixedLabels | None = None,
    hint: Hint | None = None,
) -> tuple[Tensor, Tensor]:
    """Leave the gradients of one batch in the weights; returns (loss, right answers), both still on the device.

    `images` [N, C, H, W] float32, `labels` [N] with the second ones of `mixed` pictures. The teacher sees the same
    augmented images. A `hint` asks its network and its teachers, features and all, in place of both given here.
    """
    with autocast(images.device, precision):
        lesson = on_features = None
        if hint is not None:
            logits, lesson, on_features = hint.answers(images)
        else:
            if teacher is not None:
                with torch.no_grad():
                    lesson = teacher(images)
            logits = network(images)
        loss = mixed_loss(
            logits,
            labels,
            lesson,
            temperature=config.teacher.temperature if config.teacher else 1.0,
            weight=config.teacher.weight if config.teacher else 0.0,
            smoothing=config.label_smoothing,
            loss=config.teacher.loss if config.teacher else "kl",
            mixed=mixed,
        )
        if on_features is not None:
            loss = loss + on_features
    loss.backward()
    return loss.detach(), (logits.detach().argmax(1) == labels).sum()
