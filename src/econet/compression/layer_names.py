"""Which module of a network each layer of its exported graph was, so that a report names what its reader wrote."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from econet.compression.quantized_graph import Constants, Operation, QuantizedGraph

Rows = NDArray[np.float64]
# How parallel the filters of a module and of a layer are, on average, where they are the same ones.
_SAME = 0.999
# The same after a training that rounds: filters in nine dimensions that have nothing in common come to 0.3.
_SAME_TRAINED_ON = 0.9


def layer_names(
    graph: QuantizedGraph, constants: Constants, network: nn.Module | None, *, trained_on: bool = False
) -> list[str]:
    """A name for each of `graph.weighted`: its module's in `network`, else its operator and place.

    Folding batch norm scales each filter and turns none, so that filters tell by their direction what they are. Those
    of a network that was `trained_on` may have turned a little.
    """
    least = _SAME_TRAINED_ON if trained_on else _SAME
    modules = dict(_modules(network)) if network is not None else {}
    names: list[str] = []
    for place, operation in enumerate(graph.weighted, start=1):
        rows = _directions(_by_output(operation, constants[operation.inputs[1]]))
        likeness = {name: _likeness(rows, own) for name, own in modules.items()}
        best = max(likeness, key=lambda name: likeness[name], default=None)
        if best is None or likeness[best] < least:
            names.append(f"{operation.operator} {place}")
        else:
            names.append(best)
            del modules[best]
    return names


def _modules(network: nn.Module) -> Iterator[tuple[str, Rows]]:
    for name, module in network.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.ndim >= 2:
            yield name, _directions(weight.detach().cpu().double().numpy())


def _by_output(operation: Operation, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weight with its output channels first."""
    return np.moveaxis(weight, operation.output_axis if weight.ndim == 2 or operation.operator == "Conv" else -1, 0)


def _directions(weight: NDArray[np.floating]) -> Rows:
    """Each output channel's weights as a vector of length 1."""
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def _likeness(one: Rows, other: Rows) -> float:
    """Mean |cosine| between the rows, which lie in the same order; 0 where the shapes differ. Zeros are alike."""
    if one.shape != other.shape:
        return 0.0
    both_silent = ~(one.any(axis=1) | other.any(axis=1))
    return float(np.where(both_silent, 1.0, np.abs((one * other).sum(axis=1))).mean())
