"""A hint from the teacher: its features, which the student's are to become under a linear map that is learned too.

Source: Romero et al. 2015, "FitNets: Hints for thin deep nets", equation 3, at the layer below the last: what is left
of the picture there is what the answer is made of. The map belongs to training: the checkpoint keeps it, the finished
weights do not.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW

from econet.runs.records import TrainingConfig
from econet.statistics.streams import stream_seed
from econet.training import parallel
from econet.training.teachers import Teachers, answered, feature_count

FeatureForward = Callable[[Tensor], tuple[Tensor, Tensor]]

# Of the map alone, beside whatever moves the network; the schedule's factor applies.
MAP_RATE = 0.002


class FeatureStudent(nn.Module):
    """A network that tells its features beside its answer. It shares the network's weights and mode."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [N, K] and features [N, F] of images [N, C, H, W]."""
        return answered(self.network, x)


class Hint:
    """The loss on features and the map in it, which takes steps of its own.

    `network` is the student that is trained; it and all teachers have features (`teachers.feature_count`).
    """

    def __init__(self, network: nn.Module, teachers: Teachers, weight: float, device: torch.device, seed: int) -> None:
        inputs, *wanted = (feature_count(each) or 0 for each in (network, *teachers.networks))
        self._student: FeatureForward = FeatureStudent(network)
        self._teachers, self._weight = teachers, weight
        self.map = nn.Linear(inputs, sum(wanted))
        # Variance 1 / inputs: the mapped features start at the scale of the student's own.
        nn.init.normal_(self.map.weight, std=inputs**-0.5, generator=torch.Generator().manual_seed(seed))
        nn.init.zeros_(self.map.bias)
        self.map.to(device)
        self._optimizer = AdamW(self.map.parameters(), lr=MAP_RATE, weight_decay=0.0)

    def compile(self) -> None:
        """Let torch compile the student's forward pass."""
        self._student = torch.compile(self._student)

    def answers(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The student's logits [N, K] of `images`, the teachers', and the loss on features.

        That is the weight times the mean squared difference of the mapped features and those wanted, whose own mean
        square is 1: a map which gives nothing costs the weight itself.
        """
        with torch.no_grad():
            lesson, wanted = self._teachers.with_features(images)
        logits, features = self._student(images)
        return logits, lesson, self._weight * F.mse_loss(self.map(features).float(), wanted)

    def step(self, factor: float) -> None:
        """Move the map at `factor` of its peak rate by its gradients, averaged over the processes, and drop them."""
        parallel.average_gradients(self.map)
        self._optimizer.param_groups[0]["lr"] = MAP_RATE * factor
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that a resume needs, by name."""
        moments = {
            f"{name}.{what}": value
            for name, parameter in self.map.named_parameters()
            for what, value in self._optimizer.state.get(parameter, {}).items()
        }
        return {**self.map.state_dict(), **moments}

    def load(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""
        names = dict(self.map.named_parameters())
        self.map.load_state_dict({name: state[name] for name in names})
        for name, parameter in names.items():
            prefix = f"{name}."
            moments = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            self._optimizer.state[parameter] = {
                what: torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value.clone()
                for what, value in moments.items()
            }


def hint_for(
    network: nn.Module, teachers: Teachers | None, config: TrainingConfig, seed: int, device: torch.device
) -> Hint | None:
    """The hint that `config` asks for; None where it asks for none."""
    if teachers is None or config.teacher is None or not config.teacher.match_features:
        return None
    return Hint(network, teachers, config.teacher.match_features, device, stream_seed(seed, "hint"))
