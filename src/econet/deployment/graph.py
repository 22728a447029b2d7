"""Counting an artifact from its own graph: MACs, parameters and the layers to look at. No torch."""

import itertools
import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from econet.deployment.model_file import read_model
from econet.errors import UserError

__all__ = ["LayerKind", "LayerSummary", "baked_scaling", "layers", "macs", "parameters", "read_model", "tensor_shapes"]

LayerKind = Literal["conv", "depthwise", "pointwise", "dense", "pool", "mean"]
_Shape = tuple[int, ...]
_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")
_SCALING = ("Cast", "Sub", "Mul", *_QUANTIZERS)
_PARAMETER_TYPES = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.DOUBLE,
    TensorProto.INT8,
    TensorProto.UINT8,
    TensorProto.INT32,
)


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """One layer of an artifact at batch 1: its output's channels and size, what it holds and computes."""

    name: str
    kind: LayerKind
    channels: int
    height: int
    width: int
    parameters: int
    macs: int


def macs(model: onnx.ModelProto) -> int:
    """Multiply-accumulates of convolutions and matrix products for one image.

    Raises UserError where the sizes of the tensors do not follow from the graph.
    """
    with _countable():
        shapes = tensor_shapes(model)
        return sum(_node_macs(node, shapes) for node in model.graph.node)


def parameters(model: onnx.ModelProto) -> int:
    """Weights and biases in the file: constants of rank 1 or more, but for scales, zero points, shapes, mean images."""
    scaling = {name for node in model.graph.node if node.op_type in _QUANTIZERS for name in node.input[1:]}
    aside = scaling | _mean_images(model)
    return sum(
        math.prod(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.dims and tensor.data_type in _PARAMETER_TYPES and tensor.name not in aside
    )


def layers(path: Path) -> list[LayerSummary]:
    """The layers of an artifact in the order of its graph. Raises UserError where it cannot be read."""
    model = read_model(path)
    with _countable():
        return _layers(model)


def _layers(model: onnx.ModelProto) -> list[LayerSummary]:
    shapes = tensor_shapes(model)
    origin = _dequantized(model)
    constants = {tensor.name for tensor in model.graph.initializer}
    found: list[LayerSummary] = []
    seen: dict[str, int] = {}
    for node in model.graph.node:
        kind = _kind(node, shapes)
        if kind is None:
            continue
        seen[kind] = seen.get(kind, 0) + 1
        _, channels, height, width = (*shapes[node.output[0]], 1, 1, 1)[:4]
        held = [name for name in node.input[1:3] if origin.get(name, name) in constants]
        count = 0 if kind in ("pool", "mean") else sum(math.prod(shapes[name]) for name in held)
        work = _node_macs(node, shapes)
        found.append(LayerSummary(f"{kind} {seen[kind]}", kind, channels, height, width, count, work))
    return found


def baked_scaling(model: onnx.ModelProto) -> tuple[float, float] | None:
    """(offset, scale) of `x = (pixel - offset) * scale` as the graph computes it; None where it begins otherwise."""
    constants = {
        tensor.name: float(numpy_helper.to_array(tensor))
        for tensor in model.graph.initializer
        if not tensor.dims and tensor.data_type in _PARAMETER_TYPES
    }
    following = _path_from_input(model)
    first = next(following, None)
    if first is None:
        return None
    if first.op_type == "DequantizeLinear":
        scale, offset = first.input[1], first.input[2] if len(first.input) > 2 else ""
        return (constants[offset], constants[scale]) if scale in constants and offset in constants else None
    minus, times = next(following, None), next(following, None)
    if minus is None or times is None or (first.op_type, minus.op_type, times.op_type) != ("Cast", "Sub", "Mul"):
        return None
    if minus.input[1] not in constants or times.input[1] not in constants:
        return None
    return constants[minus.input[1]], constants[times.input[1]]


def _mean_images(model: onnx.ModelProto) -> set[str]:
    """What is subtracted from the pixels before the first layer: taken from images, not learned."""
    scalings = itertools.takewhile(lambda node: node.op_type in _SCALING, _path_from_input(model))
    return {node.input[1] for node in scalings if node.op_type == "Sub"}


@contextmanager
def _countable() -> Generator[None]:
    """Turn what a graph without known sizes runs into, in here, into the error that says so."""
    try:
        yield
    except (KeyError, IndexError, ValueError, onnx.shape_inference.InferenceError) as error:
        raise UserError(
            "the computation of a file cannot be counted",
            f"the size of a tensor does not follow from its graph ({str(error).splitlines()[0]})",
            "export the network with fixed image sizes",
        ) from error


def _path_from_input(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """The nodes after the input as long as one node alone reads the tensor before."""
    tensor = model.graph.input[0].name
    while True:
        readers = [node for node in model.graph.node if tensor in node.input]
        if len(readers) != 1:
            return
        yield readers[0]
        tensor = readers[0].output[0]


def tensor_shapes(model: onnx.ModelProto) -> dict[str, _Shape]:
    """The shape of every tensor of an artifact at batch 1, constants too, by its name."""
    single = onnx.ModelProto()
    single.CopyFrom(model)
    for value in (*single.graph.input, *single.graph.output):
        batch = value.type.tensor_type.shape.dim
        if batch and batch[0].dim_param:
            batch[0].dim_value = 1
    inferred = onnx.shape_inference.infer_shapes(single, data_prop=True).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in inferred.initializer}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        shapes[value.name] = tuple(each.dim_value for each in value.type.tensor_type.shape.dim)
    return shapes


def _dequantized(model: onnx.ModelProto) -> dict[str, str]:
    """Output of each DequantizeLinear -> the tensor it reads."""
    return {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}


def _node_macs(node: onnx.NodeProto, shapes: dict[str, _Shape]) -> int:
    if node.op_type == "Conv":
        return math.prod(shapes[node.output[0]][2:]) * math.prod(shapes[node.input[1]])
    if node.op_type == "ConvTranspose":
        return math.prod(shapes[node.input[0]][2:]) * math.prod(shapes[node.input[1]])
    if node.op_type == "MatMul":
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type == "Gemm":
        inner = shapes[node.input[0]][0 if _attribute(node, "transA", 0) else 1]
        return math.prod(shapes[node.output[0]]) * int(inner)
    return 0


def _kind(node: onnx.NodeProto, shapes: dict[str, _Shape]) -> LayerKind | None:
    match node.op_type:
        case "Conv":
            inputs, weight = shapes[node.input[0]], shapes[node.input[1]]
            if weight[1] == 1 and inputs[1] > 1:
                return "depthwise"
            return "pointwise" if math.prod(weight[2:]) == 1 else "conv"
        case "Gemm" | "MatMul":
            return "dense"
        case "MaxPool" | "AveragePool":
            # A pooling that keeps the size belongs to a normalisation across channels.
            return "pool" if shapes[node.input[0]] != shapes[node.output[0]] else None
        case "GlobalAveragePool":
            return "mean"
        case _:
            return None


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    for attribute in node.attribute:
        if attribute.name == name:
            return int(np.asarray(helper.get_attribute_value(attribute)))
    return default
