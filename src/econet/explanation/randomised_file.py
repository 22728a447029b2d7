"""An artifact that forgot what it learned, from its last layer backwards: its weights, shuffled. No torch.

Shuffled, each tensor keeps its values and so its scale and range; only which weight stands where is lost.
Source: Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3.1, cascading randomisation.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from econet.deployment.engines.onnx_runtime import OnnxEngine
from econet.deployment.model_file import read_model
from econet.errors import UserError
from econet.explanation.question import Answer
from econet.statistics.streams import stream_seed


def forgetful_files(path: Path, *, seed: int) -> Iterator[tuple[str, Answer]]:
    """Each weight's name, from the last one to the first, and how the file answers without it and all behind it.

    Raises UserError where `path` is no ONNX file or has no weights.
    """
    if path.suffix != ".onnx":
        raise UserError(f"the weights of {path} cannot be shuffled", "only those of an ONNX file can", "the ONNX file")
    model = read_model(path)
    names = weights_in_order(model)
    if not names:
        raise UserError(f"{path} has no weights to shuffle", "its graph holds no tensor of rank 2 or more", "a network")
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    random = np.random.default_rng(stream_seed(seed, "forget"))
    for name in reversed(names):
        values = numpy_helper.to_array(tensors[name])
        shuffled = random.permutation(values.ravel()).reshape(values.shape)
        tensors[name].CopyFrom(numpy_helper.from_array(shuffled, name))
        yield name, OnnxEngine(model.SerializeToString(), threads=1, batch=None).logits


def weights_in_order(model: onnx.ModelProto) -> list[str]:
    """The constants of rank 2 or more that hold numbers to compute with, in the order in which the graph reads them."""
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    weights = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) > 1 and tensor.data_type in kinds}
    read = (name for node in model.graph.node for name in node.input if name in weights)
    return list(dict.fromkeys(read))
