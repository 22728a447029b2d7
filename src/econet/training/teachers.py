"""Who teaches: one finished network, or several that answer as one."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from econet.models.network import DenseLayer, Network
from econet.runs.choices import DistilLoss
from econet.runs.records import TeacherConfig
from econet.training.distillation import agreed_answer
from econet.training.weights import Renormalised


class Teachers(nn.Module):
    """Finished networks fed the student's pictures [N, C, H, W]; their agreed logits [N, K] come back."""

    def __init__(self, networks: Sequence[nn.Module], config: TeacherConfig) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self._loss: DistilLoss = config.loss
        self._temperature = config.temperature

    def forward(self, x: Tensor) -> Tensor:
        """What they agree on; a single one's own answer."""
        return agreed_answer([network(x) for network in self.networks], self._loss, self._temperature)

    def with_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Their agreed logits, and what each one's last layer reads, side by side: [N, F].

        Each teacher's features of a picture have a mean square of 1, so that none outweighs the others and the loss
        on them means the same whatever the scale a teacher works at.
        """
        answers, features = zip(*(answered(network, x) for network in self.networks), strict=True)
        unit = [each.float() / each.float().square().mean(1, keepdim=True).clamp_min(1e-12).sqrt() for each in features]
        return agreed_answer(answers, self._loss, self._temperature), torch.cat(unit, dim=1)


def answered(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [N, K] of images [N, C, H, W] and what the last layer reads to give them, [N, F]."""
    if isinstance(network, Renormalised):
        return answered(network.teacher, network.rescaled(x))
    if not isinstance(network, Network):
        raise TypeError(f"{type(network).__name__} is not built from an architecture")
    *body, last = network.layers
    for layer in body:
        x = layer(x)
    return last(x), x


def feature_count(network: nn.Module) -> int | None:
    """How many features the last layer reads; None where the network is not one of the catalog with a dense end."""
    if isinstance(network, Renormalised):
        return feature_count(network.teacher)
    last = network.layers[-1] if isinstance(network, Network) else None
    return last.linear.in_features if isinstance(last, DenseLayer) else None
