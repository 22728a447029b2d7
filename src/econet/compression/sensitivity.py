"""Which layer costs how much: one layer at a time is quantized, left in float while all others are, or pruned.

The engine is the fake-quantized network itself with some of its grids in use, so that all figures come from one set
of weights and ranges. Importance of a channel is the L2 norm of its weights (Li et al. 2017, "Pruning Filters for
Efficient ConvNets", section 3.1, with L2 for L1); batch norm is folded into them.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from econet.compression.fake_quant import IN_FLOAT, FakeQuantNetwork, Part
from econet.compression.quantized_graph import Operation, QuantizedGraph
from econet.deployment.graph_writer import OUTPUT
from econet.runs.sensitivity_records import Cost, PrunedCost

# The shares of a layer's channels that are removed.
FRACTIONS = (0.25, 0.5, 0.75)

Score = Callable[[nn.Module], Cost]


@dataclass(frozen=True, slots=True)
class LayerCosts:
    """What was measured of one layer; None where it stays float in every int8 file."""

    operation: Operation
    only_int8: Cost | None
    all_but_int8: Cost | None
    pruned: tuple[PrunedCost, ...]


def whole_costs(network: FakeQuantNetwork, score: Score) -> tuple[Cost, Cost]:
    """The network in float, and all of it in int8."""
    return _scored(network, score, IN_FLOAT), _scored(network, score, None)


def layer_costs(network: FakeQuantNetwork, operation: Operation, score: Score) -> LayerCosts:
    """What `operation`, one of the graph's weighted ones, costs by itself. The network comes back as it was."""
    graph, output = network.graph, operation.outputs[0]
    without = None
    if output in graph.integer:
        own = _own_ranges(graph, operation)
        rest = Part(frozenset(graph.integer) - {output}, frozenset(graph.observed) - own)
        without = _scored(network, score, rest)
    only = int8_cost(network, operation, score)
    pruned = () if output == OUTPUT else tuple(_pruned(network, operation, each, score) for each in FRACTIONS)
    return LayerCosts(operation, only, without, pruned)


def int8_cost(network: FakeQuantNetwork, operation: Operation, score: Score) -> Cost | None:
    """The network with `operation` and the values around it in int8, all else in float; None where it stays float."""
    output = operation.outputs[0]
    if output not in network.graph.integer:
        return None
    return _scored(network, score, Part(frozenset({output}), _own_ranges(network.graph, operation)))


def _own_ranges(graph: QuantizedGraph, operation: Operation) -> frozenset[str]:
    """The ranges of what a layer reads and of what it makes."""
    around = (graph.range_of.get(name) for name in (operation.inputs[0], operation.outputs[0]))
    return frozenset(graph.observed) & {name for name in around if name is not None}


def _scored(network: FakeQuantNetwork, score: Score, part: Part | None) -> Cost:
    network.part = part
    try:
        return score(network)
    finally:
        network.part = None


def _pruned(network: FakeQuantNetwork, operation: Operation, fraction: float, score: Score) -> PrunedCost:
    """The network in float, with the weakest `fraction` of the layer's output channels at zero, bias included."""
    weight = network.constant(operation.inputs[1])
    axis = operation.output_axis if weight.ndim == 2 or operation.operator == "Conv" else weight.ndim - 1
    rows = weight.detach().movedim(axis, 0).flatten(1)
    weakest = rows.norm(dim=1).argsort(stable=True)[: int(fraction * len(rows))]
    changed = [(weight, axis)]
    if len(operation.inputs) > 2 and operation.inputs[2]:
        bias = network.constant(operation.inputs[2])
        changed += [(bias, bias.ndim - 1)] if bias.shape[-1] == len(rows) else []
    with _zeroed(changed, weakest):
        cost = _scored(network, score, IN_FLOAT)
    return PrunedCost(
        removed_fraction=fraction,
        removed_channels=len(weakest),
        accuracy=cost.accuracy,
        cross_entropy=cost.cross_entropy,
    )


@contextmanager
def _zeroed(tensors: list[tuple[Tensor, int]], places: Tensor) -> Generator[None]:
    """While this lasts `places` along the axis beside each tensor hold zero."""
    kept = [tensor.detach().clone() for tensor, _ in tensors]
    with torch.no_grad():
        for tensor, axis in tensors:
            tensor.index_fill_(axis, places, 0.0)
        try:
            yield
        finally:
            for (tensor, _), before in zip(tensors, kept, strict=True):
                tensor.copy_(before)
