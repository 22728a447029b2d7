"""Static int8: an fp32 artifact becomes a QDQ file that runtimes turn into integer kernels.

Weights are int8 per output channel, symmetric (-127..127); activations uint8, asymmetric, one range a tensor; biases
int32 on the grid input scale x weight scale. The pixels' own DequantizeLinear is the normalisation. Costs about one
point of top-1 agreement; bytes fall to a quarter. Source: Jacob et al. 2018, "Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference", sections 2 and 3.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import onnx

from econet.compression.qdq_plan import QdqPlan, Range, make_plan
from econet.compression.qdq_writer import write_qdq
from econet.deployment.intermediate import intermediate_values
from econet.deployment.metadata import Metadata, embed, read_metadata
from econet.deployment.session import open_session
from econet.deployment.strip import strip
from econet.errors import UserError
from econet.images.preprocess import Pixels

_IN_MEMORY = Path("the model in memory")


def activation_ranges(model: onnx.ModelProto, calibration: Pixels) -> dict[str, Range]:
    """Smallest and largest value of every float tensor of an fp32 artifact over `calibration`, uint8 [N, C, H, W].

    Calibrate with training images, never with those that choose or prove. Raises UserError where there are none.
    """
    if not len(calibration):
        raise UserError("cannot quantize", "no calibration images were seen", "give some training images")
    found: dict[str, Range] = {}
    for values in intermediate_values(model, calibration):
        for name, value in values.items():
            low, high = found.get(name, (np.inf, -np.inf))
            found[name] = (min(low, float(value.min())), max(high, float(value.max())))
    if not np.isfinite(list(found.values())).all():
        raise UserError("cannot quantize", "the network gives values that are not finite", "train it again")
    return found


def quantize(model: onnx.ModelProto, ranges: Mapping[str, Range]) -> onnx.ModelProto:
    """The int8 artifact of the fp32 artifact `model`; `ranges` come from `activation_ranges` of that very model.

    Conv, Gemm and MatMul with constant weights, Add and Concat of activations, pooling, and what only moves values
    (Flatten, Reshape, Slice, Gather, ...) become integer; ReLU and ReLU6 vanish into the range before them; anything
    else stays float in between.
    """
    metadata = read_metadata(model, _IN_MEMORY)
    image, classes, opset = form_of(model)
    return written(make_plan(model, metadata.preprocess, ranges), image, classes, opset, metadata)


def form_of(model: onnx.ModelProto) -> tuple[tuple[int, int, int], int, int]:
    """(C, H, W) of the images an artifact takes, its classes and its opset."""
    sides = [each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    classes = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    opset = next(each.version for each in model.opset_import if each.domain == "")
    return (sides[0], sides[1], sides[2]), classes, opset


def written(
    plan: QdqPlan, image: tuple[int, int, int], classes: int, opset: int, metadata: Metadata
) -> onnx.ModelProto:
    """The lean int8 artifact of `plan`, which is used up; it says `metadata` of itself, but for the precision."""
    result = strip(write_qdq(plan, image, classes, opset))
    embed(result, msgspec.structs.replace(metadata, precision="int8"))
    onnx.checker.check_model(result)
    return result


def float_islands(model: onnx.ModelProto) -> list[str]:
    """Operators of an int8 artifact that ONNX Runtime still computes in float, in the order they run.

    Read from the runtime's own optimised graph: whatever consumes a dequantized value is float.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        open_session(model.SerializeToString(), optimised=path)
        nodes = onnx.load(path).graph.node
    floats: set[str] = set()
    islands: list[str] = []
    for node in nodes:
        if node.op_type == "DequantizeLinear":
            floats.update(node.output)
        elif node.op_type != "QuantizeLinear" and floats.intersection(node.input):
            islands.append(node.op_type)
            floats.update(node.output)
    return islands
