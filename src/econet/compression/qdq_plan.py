"""Which nodes of an fp32 graph become integer, and on which grid each of their tensors lies."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from econet.deployment.graph_writer import INPUT, OUTPUT
from econet.images.preprocess import Preprocess

Range = tuple[float, float]
Clip = tuple[float | None, float | None]

WEIGHTED = ("Conv", "Gemm", "MatMul")
# A tensor with less range is a constant zero; a smaller scale would leave float32 in the products below it.
_SMALLEST_RANGE = 1e-20
_JOINING = ("Add", "Concat")
# Operators that move values without changing them: their output lies on their input's grid.
_MOVING = ("MaxPool", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Gather")


@dataclass(frozen=True, slots=True)
class Grid:
    """An 8-bit grid: value = (code - zero_point) * scale, codes 0..255."""

    scale: np.float32
    zero_point: np.uint8


@dataclass(slots=True)
class QdqPlan:
    """The nodes to write in order, which of them are integer, and the grid of each tensor that is quantized.

    `first` is the tensor that holds the scaled pixels: its grid is the preprocessing itself. `range_of` names, for
    every other grid, the tensor whose range made it; `clips` the bounds of a ReLU or Clip that a grid replaces. With
    `per_tensor` the output channels of a layer's weight share one scale.
    """

    nodes: list[onnx.NodeProto]
    constants: dict[str, NDArray[Any]]
    first: str
    integer: set[str] = field(default_factory=set[str])
    grids: dict[str, Grid] = field(default_factory=dict[str, Grid])
    range_of: dict[str, str] = field(default_factory=dict[str, str])
    clips: dict[str, Clip] = field(default_factory=dict[str, Clip])
    per_tensor: bool = False


def make_plan(model: onnx.ModelProto, preprocess: Preprocess, ranges: Mapping[str, Range]) -> QdqPlan:
    """Plan the int8 form of an fp32 artifact; a node is named by its first output."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = [_copied(node) for node in model.graph.node]
    nodes, first = _without_scaling(nodes)
    nodes, clips = _without_folded_relu(nodes, constants)
    plan = QdqPlan(nodes, constants, first, clips=clips)
    plan.grids[first] = Grid(np.float32(preprocess.scale), np.uint8(preprocess.offset))
    for node in plan.nodes:
        if _has_ranges(node, plan, ranges) and _becomes_integer(node, plan):
            plan.integer.add(node.output[0])
            for name in node.input:
                if name and name not in constants and name not in plan.grids:
                    _lay_on_grid(plan, name, name, ranges)
            output = node.output[0]
            if output != OUTPUT:
                moved = node.input[0] if node.op_type in _MOVING else output
                _lay_on_grid(plan, output, plan.range_of.get(moved, moved), ranges)
    return plan


def grid_of(bounds: Range) -> Grid:
    """The grid of 256 codes over `bounds`, widened to include 0, which lies exactly on it."""
    low, high = min(0.0, bounds[0]), max(0.0, bounds[1])
    scale = np.float32((high - low) / 255) if high - low > _SMALLEST_RANGE else np.float32(1)
    return Grid(scale, np.uint8(np.clip(round(-low / float(scale)), 0, 255)))


def _lay_on_grid(plan: QdqPlan, name: str, source: str, ranges: Mapping[str, Range]) -> None:
    plan.range_of[name] = source
    plan.grids[name] = plan.grids[source] if source in plan.grids else grid_of(ranges[source])


def _copied(node: onnx.NodeProto) -> onnx.NodeProto:
    result = onnx.NodeProto()
    result.CopyFrom(node)
    return result


def _without_scaling(nodes: list[onnx.NodeProto]) -> tuple[list[onnx.NodeProto], str]:
    """The nodes after Cast, Sub and Mul of the pixels, and the tensor those three made."""
    kinds = [node.op_type for node in nodes[:3]]
    if kinds != ["Cast", "Sub", "Mul"] or nodes[0].input[0] != INPUT:
        raise ValueError(f"not an fp32 artifact of EcoNet: it begins with {kinds}")
    return nodes[3:], nodes[2].output[0]


