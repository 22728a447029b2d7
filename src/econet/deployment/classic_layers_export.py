"""The blocks of the classic small networks in ONNX operators."""

import numpy as np
from torch import nn

from econet.deployment.convolution_export import write_unit
from econet.deployment.graph_writer import GraphWriter
from econet.models.classic_layers import FireLayer, InvertedResidualLayer, ShuffleUnitLayer


def write_classic_layer(writer: GraphWriter, layer: nn.Module, x: str) -> str:
    """Append `layer`, which reads `x`; the name of what it gives."""
    match layer:
        case InvertedResidualLayer():
            inner = x if layer.expand is None else write_unit(writer, layer.expand, x)
            result = write_unit(writer, layer.project, write_unit(writer, layer.depthwise, inner))
            return writer.add("Add", [x, result]) if layer.adds_input else result
        case FireLayer():
            squeezed = write_unit(writer, layer.squeeze, x)
            both = [write_unit(writer, unit, squeezed) for unit in (layer.expand1, layer.expand3)]
            return writer.add("Concat", both, None, axis=1)
        case ShuffleUnitLayer():
            return _write_shuffle_unit(writer, layer, x)
        case _:
            raise TypeError(f"no ONNX writer for a layer of type {type(layer).__name__}")


def _write_shuffle_unit(writer: GraphWriter, layer: ShuffleUnitLayer, x: str) -> str:
    half = layer.second.conv.out_channels
    if layer.left_depthwise is None or layer.left_pointwise is None:
        left, right = (_channels(writer, x, start, start + half) for start in (0, half))
    else:
        left, right = write_unit(writer, layer.left_pointwise, write_unit(writer, layer.left_depthwise, x)), x
    for unit in (layer.first, layer.depthwise, layer.second):
        right = write_unit(writer, unit, right)
    # [N, half + half, H, W]: entry i of either half comes to stand beside entry i of the other.
    joined = writer.add("Concat", [left, right], None, axis=1)
    dealt = writer.constant(np.stack(np.split(np.arange(2 * half), 2), 1).reshape(-1))
    return writer.add("Gather", [joined, dealt], None, axis=1)


def _channels(writer: GraphWriter, x: str, start: int, end: int) -> str:
    bounds = [writer.constant(np.array([value], np.int64)) for value in (start, end, 1)]
    return writer.add("Slice", [x, *bounds])
