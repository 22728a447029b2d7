"""What a .tflite file consists of, and its bytes.

Numbers of operators, options and fields are those of TensorFlow Lite's public schema (tflite/schema/schema.fbs, version
3). A field that has the schema's default is left out; tensors have no names, only the signature names its two ends.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.deployment.targets.litert.flatbuffer import Field, FlatBuffer, Offset

_VERSION = 3
_IDENTIFIER = b"TFL3"
# Vectors of weights lie at multiples of 16 (`force_align` in the schema), those of int64 at multiples of 8.
_DATA_ALIGNMENT = 16
_SIGNATURE = "serving_default"


class TensorType(IntEnum):
    """Element types."""

    FLOAT32 = 0
    INT32 = 2
    UINT8 = 3
    INT8 = 9


class Code(IntEnum):
    """Builtin operators."""

    ADD = 0
    AVERAGE_POOL_2D = 1
    CONCATENATION = 2
    CONV_2D = 3
    DEPTHWISE_CONV_2D = 4
    DEQUANTIZE = 6
    FULLY_CONNECTED = 9
    LOGISTIC = 14
    MAX_POOL_2D = 17
    MUL = 18
    RELU = 19
    RELU6 = 21
    RESHAPE = 22
    TANH = 28
    PAD = 34
    GATHER = 36
    TRANSPOSE = 39
    MEAN = 40
    SUB = 41
    DIV = 42
    PADV2 = 60
    SLICE = 65
    QUANTIZE = 114


class Activation(IntEnum):
    """What an operator does to its result before it is stored."""

    NONE = 0
    RELU = 1
    RELU6 = 3


class Padding(IntEnum):
    """SAME pads half before and the rest behind, so that each stride gives one output; VALID pads nothing."""

    SAME = 0
    VALID = 1


@dataclass(frozen=True, slots=True)
class Quantization:
    """value = (code - zero_point) * scale: one pair for the tensor, or one for each index along `axis`."""

    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int = 0


@dataclass(frozen=True, slots=True)
class LiteTensor:
    """A tensor; a constant one holds its `data`. Maps are [N, H, W, C]."""

    shape: tuple[int, ...]
    type: TensorType
    quantization: Quantization | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """An operator's options: their number in the schema's union, and the fields of their table."""

    type: int
    fields: Mapping[int, Field]


@dataclass(frozen=True, slots=True)
class LiteOperator:
    """An operator; inputs and outputs are numbers of tensors."""

    code: Code
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options | None = None


@dataclass(slots=True)
class LiteModel:
    """One graph with one input and one output, which the signature calls by name."""

    tensors: list[LiteTensor] = field(default_factory=list[LiteTensor])
    operators: list[LiteOperator] = field(default_factory=list[LiteOperator])
    inputs: dict[str, int] = field(default_factory=dict[str, int])
    outputs: dict[str, int] = field(default_factory=dict[str, int])


def int32(value: int) -> bytes:
    """An int or uint field."""
    return struct.pack("<i", value)


def int8(value: int) -> bytes:
    """A byte, bool or enumeration field."""
    return struct.pack("<b", value)


def serialise(model: LiteModel) -> bytes:
    """The bytes of the file."""
    buffer = FlatBuffer()
    buffers = [buffer.table({})]  # number 0 is the empty one, of every tensor that is computed
    tensors = [_tensor(buffer, tensor, buffers) for tensor in model.tensors]
    codes = list(dict.fromkeys(each.code for each in model.operators))
    operators = [_operator(buffer, each, codes.index(each.code)) for each in model.operators]
    subgraph = buffer.table(
        {
            0: buffer.references(tensors),
            1: _numbers(buffer, tuple(model.inputs.values())),
            2: _numbers(buffer, tuple(model.outputs.values())),
            3: buffer.references(operators),
        }
    )
    root = buffer.table(
        {
            0: int32(_VERSION),
            1: buffer.references([_operator_code(buffer, code) for code in codes]),
            2: buffer.references([subgraph]),
            4: buffer.references(buffers),
            7: buffer.references([_signature(buffer, model)]),
        }
    )
    return buffer.finish(root, _IDENTIFIER)


def _tensor(buffer: FlatBuffer, tensor: LiteTensor, buffers: list[Offset]) -> Offset:
    fields: dict[int, Field] = {0: _numbers(buffer, tensor.shape)}
    if tensor.type != TensorType.FLOAT32:
        fields[1] = int8(tensor.type)
    if tensor.data is not None:
        fields[2] = int32(len(buffers))
        buffers.append(buffer.table({0: buffer.vector(tensor.data, len(tensor.data), _DATA_ALIGNMENT)}))
    if tensor.quantization is not None:
        fields[4] = _quantization(buffer, tensor.quantization)
    return buffer.table(fields)


def _quantization(buffer: FlatBuffer, quantization: Quantization) -> Offset:
    scales, zero_points = quantization.scales, quantization.zero_points
    fields: dict[int, Field] = {
        2: buffer.vector(scales.astype("<f4").tobytes(), scales.size),
        3: buffer.vector(zero_points.astype("<i8").tobytes(), zero_points.size, 8),
    }
    if quantization.axis:
        fields[6] = int32(quantization.axis)
    return buffer.table(fields)


def _operator(buffer: FlatBuffer, operator: LiteOperator, code_index: int) -> Offset:
    fields: dict[int, Field] = {1: _numbers(buffer, operator.inputs), 2: _numbers(buffer, operator.outputs)}
    if code_index:
        fields[0] = int32(code_index)
    if operator.options is not None:
        fields[3] = int8(operator.options.type)
        fields[4] = buffer.table(operator.options.fields)
    return buffer.table(fields)


def _operator_code(buffer: FlatBuffer, code: Code) -> Offset:
    # The number stands twice: older runtimes read field 0, newer ones the larger of both.
    return buffer.table({0: int8(code), 3: int32(code)} if code else {})


def _signature(buffer: FlatBuffer, model: LiteModel) -> Offset:
    def ends(tensors: Mapping[str, int]) -> Offset:
        named = [(buffer.string(name), number) for name, number in tensors.items()]
        return buffer.references(
            [buffer.table({0: text, 1: int32(number)} if number else {0: text}) for text, number in named]
        )

    return buffer.table({0: ends(model.inputs), 1: ends(model.outputs), 2: buffer.string(_SIGNATURE)})


def _numbers(buffer: FlatBuffer, values: tuple[int, ...]) -> Offset:
    return buffer.vector(struct.pack(f"<{len(values)}i", *values), len(values))


def numbers_data(values: NDArray[Any]) -> bytes:
    """The bytes of a constant: little-endian, the last axis fastest."""
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
