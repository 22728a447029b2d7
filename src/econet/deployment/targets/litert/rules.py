"""Each ONNX operator in LiteRT: maps turn from [N, C, H, W] to [N, H, W, C], and constants with them."""

from collections.abc import Callable

import numpy as np
import onnx

from econet.deployment.targets.litert.draft import Draft, Value, refused
from econet.deployment.targets.litert.moving import MOVED_AXES, write_gather, write_slice
from econet.deployment.targets.litert.onnx_view import attribute
from econet.deployment.targets.litert.pooling import write_pool
from econet.deployment.targets.litert.schema import Activation, Code, Options, int8, int32
from econet.deployment.targets.litert.weighted import write_conv, write_dense

Rule = Callable[[Draft, onnx.NodeProto], None]

_CONCATENATION_OPTIONS, _REDUCER_OPTIONS = 10, 27


def _elementwise(code: Code, options: int, *, integer: bool) -> Rule:
    """A rule for an operator of two values, or of a value and a constant."""

    def rule(draft: Draft, node: onnx.NodeProto) -> None:
        names = draft.view.inputs(node)
        values = [draft.values.get(name) for name in names]
        known = [value for value in values if value is not None]
        if not known or len({value.flattened for value in known}) != 1:
            raise refused(node, "its two inputs are laid out in different orders")
        name, activation = draft.ending(node)
        tensors = [value.tensor for value in known]
        grid = draft.view.grids.get(name)
        if not (integer and len(known) == 2 and grid is not None and all(draft.grid(each) for each in tensors)):
            grid = None
            tensors = [
                _turned_constant(draft, node, index, known[0]) if value is None else draft.as_float(value.tensor)
                for index, value in enumerate(values)
            ]
        shape = np.broadcast_shapes(*(draft.shape(each) for each in tensors))
        result = draft.add(code, tensors, shape, grid, Options(options, {0: int8(activation)} if activation else {}))
        draft.finish(name, result, activation, flattened=known[0].flattened)

    return rule


def _turned_constant(draft: Draft, node: onnx.NodeProto, index: int, other: Value) -> int:
    """The constant that a node reads beside `other`, laid out as that is."""
    values = draft.view.values(draft.view.inputs(node)[index]).astype(np.float32)
    shape = draft.shape(other.tensor)
    if values.size == 1:
        return draft.constant(values.reshape(()))
    if other.flattened:
        height, width, channels = shape[1:]
        values = values.reshape(1, channels, height, width)
    if len(shape) == 4:
        values = values.reshape((1,) * (4 - values.ndim) + values.shape).transpose(0, 2, 3, 1)
    return draft.constant(values)


def _concat(draft: Draft, node: onnx.NodeProto) -> None:
    values = [draft.value(node, index) for index in range(len(node.input))]
    tensors = [value.tensor for value in values]
    shapes = [draft.shape(tensor) for tensor in tensors]
    flattened = any(value.flattened for value in values)
    if flattened and not all(value.flattened and draft.shape(value.tensor)[1:3] == (1, 1) for value in values):
        raise refused(node, "it joins flattened maps")
    axis = int(attribute(node, "axis", 1)) % len(draft.view.shapes[node.output[0]])
    axis = MOVED_AXES[axis] if len(shapes[0]) == 4 else axis
    grid = draft.view.grids.get(node.output[0])
    if grid is not None and all(draft.grid(each) for each in tensors):
        tensors = [draft.on_grid(tensor, grid) for tensor in tensors]
    else:
        grid, tensors = None, [draft.as_float(tensor) for tensor in tensors]
    shape = (*shapes[0][:axis], sum(each[axis] for each in shapes), *shapes[0][axis + 1 :])
    result = draft.add(Code.CONCATENATION, tensors, shape, grid, Options(_CONCATENATION_OPTIONS, {0: int32(axis)}))
    draft.nonnegative.update({result} if draft.nonnegative.issuperset(tensors) else ())
    draft.settle(node.output[0], result, flattened=flattened)


def _pool(code: Code) -> Rule:
    """A rule for local pooling: codes stay on their grid."""
    return lambda draft, node: write_pool(draft, node, code)


def _global_mean(draft: Draft, node: onnx.NodeProto) -> None:
    source = draft.value(node, 0).tensor
    if len(draft.shape(source)) != 4:
        raise refused(node, "it reads no map")
    grid = draft.view.grids.get(node.output[0], draft.grid(source)) if draft.grid(source) else None
    axes = draft.constant(np.array([1, 2], np.int32))
    options = Options(_REDUCER_OPTIONS, {0: int8(1)})
    shape = draft.map_shape(node.output[0])
    draft.finish(node.output[0], draft.add(Code.MEAN, [source, axes], shape, grid, options), Activation.NONE)


def _flatten(draft: Draft, node: onnx.NodeProto) -> None:
    """Nothing moves: the dense layer behind has its weights in the order of the map."""
    source = draft.value(node, 0)
    before, after = draft.view.shapes[draft.view.inputs(node)[0]], draft.view.shapes[node.output[0]]
    if len(after) != 2 or after[0] != before[0]:
        raise refused(node, f"it makes {list(after)} of {list(before)}; only flattening to [N, values] is known")
    draft.settle(node.output[0], source.tensor, flattened=source.flattened or len(before) == 4)


def _unary(code: Code, *, integer: bool = False) -> Rule:
    """A rule for an operator of one value that keeps its shape."""

    def rule(draft: Draft, node: onnx.NodeProto) -> None:
        source = draft.value(node, 0)
        grid = draft.grid(source.tensor) if integer else None
        if grid is not None:
            grid = draft.view.grids.get(node.output[0], grid)
        tensor = source.tensor if grid is not None else draft.as_float(source.tensor)
        result = draft.add(code, [tensor], draft.shape(tensor), grid)
        draft.nonnegative.update({result} if code in (Code.RELU, Code.RELU6, Code.LOGISTIC) else ())
        draft.settle(node.output[0], result, flattened=source.flattened)

    return rule


def _clip(draft: Draft, node: onnx.NodeProto) -> None:
    kind = draft.view.relu_kind(node)
    if kind is None:
        raise refused(node, "only a Clip from 0, or from 0 to 6, is known")
    _unary(Code.RELU6 if kind == "relu6" else Code.RELU, integer=True)(draft, node)


RULES: dict[str, Rule] = {
    "Add": _elementwise(Code.ADD, 11, integer=True),
    "AveragePool": _pool(Code.AVERAGE_POOL_2D),
    "Clip": _clip,
    "Concat": _concat,
    "Conv": write_conv,
    "Div": _elementwise(Code.DIV, 29, integer=False),
    "Flatten": _flatten,
    "Gather": write_gather,
    "Gemm": write_dense,
    "GlobalAveragePool": _global_mean,
    "MatMul": write_dense,
    "MaxPool": _pool(Code.MAX_POOL_2D),
    "Mul": _elementwise(Code.MUL, 21, integer=True),
    "Relu": _unary(Code.RELU, integer=True),
    "Reshape": _flatten,
    "Sigmoid": _unary(Code.LOGISTIC),
    "Slice": write_slice,
    "Squeeze": _flatten,
    "Sub": _elementwise(Code.SUB, 28, integer=True),
    "Tanh": _unary(Code.TANH),
}
