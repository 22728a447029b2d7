"""The last layer learns first, all others held still; then they learn too, at a lower rate.

A new last layer answers at random, and its first gradients would spoil what the others know. Source: Kumar et al. 2022,
"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", section 3 (a linear probe, then
fine-tuning); held still are also the statistics of batch norm, as in fastai's `freeze` of Howard and Gugger 2020.
"""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from econet.runs.records import Plan, TrainingConfig
from econet.training import schedules
from econet.training.starts import last_layer


class Thawing:
    """Which layers of a network learn at which step of its plan. Made before any is held still."""

    def __init__(self, network: nn.Module, plan: Plan) -> None:
        last = last_layer(network.state_dict())
        self._network, self._until = network, plan.frozen_steps
        self._held = [
            weight for name, weight in network.named_parameters() if weight.requires_grad and name not in last
        ]
        self._norms = [part for part in network.modules() if isinstance(part, _BatchNorm)]

    def prepare(self, step: int) -> None:
        """Set the network up for training from step number `step` on, until an epoch ends or the others thaw."""
        self._network.train()
        held = step < self._until
        for weight in self._held:
            weight.requires_grad_(not held)
        if held:
            for norm in self._norms:
                norm.eval()

    def begins(self, step: int) -> bool:
        """Whether with this step the others begin to learn."""
        return 0 < step == self._until


def rate_factor(training: TrainingConfig, plan: Plan, step: int, lowerings: int) -> float:
    """The share of the peak rate at `step`: the schedule runs once over the held part and once, lower, over the rest.

    `lowerings` count those of the schedule `plateau`.
    """
    held = step < plan.frozen_steps
    first, length = (0, plan.frozen_steps) if held else (plan.frozen_steps, plan.steps - plan.frozen_steps)
    share = 1.0 if held or not plan.frozen_steps else training.thawed_rate
    return share * schedules.factor(training.schedule, step - first, length, lowerings, training.schedule_marks)
