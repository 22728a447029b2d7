"""An artifact's ONNX graph as a translator needs it: constants with their grids, who reads what, shapes."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from econet.deployment.graph import tensor_shapes
from econet.deployment.graph_writer import OUTPUT
from econet.deployment.targets.litert.schema import Quantization

_FROM_UINT8 = 128
# Operators whose integer form can put its result on any grid.
_REGRIDDED = ("Conv", "Gemm", "MatMul", "Add", "GlobalAveragePool")


@dataclass(frozen=True, slots=True)
class QuantizedConstant:
    """Integer codes and the grid they lie on."""

    codes: NDArray[Any]
    quantization: Quantization

    @property
    def values(self) -> NDArray[np.float32]:
        """The numbers that the codes stand for."""
        grid = self.quantization
        shape = [1] * self.codes.ndim
        if grid.scales.size > 1:
            shape[grid.axis] = -1
        shifted = self.codes.astype(np.float64) - grid.zero_points.reshape(shape)
        return (shifted * grid.scales.reshape(shape)).astype(np.float32)


class OnnxView:
    """The nodes of an artifact without its quantizers, whose grids are found by the tensors' names.

    A grid is that of int8 codes: uint8 ones and their zero point are moved down by 128.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.shapes = tensor_shapes(model)
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.quantized: dict[str, QuantizedConstant] = {}
        self.grids: dict[str, Quantization] = {}
        self.clipped_at_zero: set[str] = set()
        self.nodes: list[onnx.NodeProto] = []
        self._same: dict[str, str] = {}
        for node in model.graph.node:
            self._take(node)
        self.readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in self.nodes:
            for name in self.inputs(node):
                self.readers[name].append(node)
        self._join_grids()

    def inputs(self, node: onnx.NodeProto) -> list[str]:
        """The inputs of a node, each by the name of the tensor before its quantizers."""
        return [self._same.get(name, name) for name in node.input]

    def is_constant(self, name: str) -> bool:
        """Whether a tensor is known before any image is."""
        return name in self.constants or name in self.quantized

    def values(self, name: str) -> NDArray[Any]:
        """A constant as numbers, dequantized where it lies on a grid."""
        return self.quantized[name].values if name in self.quantized else self.constants[name]

    def _take(self, node: onnx.NodeProto) -> None:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            self.nodes.append(node)
            return
        source, target = self._same.get(node.input[0], node.input[0]), node.output[0]
        if node.op_type == "DequantizeLinear" and source in self.constants:
            codes = self.constants[source]
            self.quantized[target] = QuantizedConstant(codes, self._grid(node, codes.dtype))
            return
        kind = self.constants[node.input[2]].dtype
        # A tensor's first grid is its own; quantizers of the same value behind it say the same again.
        self.grids.setdefault(source, self._grid(node, kind))
        self._same[target] = source

    def _grid(self, node: onnx.NodeProto, kind: np.dtype[Any]) -> Quantization:
        scales = np.atleast_1d(self.constants[node.input[1]]).astype(np.float32)
        zero = np.atleast_1d(self.constants[node.input[2]]) if len(node.input) > 2 else np.zeros(scales.size, np.int64)
        shift = _FROM_UINT8 if kind == np.uint8 else 0
        axis = attribute(node, "axis", 1) if scales.size > 1 else 0
        return Quantization(scales, zero.astype(np.int64) - shift, axis)

    def _join_grids(self) -> None:
        """Let what a Concat joins be computed on its result's grid, where nothing else reads it: one rounding less."""
        makers = {node.output[0]: node for node in self.nodes}
        for node in self.nodes:
            joined = self.grids.get(node.output[0])
            if node.op_type != "Concat" or joined is None:
                continue
            for name in self.inputs(node):
                maker = makers.get(name)
                if maker is not None and maker.op_type in _REGRIDDED and len(self.readers[name]) == 1:
                    if name in self.grids and int(self.grids[name].zero_points[0]) == -_FROM_UINT8:
                        self.clipped_at_zero.add(name)
                    self.grids[name] = joined

    def relu_after(self, name: str) -> onnx.NodeProto | None:
        """The ReLU or ReLU6 that alone reads a tensor that is neither quantized nor the output, if there is one."""
        readers = self.readers[name]
        if len(readers) != 1 or name in self.grids or name == OUTPUT:
            return None
        return readers[0] if self.relu_kind(readers[0]) is not None else None

    def relu_kind(self, node: onnx.NodeProto) -> str | None:
        """ "relu" for a ReLU (or a Clip that only cuts below 0), "relu6" for a Clip to 0..6, None for all else."""
        if node.op_type == "Relu":
            return "relu"
        if node.op_type != "Clip" or any(name and name not in self.constants for name in node.input[1:]):
            return None
        low, high = [*(float(self.constants[name]) if name else None for name in node.input[1:]), None, None][:2]
        unbounded = high is None or high >= float(np.finfo(np.float32).max)
        return ("relu" if unbounded else "relu6" if high == 6 else None) if low == 0 else None


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """An attribute of a node, `default` where it has none of that name."""
    for each in node.attribute:
        if each.name == name:
            return helper.get_attribute_value(each)
    return default
