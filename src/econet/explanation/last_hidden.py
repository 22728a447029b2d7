"""The last hidden layer of any network, found by watching it at work. Needs torch."""

from typing import cast

import torch
from torch import Tensor, nn

from econet.errors import UserError

_CLASSIFIERS = (nn.Linear, nn.Conv2d)


class LastHidden:
    """Gives, for inputs [N, C, h, w], what the last layer with weights reads: [N, D], averaged over places.

    Raises UserError where the network has no dense layer and no convolution.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def __call__(self, images: Tensor) -> Tensor:
        """The hidden vectors [N, D] of a batch."""
        read: list[Tensor] = []

        def watch(module: nn.Module, given: tuple[object, ...]) -> None:
            read[:] = [cast("Tensor", given[0]).detach()]

        layers = [module for module in self._network.modules() if isinstance(module, _CLASSIFIERS)]
        handles = [layer.register_forward_pre_hook(watch) for layer in layers]
        try:
            with torch.inference_mode():
                self._network(images)
        finally:
            for handle in handles:
                handle.remove()
        if not read:
            raise UserError(
                f"{type(self._network).__name__} has no last hidden layer",
                "none of its layers is dense or a convolution",
                "leave --neighbours out",
            )
        hidden = read[0]
        return hidden.mean((2, 3)) if hidden.ndim == 4 else hidden.flatten(1)
