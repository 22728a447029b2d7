"""A .tflite file read and checked: its tensors and operators, before a runtime sees them.

The interpreter trusts a file's offsets and indices, so all that it would follow is checked here: one graph of known
operators, constants of the size their shapes say, every tensor made before it is read.
Field numbers are those of TensorFlow Lite's `schema.fbs`, version 3.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from econet.deployment.engines.flatbuffer import Damaged, Table

T = TypeVar("T")

_IDENTIFIER, _VERSION = b"TFL3", 3
_MOST_ENTRIES = 20_000
_MOST_VALUES = 2**29
# Code of each operator that an image classifier is made of; no loops, calls, variables or operators of others.
OPERATORS = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 5: "DEPTH_TO_SPACE",
    6: "DEQUANTIZE", 9: "FULLY_CONNECTED", 14: "LOGISTIC", 17: "MAX_POOL_2D", 18: "MUL", 19: "RELU",
    20: "RELU_N1_TO_1", 21: "RELU6", 22: "RESHAPE", 23: "RESIZE_BILINEAR", 25: "SOFTMAX", 26: "SPACE_TO_DEPTH",
    28: "TANH", 34: "PAD", 36: "GATHER", 39: "TRANSPOSE", 40: "MEAN", 41: "SUB", 42: "DIV", 43: "SQUEEZE",
    45: "STRIDED_SLICE", 47: "EXP", 49: "SPLIT", 50: "LOG_SOFTMAX", 53: "CAST", 54: "PRELU", 55: "MAXIMUM",
    57: "MINIMUM", 59: "NEG", 60: "PADV2", 65: "SLICE", 67: "TRANSPOSE_CONV", 70: "EXPAND_DIMS", 74: "SUM",
    75: "SQRT", 76: "RSQRT", 78: "POW", 82: "REDUCE_MAX", 83: "PACK", 88: "UNPACK", 92: "SQUARE",
    97: "RESIZE_NEAREST_NEIGHBOR", 98: "LEAKY_RELU", 99: "SQUARED_DIFFERENCE", 100: "MIRROR_PAD", 101: "ABS",
    102: "SPLIT_V", 111: "ELU", 114: "QUANTIZE", 117: "HARD_SWISH", 126: "BATCH_MATMUL", 150: "GELU",
}  # fmt: skip
# Type of a tensor: its name and the bits of a value.
_TYPES = {
    0: ("float32", 32), 1: ("float16", 16), 2: ("int32", 32), 3: ("uint8", 8), 4: ("int64", 64), 6: ("bool", 8),
    7: ("int16", 16), 9: ("int8", 8), 17: ("int4", 4),
}  # fmt: skip
# Operators whose options hold a vector of numbers, in their first field.
_WITH_VECTOR = ("RESHAPE", "SQUEEZE")
# A bias may be left out, and is then named -1.
_WITH_BIAS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


@dataclass(frozen=True, slots=True)
class Tensor:
    """Shape at batch 1, type, grid `(code - zero_points) * scales` (empty where it is float), and whether constant."""

    shape: tuple[int, ...]
    type: str
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    constant: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator with the tensors it reads and makes, by number; -1 where a bias is left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TfliteGraph:
    """The one graph of a file, its operators in the order they run; it has one input and one output."""

    tensors: tuple[Tensor, ...]
    operations: tuple[Operation, ...]
    input: int
    output: int


def read_graph(content: bytes) -> TfliteGraph:
    """The graph of a `.tflite` file. Raises Damaged where it is not whole or holds what EcoNet does not run."""
    root = Table.root(content, _IDENTIFIER)
    if (version := root.number(0, "I")) != _VERSION:
        raise Damaged(f"it has version {version} of the format, not {_VERSION}")
    if root.has(8) or root.has(9):
        raise Damaged("it keeps data in other files")
    root.text(3)
    buffers = [_buffer(each) for each in root.tables(4, _MOST_ENTRIES)]
    _check_metadata(root, buffers)
    graphs = root.tables(2, _MOST_ENTRIES)
    if len(graphs) != 1:
        raise Damaged(f"it holds {len(graphs)} graphs, not one")
    graph = graphs[0]
    graph.text(4)
    tensors = tuple(_tensor(each, buffers) for each in graph.tables(0, _MOST_ENTRIES))
    kinds = [_kind(each) for each in root.tables(1, _MOST_ENTRIES)]
    operations = tuple(_operation(each, kinds) for each in graph.tables(3, _MOST_ENTRIES))
    ends = [graph.values(field, "i4").tolist() for field in (1, 2)]
    if [len(end) for end in ends] != [1, 1]:
        raise Damaged(f"it has {len(ends[0])} inputs and {len(ends[1])} outputs, not one of each")
    result = TfliteGraph(tensors, operations, int(ends[0][0]), int(ends[1][0]))
    _check_order(result)
    _check_signatures(root, len(tensors))
    return result


def _buffer(table: Table) -> int:
    """The bytes in a buffer."""
    if table.number(1, "Q") > 1 or table.number(2, "Q") > 1:
        raise Damaged("it keeps data behind its own end")
    return len(table.values(0, "u1"))


def _check_metadata(root: Table, buffers: list[int]) -> None:
    root.values(5, "i4")
    for entry in root.tables(6, _MOST_ENTRIES):
        entry.text(0)
        if not _picked(buffers, entry.number(1, "I"), "buffer"):
            raise Damaged("an entry of its metadata is empty")


def _tensor(table: Table, buffers: list[int]) -> Tensor:
    shape = tuple(int(size) for size in table.values(0, "i4"))
    name, bits = _named_type(table.number(1, "b"))
    table.text(3)
    if table.number(5, "b") or any(table.has(field) for field in (6, 9, 10)):
        raise Damaged("it has variable, sparse or external tensors")
    if len(shape) > 8 or min(shape, default=1) < 0 or math.prod(shape) > _MOST_VALUES:
        raise Damaged(f"a tensor has the shape {list(shape)}")
    table.values(7, "i4")
    held = _picked(buffers, table.number(2, "I"), "buffer")
    if held not in (0, needed := -(-math.prod(shape) * bits // 8)):
        raise Damaged(f"a tensor of shape {list(shape)} and type {name} has {held:,} bytes instead of {needed:,}")
    scales, zero_points = _grid(table.table(4), shape)
    return Tensor(shape, name, scales, zero_points, held > 0)


def _grid(table: Table | None, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    if table is None:
        return np.zeros(0, np.float32), np.zeros(0, np.int64)
    for field in (0, 1):
        table.values(field, "f4")
    scales, zero_points = table.values(2, "f4"), table.values(3, "i8")
    axis = table.number(6, "i")
    if table.number(4, "B"):
        raise Damaged("a tensor is quantized in a way of its own")
    channels = shape[axis] if 0 <= axis < len(shape) else 1
    if len(scales) not in (0, 1, channels) or len(zero_points) not in (0, len(scales)):
        raise Damaged(f"a tensor of shape {list(shape)} has {len(scales)} scales and {len(zero_points)} zero points")
    return scales, zero_points


def _named_type(code: int) -> tuple[str, int]:
    if code not in _TYPES:
        raise Damaged(f"a tensor has type {code}, which no image classifier needs")
    return _TYPES[code]


def _kind(table: Table) -> str:
    """Newer files give the code in another field, as large or larger."""
    custom, code = table.text(1), max(table.number(0, "b"), table.number(3, "i"))
    if custom or code not in OPERATORS:
        raise Damaged(f"operator {custom or code} is not one of those that image classifiers are made of")
    return OPERATORS[code]


def _operation(table: Table, kinds: list[str]) -> Operation:
    kind = _picked(kinds, table.number(0, "I"), "operator")
    options = table.table(4)
    if options is not None and kind in _WITH_VECTOR:
        options.values(0, "i4")
    if any(table.has(field) for field in (7, 8, 9, 10, 12)) or len(table.values(5, "u1")):
        raise Damaged(f"an operator {kind} has options of its own")
    inputs, outputs = (tuple(int(each) for each in table.values(field, "i4")) for field in (1, 2))
    return Operation(kind, inputs, outputs)


def _check_order(graph: TfliteGraph) -> None:
    """Every tensor is made once, before it is read; the answer is made."""
    count = len(graph.tensors)
    _check_numbers((graph.input, graph.output), count)
    ready = {number for number, tensor in enumerate(graph.tensors) if tensor.constant}
    if graph.input in ready:
        raise Damaged("its input is a constant")
    ready.add(graph.input)
    for each in graph.operations:
        inputs = each.inputs
        if each.kind in _WITH_BIAS and len(inputs) == 3 and inputs[2] == -1:
            inputs = inputs[:2]
        _check_numbers((*inputs, *each.outputs), count)
        if not inputs or not ready.issuperset(inputs):
            raise Damaged(f"an operator {each.kind} reads what nothing has made")
        if not each.outputs or ready.intersection(each.outputs) or len(set(each.outputs)) != len(each.outputs):
            raise Damaged(f"an operator {each.kind} makes what is there already")
        ready.update(each.outputs)
    if graph.output not in ready or graph.tensors[graph.output].constant:
        raise Damaged("nothing makes its output")


def _check_signatures(root: Table, tensors: int) -> None:
    """Names for the ends, which EcoNet does not use but the interpreter reads."""
    for signature in root.tables(7, _MOST_ENTRIES):
        signature.text(2)
        if signature.number(4, "I"):
            raise Damaged("a signature belongs to a graph that is not there")
        for field in (0, 1):
            for entry in signature.tables(field, _MOST_ENTRIES):
                entry.text(0)
                _check_numbers((entry.number(1, "I"),), tensors)


def _check_numbers(numbers: Iterable[int], count: int) -> None:
    for number in numbers:
        if not 0 <= number < count:
            raise Damaged(f"it names tensor {number} of {count}")


def _picked(entries: Sequence[T], number: int, what: str) -> T:
    if not 0 <= number < len(entries):
        raise Damaged(f"it names {what} {number} of {len(entries)}")
    return entries[number]
