"""The reference of every cut: the whole network with the channels that left set to zero, written without the pruner."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from econet.models.cuts import positions


def silenced(network: nn.Module, keep: Mapping[str, tuple], also: Mapping[str, int] | None = None) -> nn.Module:
    """A copy in which weights, biases, gamma and beta of every channel that left are zero.

    A channel left where its layer's weight, or its norm's gamma, lost that position along the axis of its outputs.
    `also` names tensors of no layer that make channels or are added to them, and their axis of channels.
    """
    whole = copy.deepcopy(network)
    tensors = dict((*whole.named_parameters(remove_duplicate=False), *whole.named_buffers()))
    shrunk = {id(tensors[name]): axes for name, axes in keep.items()}
    with torch.no_grad():
        for module in whole.modules():
            weight = getattr(module, "weight", None)
            if not isinstance(weight, nn.Parameter) or isinstance(module, nn.PReLU):
                continue
            axis = 1 if isinstance(module, nn.ConvTranspose2d) else 2 if weight.ndim == 3 else 0
            _silence(weight, axis, shrunk.get(id(weight)))
            if module.bias is not None:
                last = module.bias.ndim - 1
                _silence(module.bias, last, shrunk.get(id(module.bias)))
        for name, axis in (also or {}).items():
            _silence(tensors[name], axis, keep.get(name))
    return whole


def _silence(tensor: Tensor, axis: int, axes: tuple | None) -> None:
    if axes is None or axes[axis] is None:
        return
    gone = torch.ones(tensor.shape[axis], dtype=torch.bool)
    gone[positions(axes[axis])] = False
    tensor.movedim(axis, 0)[gone] = 0


def relative_difference(first: nn.Module, second: nn.Module, images: Tensor) -> float:
    """The largest difference of the answers in float64, as a share of the largest answer."""
    with torch.no_grad():
        a, b = (copy.deepcopy(each).double().eval()(images.double()) for each in (first, second))
    assert a.shape == b.shape
    return float((a - b).abs().max() / a.abs().max())
