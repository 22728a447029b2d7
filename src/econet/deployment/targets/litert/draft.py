"""A .tflite model while it is being translated: which of its tensors holds which value of the ONNX graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from econet.deployment.targets.litert.onnx_view import OnnxView
from econet.deployment.targets.litert.schema import (
    Activation,
    Code,
    LiteModel,
    LiteOperator,
    LiteTensor,
    Options,
    Quantization,
    TensorType,
    numbers_data,
)
from econet.errors import UserError

LOWEST_CODE = -128
_TYPES = {"float32": TensorType.FLOAT32, "int32": TensorType.INT32, "int8": TensorType.INT8}


@dataclass(frozen=True, slots=True)
class Value:
    """The tensor that holds a value; `flattened` where ONNX has [N, C * H * W] and the tensor is still [N, H, W, C]."""

    tensor: int
    flattened: bool = False


class Draft:
    """Adds tensors and operators to a model, and keeps where each ONNX value went."""

    def __init__(self, view: OnnxView) -> None:
        self.view = view
        self.model = LiteModel()
        self.values: dict[str, Value] = {}
        self.skipped: set[str] = set()
        self.nonnegative: set[int] = set()
        self._constants: dict[tuple[str, tuple[int, ...], bytes], int] = {}
        self._floats: dict[int, int] = {}

    # Tensors

    def tensor(self, tensor: LiteTensor) -> int:
        """The number of a new tensor."""
        self.model.tensors.append(tensor)
        return len(self.model.tensors) - 1

    def constant(self, values: NDArray[Any], quantization: Quantization | None = None) -> int:
        """A tensor that holds `values`; equal ones without a grid are kept once."""
        data, kind = numbers_data(values), str(values.dtype)
        key = (kind, values.shape, data)
        if quantization is not None:
            return self.tensor(LiteTensor(values.shape, _TYPES[kind], quantization, data))
        if key not in self._constants:
            self._constants[key] = self.tensor(LiteTensor(values.shape, _TYPES[kind], None, data))
        return self._constants[key]

    def shape(self, tensor: int) -> tuple[int, ...]:
        """The shape of a tensor, maps as [N, H, W, C]."""
        return self.model.tensors[tensor].shape

    def grid(self, tensor: int) -> Quantization | None:
        """The grid of a tensor; None of a float one."""
        return self.model.tensors[tensor].quantization

    # Values

    def value(self, node: onnx.NodeProto, index: int) -> Value:
        """The value that a node reads. Raises UserError where it reads a constant in the place of one."""
        name = self.view.inputs(node)[index]
        if name not in self.values:
            raise refused(node, f"its input {index + 1} is not computed from the image")
        return self.values[name]

    def as_float(self, tensor: int) -> int:
        """The tensor itself, or its numbers where it holds codes."""
        grid = self.grid(tensor)
        if grid is None:
            return tensor
        if tensor not in self._floats:
            result = self.tensor(LiteTensor(self.shape(tensor), TensorType.FLOAT32))
            self.model.operators.append(LiteOperator(Code.DEQUANTIZE, (tensor,), (result,)))
            self._floats[tensor] = result
        return self._floats[tensor]

    def on_grid(self, tensor: int, grid: Quantization) -> int:
        """The tensor itself where it lies on `grid`, or its nearest codes on it."""
        if same_grid(self.grid(tensor), grid):
            return tensor
        result = self.tensor(LiteTensor(self.shape(tensor), TensorType.INT8, grid))
        self.model.operators.append(LiteOperator(Code.QUANTIZE, (tensor,), (result,)))
        return result

    # Operators

    def add(
        self,
        code: Code,
        inputs: Sequence[int],
        shape: tuple[int, ...],
        grid: Quantization | None,
        options: Options | None = None,
    ) -> int:
        """Append an operator; the number of its result, which lies on `grid` or is float where that is None."""
        result = self.tensor(LiteTensor(shape, TensorType.FLOAT32 if grid is None else TensorType.INT8, grid))
        self.model.operators.append(LiteOperator(code, tuple(inputs), (result,), options))
        return result

    def settle(self, name: str, tensor: int, *, flattened: bool = False) -> None:
        """Let `tensor` hold the value `name`, brought to the grid that the ONNX graph puts it on."""
        grid = self.view.grids.get(name)
        if grid is not None:
            moved = self.on_grid(tensor, grid)
            if tensor in self.nonnegative:
                self.nonnegative.add(moved)
            tensor = moved
        self.values[name] = Value(tensor, flattened)

    def ending(self, node: onnx.NodeProto) -> tuple[str, Activation]:
        """The value that an operator with a fused activation gives, and that activation.

        In float a ReLU behind the node becomes part of it. On a grid that begins at 0 it is already; a value that was
        moved to another grid is clipped.
        """
        name = node.output[0]
        if name in self.view.clipped_at_zero:
            return name, Activation.RELU
        relu = self.view.relu_after(name)
        if relu is None:
            return name, Activation.NONE
        self.skipped.add(relu.output[0])
        return relu.output[0], Activation.RELU6 if self.view.relu_kind(relu) == "relu6" else Activation.RELU

    def finish(self, name: str, tensor: int, activation: Activation, *, flattened: bool = False) -> None:
        """`settle` the result of an operator with this activation."""
        grid = self.grid(tensor)
        if activation or (grid is not None and int(grid.zero_points[0]) == LOWEST_CODE):
            self.nonnegative.add(tensor)
        self.settle(name, tensor, flattened=flattened)

    def map_shape(self, name: str) -> tuple[int, ...]:
        """The shape of an ONNX value with its channels last."""
        shape = self.view.shapes[name]
        return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape


def same_grid(a: Quantization | None, b: Quantization | None) -> bool:
    """Whether two tensors' codes mean the same numbers."""
    if a is None or b is None:
        return a is b
    return bool(np.array_equal(a.scales, b.scales) and np.array_equal(a.zero_points, b.zero_points))


def refused(node: onnx.NodeProto, why: str) -> UserError:
    """The error for a node that has no translation."""
    return UserError(
        "this network cannot become a LiteRT file",
        f"its operator {node.op_type!r} (which gives {node.output[0]!r}) has no translation: {why}",
        "ship the ONNX file, or change that layer",
    )
