"""Poolings in LiteRT, and the padding before windows of any kind."""

import numpy as np
import onnx

from econet.deployment.targets.litert.draft import LOWEST_CODE, Draft, refused
from econet.deployment.targets.litert.flatbuffer import Field
from econet.deployment.targets.litert.onnx_view import attribute
from econet.deployment.targets.litert.schema import Code, Options, Padding, int8, int32
from econet.deployment.targets.litert.windows import Axis, placed

_POOL_OPTIONS = 5


def axes_of(draft: Draft, node: onnx.NodeProto, reach: tuple[int, ...]) -> tuple[Axis, Axis]:
    """The windows of a node down and across; `reach` is the kernel with its dilation."""
    if attribute(node, "auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise refused(node, "its padding is left to the runtime")
    before = attribute(node, "pads", [0, 0, 0, 0])
    strides = attribute(node, "strides", [1, 1])
    sizes = draft.view.shapes[draft.view.inputs(node)[0]][2:]
    outputs = draft.view.shapes[node.output[0]][2:]
    first, second = (Axis(sizes[i], reach[i], strides[i], before[i], outputs[i]) for i in (0, 1))
    return first, second


def padded(
    draft: Draft,
    node: onnx.NodeProto,
    source: int,
    axes: tuple[Axis, Axis],
    *,
    lowest: bool = False,
    counts: bool = False,
) -> tuple[Padding, int]:
    """The padding to ask of the operator, and the map it reads: padded before where no padding of its own fits.

    What is added counts as zero, or where `lowest` is set as less than all else; with `counts` it is always added.
    """
    padding, pads = placed(*axes)
    if counts:
        padding, pads = Padding.VALID, ((axes[0].before, axes[0].behind), (axes[1].before, axes[1].behind))
    if pads is None:
        return padding, source
    height, width = pads
    added = draft.constant(np.array([(0, 0), height, width, (0, 0)], np.int32))
    number, rows, columns, channels = draft.shape(source)
    shape = (number, rows + sum(height), columns + sum(width), channels)
    grid = draft.grid(source)
    if not lowest or source in draft.nonnegative:
        result = draft.add(Code.PAD, [source, added], shape, grid)
    elif grid is None:
        value = draft.constant(np.array([np.finfo(np.float32).min], np.float32))
        result = draft.add(Code.PADV2, [source, added, value], shape, None)
    else:
        value = draft.constant(np.array([LOWEST_CODE], np.int8), grid)
        result = draft.add(Code.PADV2, [source, added, value], shape, grid)
    return padding, result


def write_pool(draft: Draft, node: onnx.NodeProto, code: Code) -> None:
    """MaxPool or AveragePool; codes stay on their grid."""
    source = draft.value(node, 0).tensor
    if len(draft.shape(source)) != 4:
        raise refused(node, "it reads no map of two dimensions")
    if set(attribute(node, "dilations", [1])) != {1} or len(node.output) > 1:
        raise refused(node, "it has holes in its window, or gives places too")
    kernel, stride = attribute(node, "kernel_shape", [1, 1]), attribute(node, "strides", [1, 1])
    axes = axes_of(draft, node, tuple(kernel))
    nonnegative = source in draft.nonnegative
    if code == Code.AVERAGE_POOL_2D:
        padding, source = padded(draft, node, source, axes, counts=_padding_counts(node, axes))
    else:
        padding, source = padded(draft, node, source, axes, lowest=True)
    fields: dict[int, Field] = {0: int8(padding)} if padding else {}
    fields |= {1: int32(stride[1]), 2: int32(stride[0]), 3: int32(kernel[1]), 4: int32(kernel[0])}
    shape = draft.map_shape(node.output[0])
    result = draft.add(code, [source], shape, draft.grid(source), Options(_POOL_OPTIONS, fields))
    if nonnegative:
        draft.nonnegative.add(result)
    draft.settle(node.output[0], result)


def _padding_counts(node: onnx.NodeProto, axes: tuple[Axis, Axis]) -> bool:
    """Whether zeros are to be added before a mean and counted: LiteRT's SAME divides by the pixels there are.

    Raises UserError where neither is what the node does.
    """
    counted = bool(attribute(node, "count_include_pad", 0))
    if not any(axis.before or axis.behind for axis in axes):
        return False
    known = attribute(node, "pads", [0, 0, 0, 0])[2:]
    beyond = any(axis.behind > padding for axis, padding in zip(axes, known, strict=True))
    if (counted and beyond) or (not counted and placed(*axes)[1] is not None):
        raise refused(node, "its windows reach over the edge in a way that LiteRT's do not")
    return counted
