"""The update rule of 2012: the learning rate sits inside the velocity, and biases may have a rate of their own."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Sgd2012(Optimizer):
    """`v <- momentum v - decay lr w - lr g; w <- w + v` (Krizhevsky et al. 2012, section 5; the code's weights.cu).

    torch's SGD multiplies the velocity by the rate only when it moves the weights, so that a lower rate shortens all
    of the past at once; here what is in motion dies out by itself. The two agree while the rate stays the same. A
    group whose rate is 0 is left alone altogether, its velocity kept, as the code does.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, momentum: float) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient; `closure` is not used."""
        for group in self.param_groups:
            rate, decay = float(group["lr"]), float(group["weight_decay"])
            if rate == 0:
                continue
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                velocity: Tensor = self.state[weight].setdefault("velocity", torch.zeros_like(weight))
                velocity.mul_(group["momentum"])
                if decay:
                    velocity.add_(weight, alpha=-decay * rate)
                velocity.add_(weight.grad, alpha=-rate)
                weight.add_(velocity)
