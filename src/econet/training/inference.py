"""Answers of a network in torch: logits of many images, batch by batch."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from econet.training.machine import autocast

BATCH = 500


def logits_of(network: nn.Module, images: Callable[[Tensor], Tensor], count: int, precision: str) -> Tensor:
    """Logits [count, K] float32 on the CPU; `images(indices)` gives float32 batches on the network's device."""
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode(), autocast(device, precision):
        parts = [network(images(chunk)).float().cpu() for chunk in torch.arange(count).split(BATCH)]
    return torch.cat(parts)
