"""The way back: the weights of an exported file, integer ones as the floats they stand for, in a network of torch.

What dropout of 2012 multiplies by is folded in a file, and is taken out again. Batch norm is folded too: what is read
back starts with one that changes nothing; once pictures have been seen (`settle_norms`) it changes nothing in training
either, where it measures by itself.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from econet.deployment.model_file import read_model
from econet.errors import UserError
from econet.models.layers_2012 import MaskDropout
from econet.models.network import Network, reading_weight

Floats = NDArray[np.float32]
_WEIGHTED = ("Conv", "Gemm", "MatMul")


def read_back(network: Network, path: Path) -> None:
    """Put the weights of the ONNX file at `path`, fp32 or int8, into the `network` that it was exported from.

    Raises UserError where the file is damaged, or holds weights of another network or of layers that are no plain
    convolutions and dense layers.
    """
    layers, found = _layers(network), _weights(read_model(path))
    shapes = [tuple(layer.weight.shape) for layer, _ in layers]
    inside = [part for layer, norm in layers for part in (layer, norm) if part is not None]
    known = {id(parameter) for part in inside for parameter in part.parameters()}
    strange = [name for name, parameter in network.named_parameters() if id(parameter) not in known]
    if strange:
        raise _unreadable(path, f"`{strange[0]}` belongs to a layer whose weights are not read back")
    if shapes != [weight.shape for weight, _ in found]:
        raise _unreadable(path, "its layers are not those of the architecture that is recorded beside it")
    with torch.no_grad():
        for (layer, norm), (weight, bias) in zip(layers, found, strict=True):
            _fill(layer, norm, torch.from_numpy(weight), torch.from_numpy(bias))
        for before, layer in zip(network.layers, network.layers[1:], strict=False):
            reads = reading_weight(layer)
            if isinstance(before, MaskDropout) and reads is not None:
                reads.div_(before.kept)


def settle_norms(network: nn.Module, images: Tensor) -> None:
    """Give every batch norm the statistics of what `images` [N, C, H, W] feed it, and weights that make up for them.

    The network answers as before, and in training, where a batch is normalised by its own statistics, nearly so.
    Computed on one thread, so that it gives the same bits again.
    """
    seen: dict[nn.BatchNorm2d, tuple[Tensor, Tensor]] = {}

    def look(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(norm, nn.BatchNorm2d):
            maps = inputs[0].double()
            seen[norm] = maps.mean((0, 2, 3)), maps.var((0, 2, 3), unbiased=False)

    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            network.eval()(images)
            for norm, (mean, variance) in seen.items():
                if norm.running_mean is None or norm.running_var is None:
                    continue
                factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
                norm.weight.copy_(factor * (variance + norm.eps).sqrt())
                norm.bias.copy_(norm.bias.double() + factor * (mean - norm.running_mean.double()))
                norm.running_mean.copy_(mean)
                norm.running_var.copy_(variance)
    finally:
        torch.set_num_threads(threads)
        for hook in hooks:
            hook.remove()


def _layers(network: Network) -> list[tuple[nn.Conv2d | nn.Linear, nn.BatchNorm2d | None]]:
    """Every convolution and dense layer with the batch norm behind it, in the order in which they compute.

    That is the order in which the exporter writes them down.
    """
    order: list[nn.Conv2d | nn.Linear] = []
    gave: list[Tensor] = []
    norm_of: dict[int, nn.BatchNorm2d] = {}

    def computed(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            order.append(layer)
            gave.append(output)

    def fed(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        places = [place for place, output in enumerate(gave) if output is inputs[0]]
        if places and isinstance(norm, nn.BatchNorm2d):
            norm_of[places[0]] = norm

    hooks = [part.register_forward_hook(computed) for part in network.modules()]
    hooks += [part.register_forward_pre_hook(fed) for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    with torch.no_grad():
        network.eval()(torch.zeros(1, *network.architecture.input))
    for hook in hooks:
        hook.remove()
    return [(layer, norm_of.get(place)) for place, layer in enumerate(order)]


def _fill(layer: nn.Conv2d | nn.Linear, norm: nn.BatchNorm2d | None, weight: Tensor, bias: Tensor) -> None:
    """Set a folded layer's weight and bias; those of a batch norm behind it are made to give the same.

    Before a batch norm the length of a filter means nothing, but a step of training turns a long one less: filters get
    that of fresh ones (He et al. 2015: variance 2 / inputs, hence length sqrt(2)), and the norm takes up the rest.
    """
    if norm is None or norm.running_mean is None or norm.running_var is None:
        layer.weight.copy_(weight)
        if layer.bias is not None:
            layer.bias.copy_(bias)
        return
    length = weight.flatten(1).norm(dim=1).div(2**0.5)
    length[length == 0] = 1
    layer.weight.copy_(weight / length.view(-1, *[1] * (weight.ndim - 1)))
    norm.running_mean.zero_()
    norm.running_var.fill_(1)
    norm.weight.copy_(length * (1 + norm.eps) ** 0.5)
    norm.bias.copy_(bias)
    if layer.bias is not None:
        layer.bias.zero_()


def _weights(model: onnx.ModelProto) -> list[tuple[Floats, Floats]]:
    """Weight and bias (zeros where there is none) of every layer that has them, in the graph's order, as floats."""
    values = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and all(name in values for name in node.input):
            axis = _attributes(node).get("axis", 1)
            values[node.output[0]] = _floats(*(values[name] for name in node.input), axis=axis)
    found: list[tuple[Floats, Floats]] = []
    for node in model.graph.node:
        if node.op_type not in _WEIGHTED or node.input[1] not in values:
            continue
        weight = np.array(values[node.input[1]], np.float32)
        if node.op_type != "Conv" and not _attributes(node).get("transB", 0):
            weight = np.ascontiguousarray(weight.T)
        given = values[node.input[2]] if len(node.input) > 2 else np.zeros(len(weight))
        found.append((weight, np.array(given, np.float32).ravel()))
    return found


def _floats(codes: NDArray[np.integer], scale: Floats, zero: NDArray[np.integer] | None = None, *, axis: int) -> Floats:
    """`(codes - zero) * scale`, one scale for all or for each entry along `axis`."""
    along = [-1 if each == axis % codes.ndim else 1 for each in range(codes.ndim)]
    zero = np.zeros(1, codes.dtype) if zero is None else zero
    steps, shift = (each.reshape(along if each.size > 1 else -1).astype(np.float64) for each in (scale, zero))
    return ((codes - shift) * steps).reshape(codes.shape).astype(np.float32)


def _attributes(node: onnx.NodeProto) -> dict[str, int]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _unreadable(path: Path, why: str) -> UserError:
    return UserError(f"the weights of {path} cannot be read back", why, "start from a run, or from another file")
