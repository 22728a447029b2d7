"""A small ONNX graph, written node by node."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from econet.images.preprocess import Preprocess

# Opset 17 with IR 8 is what the widest range of runtimes reads; per-channel QuantizeLinear needs 13.
OPSET = 17
IR_VERSION = 8
INPUT = "image"
OUTPUT = "logits"


class GraphWriter:
    """Collects nodes and constants; every tensor gets a fresh name that stripping makes short."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._scalars: dict[tuple[str, bytes], str] = {}

    def constant(self, values: NDArray[Any] | np.generic) -> str:
        """The name of a constant; equal scalars are kept once."""
        array = np.asarray(values)
        key = (array.dtype.str, array.tobytes())
        if array.ndim == 0 and key in self._scalars:
            return self._scalars[key]
        name = f"_constant{len(self._constants)}"
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        if array.ndim == 0:
            self._scalars[key] = name
        return name

    def add(self, operator: str, inputs: Iterable[str], output: str | None = None, **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        name = f"_tensor{len(self.nodes)}" if output is None else output
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def add_many(self, operator: str, inputs: Iterable[str], outputs: int, **attributes: Any) -> list[str]:
        """Append a node of several outputs and return their names."""
        names = [f"_tensor{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    def model(
        self,
        image: tuple[int, int, int],
        classes: int,
        opset: int = OPSET,
        weights: Iterable[onnx.TensorProto] = (),
    ) -> onnx.ModelProto:
        """The finished model: `image` uint8 [N, C, H, W] in, `logits` float32 [N, classes] out.

        `weights` are constants that nodes name already.
        """
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", *image])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", classes])],
            [*self._constants.values(), *weights],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)


def write_scaling(writer: GraphWriter, preprocess: Preprocess, pixels: str) -> str:
    """`(pixel - offset) * scale` as float32 of the uint8 tensor `pixels`; the name of the result."""
    x = writer.add("Cast", [pixels], to=TensorProto.FLOAT)
    x = writer.add("Sub", [x, writer.constant(np.float32(preprocess.offset))])
    return writer.add("Mul", [x, writer.constant(np.float32(preprocess.scale))])