def _without_folded_relu(
    nodes: list[onnx.NodeProto], constants: Mapping[str, NDArray[Any]]
) -> tuple[list[onnx.NodeProto], dict[str, Clip]]:
    """Let the node before a ReLU (or a Clip around 0) write the ReLU's output: the quantizer's range clips alike.

    Returns the nodes left, and the bounds that each tensor written so had.
    """
    readers: defaultdict[str, int] = defaultdict(int)
    for node in nodes:
        for name in node.input:
            readers[name] += 1
    makers = {node.output[0]: node for node in nodes}
    kept: list[onnx.NodeProto] = []
    clips: dict[str, Clip] = {}
    for node in nodes:
        maker = makers.get(node.input[0]) if node.input else None
        bounds = _bounds(node, constants)
        if (
            maker is not None
            and bounds is not None
            and readers[node.input[0]] == 1
            and node.output[0] != OUTPUT
            and (_has_integer_weights(maker, constants) or _joins_activations(maker, constants))
        ):
            clips[node.output[0]] = _both(clips.pop(maker.output[0], (None, None)), bounds)
            maker.output[0] = node.output[0]
            makers[node.output[0]] = maker
        else:
            kept.append(node)
    return kept, clips


def _bounds(node: onnx.NodeProto, constants: Mapping[str, NDArray[Any]]) -> Clip | None:
    """The bounds of a ReLU, or of a Clip by constants with 0 between them; None for any other node."""
    if node.op_type == "Relu":
        return 0.0, None
    if node.op_type != "Clip" or any(name and name not in constants for name in node.input[1:]):
        return None
    low, high = [*(float(constants[name]) if name else None for name in node.input[1:]), None, None][:2]
    return (low, high) if (low is None or low <= 0) and (high is None or high >= 0) else None


def _both(one: Clip, other: Clip) -> Clip:
    """The bounds of two clips in a row, each with 0 between its own."""
    lows = [bounds[0] for bounds in (one, other) if bounds[0] is not None]
    highs = [bounds[1] for bounds in (one, other) if bounds[1] is not None]
    return max(lows, default=None), min(highs, default=None)


def _has_ranges(node: onnx.NodeProto, plan: QdqPlan, ranges: Mapping[str, Range]) -> bool:
    """Whether all that the node reads and writes are float activations (shapes and indices have no range)."""
    read = [name for name in node.input if name and name not in plan.constants and name not in plan.grids]
    return all(name in ranges for name in (*read, node.output[0]))


def _becomes_integer(node: onnx.NodeProto, plan: QdqPlan) -> bool:
    if node.op_type in WEIGHTED:
        return _has_integer_weights(node, plan.constants)
    if node.op_type in _JOINING:
        return node.output[0] != OUTPUT and _joins_activations(node, plan.constants)
    if node.output[0] == OUTPUT:
        return False
    if node.op_type in ("MaxPool", "GlobalAveragePool"):
        return True
    if node.input[0] not in plan.grids:
        return False
    return node.op_type in _MOVING or _is_plain_mean(node)


def _is_plain_mean(node: onnx.NodeProto) -> bool:
    """Whether a node takes means of whole windows, for which integer kernels exist."""
    if node.op_type != "AveragePool":
        return False
    return not {"ceil_mode", "pads"}.intersection(each.name for each in node.attribute)


def _joins_activations(node: onnx.NodeProto, constants: Mapping[str, NDArray[Any]]) -> bool:
    return node.op_type in _JOINING and not any(name in constants for name in node.input)


def _has_integer_weights(node: onnx.NodeProto, constants: Mapping[str, NDArray[Any]]) -> bool:
    """Whether weights and bias are constants of the usual form, so that integer kernels exist."""
    if node.op_type not in WEIGHTED or node.input[0] in constants:
        return False
    if any(name not in constants for name in node.input[1:]):
        return False
    weight = constants[node.input[1]]
    if node.op_type == "Conv":
        return True
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    plain = attributes.get("alpha", 1.0) == 1 and attributes.get("beta", 1.0) == 1
    outputs = weight.shape[0] if attributes.get("transB", 0) else weight.shape[-1]
    bias_fits = len(node.input) < 3 or constants[node.input[2]].size == outputs
    return weight.ndim == 2 and plain and not attributes.get("transA", 0) and bias_fits
