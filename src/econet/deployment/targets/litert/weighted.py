"""Convolutions and dense layers in LiteRT: weights per output channel, biases int32 on input scale x weight scale."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from econet.deployment.targets.litert.draft import Draft, refused
from econet.deployment.targets.litert.flatbuffer import Field
from econet.deployment.targets.litert.onnx_view import attribute
from econet.deployment.targets.litert.pooling import axes_of, padded
from econet.deployment.targets.litert.schema import Code, Options, Quantization, int8, int32

_CONV_OPTIONS, _DEPTHWISE_OPTIONS, _DENSE_OPTIONS = 1, 2, 8


def write_conv(draft: Draft, node: onnx.NodeProto) -> None:
    """Conv: [out, in / groups, kh, kw] becomes [out, kh, kw, in / groups], a depthwise one [1, kh, kw, out]."""
    source = draft.value(node, 0).tensor
    if len(draft.shape(source)) != 4:
        raise refused(node, "it reads no map of two dimensions")
    groups, channels = int(attribute(node, "group", 1)), draft.shape(source)[3]
    depthwise = groups == channels and groups > 1
    name, activation = draft.ending(node)
    source, weight, bias, grid = _operands(draft, node, source, name, (1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
    kernel = draft.shape(weight)[1:3]
    stride, dilation = attribute(node, "strides", [1, 1]), attribute(node, "dilations", [1, 1])
    reach = tuple((size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True))
    padding, source = padded(draft, node, source, axes_of(draft, node, reach))
    fields: dict[int, Field] = {0: int8(padding)} if padding else {}
    fields |= {1: int32(stride[1]), 2: int32(stride[0])}
    if depthwise:
        fields[3] = int32(draft.shape(weight)[3] // channels)
    place = 4 if depthwise else 3
    fields |= {place: int8(activation)} if activation else {}
    fields |= {place + 1 + index: int32(step) for index, step in enumerate((dilation[1], dilation[0])) if step != 1}
    code = Code.DEPTHWISE_CONV_2D if depthwise else Code.CONV_2D
    options = Options(_DEPTHWISE_OPTIONS if depthwise else _CONV_OPTIONS, fields)
    result = draft.add(code, [source, weight, bias], draft.map_shape(node.output[0]), grid, options)
    draft.finish(name, result, activation)


def write_dense(draft: Draft, node: onnx.NodeProto) -> None:
    """Gemm or MatMul with constant weights: [out, in]; behind a flattened map `in` is in the order of [H, W, C]."""
    weight_name = draft.view.inputs(node)[1]
    plain = attribute(node, "alpha", 1.0) == attribute(node, "beta", 1.0) == 1 and not attribute(node, "transA", 0)
    if not draft.view.is_constant(weight_name) or len(draft.view.shapes[weight_name]) != 2 or not plain:
        raise refused(node, "only a product with a constant matrix is known")
    value = draft.value(node, 0)
    name, activation = draft.ending(node)
    turned = bool(attribute(node, "transB", 0))
    order = (0, 1) if turned else (1, 0)
    flattened = draft.shape(value.tensor)[1:] if value.flattened else None
    source, weight, bias, grid = _operands(draft, node, value.tensor, name, order, flattened)
    options = Options(_DENSE_OPTIONS, {0: int8(activation)} if activation else {})
    shape = draft.view.shapes[node.output[0]]
    draft.finish(name, draft.add(Code.FULLY_CONNECTED, [source, weight, bias], shape, grid, options), activation)


def _operands(
    draft: Draft,
    node: onnx.NodeProto,
    source: int,
    name: str,
    order: tuple[int, ...],
    flattened: tuple[int, ...] | None = None,
) -> tuple[int, int, int, Quantization | None]:
    """Input, weight and bias of a layer that gives `name`, and the grid of its result: all integer, or all float."""
    names = draft.view.inputs(node)
    weight = draft.view.quantized.get(names[1])
    if not draft.view.is_constant(names[1]) or any(not draft.view.is_constant(each) for each in names[2:]):
        raise refused(node, "its weights are not constant")
    grid, source_grid = draft.view.grids.get(name), draft.grid(source)
    if weight is None or grid is None or source_grid is None:
        values = _ordered(draft.view.values(names[1]).astype(np.float32), order, flattened)
        bias = _bias(draft, names, values.shape[order.index(_output_axis(node))])
        return draft.as_float(source), draft.constant(values), draft.constant(bias.astype(np.float32)), None
    scales = weight.quantization.scales
    axis = order.index(weight.quantization.axis)
    zeros = np.zeros(scales.size, np.int64)
    codes = _ordered(weight.codes, order, flattened)
    bias = np.zeros(codes.shape[axis], np.int32)
    bias_scales = (scales * source_grid.scales[0]).astype(np.float32)
    if len(names) > 2:
        stored = draft.view.quantized.get(names[2])
        bias = draft.view.values(names[2]) if stored is None else stored.codes
        if stored is None:
            bias = np.rint(bias.astype(np.float64) / bias_scales).astype(np.int32)
    return (
        source,
        draft.constant(codes, Quantization(scales, zeros, axis)),
        draft.constant(bias, Quantization(bias_scales, zeros)),
        grid,
    )


def _output_axis(node: onnx.NodeProto) -> int:
    return 0 if node.op_type == "Conv" or attribute(node, "transB", 0) else 1


def _bias(draft: Draft, names: list[str], outputs: int) -> NDArray[Any]:
    return draft.view.values(names[2]).ravel() if len(names) > 2 else np.zeros(outputs)


def _ordered(weight: NDArray[Any], order: tuple[int, ...], flattened: tuple[int, ...] | None) -> NDArray[Any]:
    """The weight with its axes in `order`; of a dense layer behind a map [H, W, C] the inputs in that map's order."""
    turned = weight.transpose(order)
    if flattened is not None:
        height, width, channels = flattened
        maps = turned.reshape(len(turned), channels, height, width)
        turned = maps.transpose(0, 2, 3, 1).reshape(len(turned), -1)
    return np.ascontiguousarray(turned)
