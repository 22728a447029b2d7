"""Looking inside a file: the float tensors between its layers, as ONNX Runtime computes them."""

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from econet.deployment.session import open_session, run_session
from econet.images.preprocess import Pixels

Floats = NDArray[np.float32]


def intermediate_values(model: onnx.ModelProto, images: Pixels, batch: int = 50) -> Iterator[dict[str, Floats]]:
    """For each batch of `images`, uint8 [N, C, H, W]: every float tensor that a node of `model` makes, by name."""
    names, exposed = _with_float_outputs(model)
    session = open_session(exposed.SerializeToString())
    for start in range(0, len(images), batch):
        values = run_session(session, names, images[start : start + batch])
        yield dict(zip(names, values, strict=True))


def _with_float_outputs(model: onnx.ModelProto) -> tuple[list[str], onnx.ModelProto]:
    """The float tensors that nodes of `model` make, and a copy that gives them all."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    made = {name for node in model.graph.node for name in node.output}
    kinds = {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info}
    kinds.update({value.name: value.type.tensor_type.elem_type for value in inferred.graph.output})
    names = [name for name, kind in kinds.items() if kind == TensorProto.FLOAT and name in made]
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.output[:]
    for name in names:
        result.graph.output.add(name=name).type.tensor_type.elem_type = TensorProto.FLOAT
    return names, result
