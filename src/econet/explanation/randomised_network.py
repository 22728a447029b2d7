"""A network that forgot what it learned, from its last layer backwards: its weights, shuffled. Needs torch.

Source: Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3.1, cascading randomisation; shuffled as in
`randomised_file`, so that network and file forget alike.
"""

import copy
from collections.abc import Iterator

import torch
from torch import nn

from econet.statistics.streams import stream_seed


def forgetful_networks(network: nn.Module, *, seed: int) -> Iterator[tuple[str, nn.Module]]:
    """Each weight's name, from the last one to the first, and a network without it and all behind it.

    `network` stays as it is, and every one that is given is a copy of its own.
    """
    forgetful = copy.deepcopy(network).eval()
    generator = torch.Generator().manual_seed(stream_seed(seed, "forget") >> 1)
    weights = [(name, weight) for name, weight in forgetful.named_parameters() if weight.ndim > 1]
    for name, weight in reversed(weights):
        with torch.no_grad():
            order = torch.randperm(weight.numel(), generator=generator)
            weight.copy_(weight.detach().cpu().flatten()[order].reshape(weight.shape))
        yield name, copy.deepcopy(forgetful)
