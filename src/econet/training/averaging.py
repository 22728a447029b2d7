"""An exponential moving average of the weights: what is evaluated and kept is the average."""

import copy

import torch
from torch import Tensor, nn


class Average:
    """A copy of the network whose floating-point state follows it: average += (1 - decay) * (network - average).

    The decay rises as min(decay, (1 + n) / (10 + n)) over the first updates, so that the random start is
    forgotten (Tarvainen and Valpola 2017, "Mean teachers", with the ramp TensorFlow uses). Batch norm's running
    statistics are averaged too; counters are copied. A decay of 0 makes it the network itself.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._floats = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counters = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Take one step towards the network; `updates` counts the steps before this one."""
        weight = 1 - min(self._decay, (1 + updates) / (10 + updates))
        averages: list[Tensor] = [average for average, _ in self._floats]
        torch._foreach_lerp_(averages, [live for _, live in self._floats], weight)  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]
        for average, live in self._counters:
            average.copy_(live)
