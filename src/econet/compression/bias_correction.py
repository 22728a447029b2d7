"""Bias correction: what rounding moves a channel by on average is taken back out of its bias.

The empirical form of Nagel et al. 2021, "A White Paper on Neural Network Quantization" (arXiv 2106.08295), section 3.3:
layer after layer, the mean over images and places of what the layer computes in float, less the same with 8 bits in
this layer and in all before it, is added to the bias. The file's size and speed stay what they are.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from econet.compression.fake_quant import IN_FLOAT, FakeQuantNetwork
from econet.compression.quantized_graph import Operation


@torch.no_grad()
def correct_biases(network: FakeQuantNetwork, batches: Sequence[Tensor]) -> None:
    """Correct the biases of `network` in place, by `batches` of training images [N, C, H, W] as it is fed them.

    A layer that has no bias of its own, or stays in float, is left alone. Raises ValueError without a batch.
    """
    if not batches:
        raise ValueError("biases are corrected by images, and there are none")
    graph = network.graph
    layers = [each for each in graph.weighted if each.outputs[0] in graph.integer and _bias(network, each) is not None]
    network.part = IN_FLOAT
    try:
        wanted = _means(network, layers, batches)
    finally:
        network.part = None
    for layer in layers:
        bias = _bias(network, layer)
        assert bias is not None
        found = _means(network, [layer], batches)
        bias += (wanted[layer.outputs[0]] - found[layer.outputs[0]]).reshape(bias.shape).to(bias.dtype)


def _bias(network: FakeQuantNetwork, layer: Operation) -> Tensor | None:
    """The bias of a layer, one value an output channel; None where it has none or shares one for all."""
    if len(layer.inputs) < 3 or not layer.inputs[2]:
        return None
    bias, weight = network.constant(layer.inputs[2]), network.constant(layer.inputs[1])
    return bias if bias.numel() == weight.shape[layer.output_axis] else None


def _means(network: FakeQuantNetwork, layers: Sequence[Operation], batches: Sequence[Tensor]) -> dict[str, Tensor]:
    """The mean output of each channel of `layers`, float64 [channels], over all images and places."""
    names = {each.outputs[0] for each in layers}
    sums: dict[str, Tensor] = {}

    def watch(operation: Operation, value: Tensor) -> None:
        name = operation.outputs[0]
        if name in names:
            total = value.double().reshape(*value.shape[:2], -1).mean(2).sum(0)
            sums[name] = sums[name] + total if name in sums else total

    network.watch = watch
    try:
        for batch in batches:
            network(batch)
    finally:
        network.watch = None
    images = sum(len(batch) for batch in batches)
    return {name: total / images for name, total in sums.items()}
