"""Writing a planned QDQ graph: Q and DQ pairs around activations, integer weights, biases on the grid of int32."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from econet.compression.qdq_plan import WEIGHTED, Grid, QdqPlan
from econet.deployment.graph_writer import INPUT, GraphWriter

LARGEST_WEIGHT = 127
# An integer kernel adds the products of a layer to the bias in int32: half of its range is the products'.
_LARGEST_BIAS = 2**30


def write_qdq(plan: QdqPlan, image: tuple[int, int, int], classes: int, opset: int) -> onnx.ModelProto:
    """The QDQ file of `plan` for images of (C, H, W); metadata is left to the caller. The plan's nodes are used up."""
    writer = GraphWriter()
    readable = {plan.first: _dequantized(writer, INPUT, plan.grids[plan.first])}
    for node in plan.nodes:
        inputs = [readable.get(name, name) for name in node.input]
        if node.op_type in WEIGHTED and node.output[0] in plan.integer:
            inputs[1:] = _integer_constants(writer, node, plan)
        else:
            inputs = [writer.constant(plan.constants[name]) if name in plan.constants else name for name in inputs]
        node.input[:] = inputs
        writer.nodes.append(node)
        for name in node.output:
            if name in plan.grids:
                readable[name] = _quantized(writer, name, plan.grids[name])
    return writer.model(image, classes, opset)


def _quantized(writer: GraphWriter, name: str, grid: Grid) -> str:
    codes = writer.add("QuantizeLinear", [name, *_grid_constants(writer, grid)])
    return _dequantized(writer, codes, grid)


def _dequantized(writer: GraphWriter, codes: str, grid: Grid) -> str:
    return writer.add("DequantizeLinear", [codes, *_grid_constants(writer, grid)])


def _grid_constants(writer: GraphWriter, grid: Grid) -> list[str]:
    """Scale and zero point; the zero point stands there even when it is 0: without it nothing is fused."""
    return [writer.constant(grid.scale), writer.constant(grid.zero_point)]


def _integer_constants(writer: GraphWriter, node: onnx.NodeProto, plan: QdqPlan) -> list[str]:
    """The names of the dequantized weight and, where there is one, bias of an integer node.

    The bias lies on the grid of int32 codes on input scale x weight scale: as such codes where the integer kernel is
    chosen for them alone (Gemm), else as their values.
    """
    weight = plan.constants[node.input[1]]
    bias = plan.constants[node.input[2]].ravel() if len(node.input) > 2 else None
    axis = output_axis(node.op_type, {each.name: helper.get_attribute_value(each) for each in node.attribute})
    input_scale = plan.grids[node.input[0]].scale
    scale = weight_scales(weight, axis, bias, input_scale, per_tensor=plan.per_tensor)
    spread = scale.reshape([-1 if each == axis else 1 for each in range(weight.ndim)])
    codes = np.clip(np.rint(weight / spread), -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int8)
    # Symmetric weights need no zero point, but the integer Gemm is only chosen where one is written.
    zero = [] if node.op_type == "Conv" else [writer.constant(np.zeros(len(scale), np.int8))]
    names = [writer.add("DequantizeLinear", [writer.constant(codes), writer.constant(scale), *zero], None, axis=axis)]
    if bias is not None:
        bias_scale = (scale * input_scale).astype(np.float32)
        bias_codes = np.rint(bias.astype(np.float64) / bias_scale).astype(np.int32)
        if node.op_type == "Conv":
            # Four bytes a channel less than codes with scales; ONNX Runtime (from 1.21) finds the codes again itself.
            names.append(writer.constant((bias_codes * bias_scale.astype(np.float64)).astype(np.float32)))
        else:
            constants = [writer.constant(bias_codes), writer.constant(bias_scale)]
            names.append(writer.add("DequantizeLinear", constants, None, axis=0))
    return names


def weight_scales(
    weight: NDArray[Any], axis: int, bias: NDArray[Any] | None, input_scale: np.float32, *, per_tensor: bool = False
) -> NDArray[np.float32]:
    """One scale for each output channel, its largest |weight| becomes 127; `per_tensor` the largest of them for all.

    A channel whose weights are so small that its bias would leave int32 gets a coarser scale; one of
    zeros, or as good as zeros, gets 1.
    """
    others = tuple(each for each in range(weight.ndim) if each != axis)
    scale = np.abs(weight.astype(np.float64)).max(axis=others) / LARGEST_WEIGHT
    if bias is not None:
        scale = np.maximum(scale, np.abs(bias.astype(np.float64)) / (float(input_scale) * _LARGEST_BIAS))
    # The bias lies on the product of both scales, which must be a normal float32.
    scale[scale * float(input_scale) < np.finfo(np.float32).tiny] = 1
    if per_tensor:
        scale[:] = scale.max()
    return scale.astype(np.float32)


def output_axis(operator: str, attributes: Mapping[str, Any]) -> int:
    """The axis of an integer operator's weight that counts its output channels."""
    return 0 if operator == "Conv" or attributes.get("transB", 0) else 1
