"""How much each class of channels matters, by its weights, by the loss's slope or by its batch norm.

All three are shares of the layer's mean, so that layers can be compared, and all see a class as a whole: every weight
that makes one of its channels or reads it.
"""

import copy
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from econet.compression.channels import Channels, LinkKey, Role
from econet.errors import UserError
from econet.runs.choices import Importance

Scores = NDArray[np.float64]
# Images [N, C, H, W] float32 and labels [N].
Batch = tuple[Tensor, Tensor]

_WEIGHTS = frozenset({Role.ROW, Role.COLUMN, Role.SCALE})


def scores(kind: Importance, network: nn.Module, channels: Channels, batches: Iterable[Batch] = ()) -> Scores:
    """One score a class, higher for what should stay. `batches` of training images serve `taylor` alone.

    `magnitude`: L2 norm over all weights of a class. `taylor`: |weight * gradient| summed (Molchanov et al. 2019,
    "Importance Estimation for Neural Network Pruning", equation 8, without the square). `norm-scale`: |gamma| (Liu et
    al. 2017, "Network Slimming"); a layer without batch norm goes by magnitude.
    Raises UserError where `norm-scale` is asked of a network without batch norm.
    """
    tensors = {name: value.detach().double() for name, value in network.named_parameters(remove_duplicate=False)}
    sizes = {name: value.square() for name, value in tensors.items()}
    if kind == "magnitude":
        return _by_layer(channels, _summed(channels, sizes, _WEIGHTS), root=True)
    if kind == "taylor":
        slopes = _slopes(network, batches)
        return _by_layer(channels, _summed(channels, slopes, frozenset(Role)), root=False)
    gammas = _summed(channels, sizes, frozenset({Role.SCALE}))
    if not gammas:
        raise UserError(
            "--importance norm-scale needs batch norm",
            f"{type(network).__name__} has no batch norm whose channels could be cut",
            "--importance magnitude or --importance taylor",
        )
    by_norm = _by_layer(channels, gammas, root=True)
    by_size = _by_layer(channels, _summed(channels, sizes, _WEIGHTS), root=True)
    normed = np.isin(np.arange(channels.count), np.concatenate([channels.links[key] for key in gammas]))
    return np.where(normed, by_norm, by_size)


def _summed(channels: Channels, values: Mapping[str, Tensor], roles: frozenset[Role]) -> dict[LinkKey, Scores]:
    """The sum of `values` at every position of every linked axis in one of `roles`."""
    found: dict[LinkKey, Scores] = {}
    for name, axis in channels.links:
        if name in values and channels.roles[name, axis] & roles:
            others = [each for each in range(values[name].ndim) if each != axis]
            found[name, axis] = (values[name].sum(others) if others else values[name]).cpu().numpy()
    return found


def _by_layer(channels: Channels, sums: dict[LinkKey, Scores], *, root: bool) -> Scores:
    """A class's share of the sum (or its `root`) in each tensor it has part in, averaged; 1 is a layer's mean."""
    total, count = np.zeros(channels.count), np.zeros(channels.count)
    for key, values in sums.items():
        classes = channels.links[key]
        inside = classes >= 0
        if not inside.any():
            continue
        each = np.bincount(classes[inside], values[inside], channels.count)
        each = np.sqrt(each) if root else each
        present = np.bincount(classes[inside], minlength=channels.count) > 0
        mean = each[present].mean()
        total[present] += each[present] / mean if mean > 0 else 1.0
        count[present] += 1
    return np.divide(total, count, out=np.ones(channels.count), where=count > 0)


def _slopes(network: nn.Module, batches: Iterable[Batch]) -> dict[str, Tensor]:
    """|weight * gradient| of the cross entropy, summed over `batches`; frozen weights have gradients here too."""
    learner = copy.deepcopy(network).eval().requires_grad_(True)
    found = {
        name: torch.zeros_like(value, dtype=torch.float64)
        for name, value in learner.named_parameters(remove_duplicate=False)
    }
    for images, labels in batches:
        learner.zero_grad()
        F.cross_entropy(learner(images), labels).backward()
        for name, value in learner.named_parameters(remove_duplicate=False):
            if value.grad is not None:
                found[name] += (value.detach().double() * value.grad.double()).abs()
    return found
