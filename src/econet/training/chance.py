"""A training that learns nothing is stopped early, before it wastes anybody's time."""

from math import sqrt

import torch
from torch import Tensor

from econet.runs.folder import Run
from econet.runs.records import Plan, RunConfig
from econet.training.checkpoint import Counters
from econet.training.setback import TrainingFailed

CHECK_SHARE = 0.2
CHECK_STEPS = 25
CHECK_IMAGES = 200


def check_chance(run: Run, config: RunConfig, counters: Counters, labels: Tensor) -> None:
    """After a fifth of the steps the network must beat always answering the commonest of the training `labels` [N].

    Raises TrainingFailed where it does not.
    """
    plan = config.plan
    if config.data.unlabelled:  # a hard task for a few pictures: judged at the end, by others
        return
    if counters.step != check_step(plan, config.training.batch_size) or counters.epoch_images < CHECK_IMAGES:
        return
    chance = (torch.bincount(labels).double() / len(labels)).max().item()
    seen = counters.epoch_right / counters.epoch_images
    if seen <= chance + 2 * sqrt(chance * (1 - chance) / counters.epoch_images):
        raise TrainingFailed(
            f"{run.folder} learns nothing",
            f"after {counters.step} of {plan.steps} steps {seen:.1%} of the training images are right; "
            f"always answering the commonest class would give {chance:.1%}",
            f"a lower --lr (it was {config.training.lr:g}), or more time",
        )


def check_step(plan: Plan, batch_size: int) -> int | None:
    """A fifth of the steps, or as soon after as its epoch has seen enough images to tell chance from learning.

    None for a run so short that it is still warming up then: it wastes nobody's time.
    """
    fifth = int(plan.steps * CHECK_SHARE)
    if fifth < CHECK_STEPS:
        return None
    inside = (fifth - 1) % plan.steps_per_epoch + 1
    return fifth + max(0, -(-CHECK_IMAGES // batch_size) - inside)
