"""The layers of 2012 in ONNX operators: normalisations, unshared weights, plain dropout, the mean image."""

import copy
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from econet.deployment.graph_writer import GraphWriter
from econet.models.layers_2012 import LocalLayer, LrnLayer, MapNormLayer, MaskDropout, MeanImageLayer
from econet.models.network import reading_weight


def without_dropout(layers: Iterable[nn.Module]) -> list[nn.Module]:
    """`layers` as they answer, dropout gone: what that of 2012 multiplies by goes into the weights that read it.

    Where a layer without weights reads it, the product stays.
    """
    found: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.Dropout):
            continue
        if found and isinstance(found[-1], MaskDropout) and reading_weight(layer) is not None:
            found[-1] = _scaled(layer, found[-1].kept)
        else:
            found.append(layer)
    return found


def _scaled(layer: nn.Module, factor: float) -> nn.Module:
    """A copy of `layer` that answers as if `factor` times what it reads came in."""
    made = copy.deepcopy(layer)
    weight = reading_weight(made)
    if weight is not None:
        with torch.no_grad():
            weight.mul_(factor)
    return made


def write_layer_2012(writer: GraphWriter, layer: nn.Module, x: str) -> str:
    """Append `layer`, which reads `x`; the name of what it gives."""
    match layer:
        case LrnLayer():
            return _write_lrn(writer, layer, x)
        case MapNormLayer():
            size = layer.layer.size
            around = [size // 2] * 4
            squares = writer.add("Mul", [x, x])
            mean = writer.add(
                "AveragePool", [squares], None, kernel_shape=[size, size], pads=around, count_include_pad=1
            )
            return _divided(writer, x, mean, layer.layer.alpha * size**2, 1.0, layer.layer.beta)
        case LocalLayer():
            return _write_local(writer, layer, x)
        case MaskDropout():
            return writer.add("Mul", [x, writer.constant(np.float32(layer.kept))])
        case MeanImageLayer():
            return writer.add("Sub", [x, writer.constant(_floats(layer.mean)[None])])
        case _:
            raise TypeError(f"no ONNX writer for a layer of type {type(layer).__name__}")


def _write_lrn(writer: GraphWriter, lrn: LrnLayer, x: str) -> str:
    """Each column for itself. The mean over a window of maps is a pooling of [N, 1, C, H, W].

    ONNX has one operator for it, but its kernel in ONNX Runtime takes 2.5 times as long as these parts.
    """
    record = lrn.layer
    columns = [x]
    if record.columns > 1:
        columns = writer.add_many("Split", [x], record.columns, axis=1)
    axis = writer.constant(np.array([1], np.int64))
    pads = [record.size // 2, 0, 0, (record.size - 1) // 2, 0, 0]
    done: list[str] = []
    for column in columns:
        maps = writer.add("Unsqueeze", [writer.add("Mul", [column, column]), axis])
        mean = writer.add("AveragePool", [maps], None, kernel_shape=[record.size, 1, 1], pads=pads, count_include_pad=1)
        mean = writer.add("Squeeze", [mean, axis])
        done.append(_divided(writer, column, mean, record.alpha * record.size, record.k, record.beta))
    return done[0] if len(done) == 1 else writer.add("Concat", done, None, axis=1)


def _divided(writer: GraphWriter, x: str, mean: str, factor: float, k: float, beta: float) -> str:
    """`x / (k + factor * mean)^beta`; beta 3/4 takes two square roots, far quicker than a power."""
    weighted = writer.add("Mul", [mean, writer.constant(np.float32(factor))])
    base = writer.add("Add", [weighted, writer.constant(np.float32(k))])
    if beta == 0.75:
        root = writer.add("Sqrt", [base])
        return writer.add("Div", [x, writer.add("Mul", [root, writer.add("Sqrt", [root])])])
    return writer.add("Div", [x, writer.add("Pow", [base, writer.constant(np.float32(beta))])])


def _write_local(writer: GraphWriter, layer: LocalLayer, x: str) -> str:
    """Patches by slices of the padded maps, then one product a position: [H * W, N, patch] x [H * W, patch, out].

    torch orders a patch [C, kernel, kernel]; the slices come as [kernel * kernel, C], so the weights are turned.
    """
    height, width = layer.size
    kernel, around = layer.kernel, layer.kernel // 2
    pads = writer.constant(np.array([0, 0, around, around, 0, 0, around, around], np.int64))
    padded = writer.add("Pad", [x, pads])
    axes = writer.constant(np.array([2, 3], np.int64))
    slices = [
        writer.add("Slice", [padded, _pair(writer, row, column), _pair(writer, row + height, column + width), axes])
        for row in range(kernel)
        for column in range(kernel)
    ]
    weight = _floats(layer.weight)
    places, patch, outputs = weight.shape
    inputs = patch // kernel**2
    turned = weight.reshape(places, inputs, kernel**2, outputs).transpose(0, 2, 1, 3).reshape(weight.shape)
    patches = writer.add("Concat", slices, None, axis=1)
    flat = writer.add("Reshape", [patches, writer.constant(np.array([0, patch, places], np.int64))])
    rows = writer.add("Transpose", [flat], None, perm=[2, 0, 1])
    product = writer.add("MatMul", [rows, writer.constant(turned)])
    biased = writer.add("Add", [product, writer.constant(_floats(layer.bias))])
    maps = writer.add("Transpose", [biased], None, perm=[1, 2, 0])
    shape = writer.constant(np.array([0, outputs, height, width], np.int64))
    return writer.add("Relu", [writer.add("Reshape", [maps, shape])])


def _pair(writer: GraphWriter, first: int, second: int) -> str:
    return writer.constant(np.array([first, second], np.int64))


def _floats(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().float().numpy()
