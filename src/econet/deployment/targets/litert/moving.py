"""Operators that move channels in LiteRT: parts of a map, and channels in another order. Codes stay on their grid."""

import numpy as np
import onnx
from numpy.typing import NDArray

from econet.deployment.targets.litert.draft import Draft, refused
from econet.deployment.targets.litert.onnx_view import attribute
from econet.deployment.targets.litert.schema import Code, Options, int32

# Where an axis of an ONNX map lies here.
MOVED_AXES = {0: 0, 1: 3, 2: 1, 3: 2}
_RESHAPE_OPTIONS, _GATHER_OPTIONS, _TRANSPOSE_OPTIONS, _SLICE_OPTIONS = 17, 23, 26, 48


def write_slice(draft: Draft, node: onnx.NodeProto) -> None:
    """Slice: a part of a map, step by step of one."""
    source = _map(draft, node)
    before, after = (draft.view.shapes[name] for name in (draft.view.inputs(node)[0], node.output[0]))
    starts, axes, steps = _bounds(draft, node)
    if set(steps) != {1}:
        raise refused(node, "it steps over values")
    begin = np.zeros(4, np.int32)
    for start, axis in zip(starts, axes, strict=True):
        side = before[axis]
        begin[MOVED_AXES[axis % 4]] = min(max(start + side if start < 0 else start, 0), side)
    size = np.array([after[axis] for axis in (0, 2, 3, 1)], np.int32)
    inputs = [source, draft.constant(begin), draft.constant(size)]
    options = Options(_SLICE_OPTIONS, {})
    _settle(draft, node, source, draft.add(Code.SLICE, inputs, tuple(size.tolist()), draft.grid(source), options))


def write_gather(draft: Draft, node: onnx.NodeProto) -> None:
    """Gather along the channels of a map: dealt out by turns, as a channel shuffle does, or in any other order."""
    source = _map(draft, node)
    name = draft.view.inputs(node)[1]
    if not draft.view.is_constant(name) or int(attribute(node, "axis", 0)) % 4 != 1:
        raise refused(node, "only channels in a constant order are known")
    order = draft.view.values(name)
    if order.ndim != 1:
        raise refused(node, "its places are no list")
    order = order % draft.shape(source)[3]
    groups = _groups(order)
    _settle(draft, node, source, _gathered(draft, source, order) if groups is None else _dealt(draft, source, groups))


def _dealt(draft: Draft, source: int, groups: int) -> int:
    """The channels of `groups` equal parts, one of each by turns: unlike a gather, the fast kernels take it whole."""
    number, height, width, channels = draft.shape(source)
    grid, parts = draft.grid(source), channels // groups
    apart = _reshaped(draft, source, (number, height, width, groups, parts))
    turned = draft.constant(np.array([0, 1, 2, 4, 3], np.int32))
    shape = (number, height, width, parts, groups)
    swapped = draft.add(Code.TRANSPOSE, [apart, turned], shape, grid, Options(_TRANSPOSE_OPTIONS, {}))
    return _reshaped(draft, swapped, (number, height, width, channels))


def _gathered(draft: Draft, source: int, order: NDArray[np.int64]) -> int:
    places = draft.constant(order.astype(np.int32))
    shape = (*draft.shape(source)[:3], len(order))
    options = Options(_GATHER_OPTIONS, {0: int32(3)})
    return draft.add(Code.GATHER, [source, places], shape, draft.grid(source), options)


def _reshaped(draft: Draft, source: int, shape: tuple[int, ...]) -> int:
    wanted = draft.constant(np.array(shape, np.int32))
    return draft.add(Code.RESHAPE, [source, wanted], shape, draft.grid(source), Options(_RESHAPE_OPTIONS, {}))


def _groups(order: NDArray[np.int64]) -> int | None:
    """From how many equal parts the channels are dealt out by turns; None where they are not."""
    count = len(order)
    if count < 4 or order[0] != 0 or order[1] == 0 or count % int(order[1]):
        return None
    parts = int(order[1])
    dealt = np.arange(count).reshape(-1, parts).T.ravel()
    return count // parts if np.array_equal(order, dealt) else None


def _map(draft: Draft, node: onnx.NodeProto) -> int:
    value = draft.value(node, 0)
    if value.flattened or len(draft.shape(value.tensor)) != 4:
        raise refused(node, "it reads no map of two dimensions")
    return value.tensor


def _bounds(draft: Draft, node: onnx.NodeProto) -> tuple[list[int], list[int], list[int]]:
    """Starts, axes and steps of a Slice."""
    names = [*draft.view.inputs(node), "", ""][1:5]
    if any(name and not draft.view.is_constant(name) for name in names):
        raise refused(node, "its bounds are not constant")
    starts, _, axes, steps = ([int(each) for each in draft.view.values(name).ravel()] if name else [] for name in names)
    return starts, axes or list(range(len(starts))), steps or [1] * len(starts)


def _settle(draft: Draft, node: onnx.NodeProto, source: int, result: int) -> None:
    if source in draft.nonnegative:
        draft.nonnegative.add(result)
    draft.settle(node.output[0], result)
