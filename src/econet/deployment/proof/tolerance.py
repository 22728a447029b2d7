"""By how much another right runtime may differ, measured on the file itself."""

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from econet.deployment.engines.engine import ArtifactFile
from econet.deployment.engines.onnx_runtime import OnnxFile
from econet.deployment.graph_writer import INPUT, OUTPUT
from econet.images.preprocess import Pixels

Floats = NDArray[np.float32]

# fp32: so many times what another order of the sums changes, within these shares of the logits' range; the larger one
# is the limit of parity.
_SUMS, _LEAST_SHARE, _MOST_SHARE = 10.0, 1e-4, 1e-3
# int8: runtimes fuse and round activations at other places, each right in itself. What rounding as a whole moves the
# logits by bounds that: the root mean square over the photos, and two output steps at least. (Over 500 test images of
# the shipped Fashion-MNIST file ONNX Runtime and OpenVINO lie 2.1 steps apart, 6.3 at most; rounding moves it by 9.)
_LEAST_STEPS = 2.0
# Of formats whose graph is not open here.
_STEPS = 4.0
_CODES = 255


def runtime_tolerance(file: ArtifactFile, logits: Floats, inputs: Pixels) -> Floats:
    """[N]: how far logits [N, K] of these uint8 inputs [N, h, w, C] may lie apart in another right runtime."""
    span = float(np.ptp(logits)) or 1.0
    if file.metadata.precision == "int8":
        steps = _STEPS * span / _CODES
        if isinstance(file, OnnxFile):
            smooth = np.abs(logits - _run(without_rounding(file.model), inputs)).max(axis=1)
            steps = max(_LEAST_STEPS * span / _CODES, float(np.sqrt((smooth**2).mean())))
        return np.full(len(logits), steps, np.float32)
    plain = _run(file.model, inputs) if isinstance(file, OnnxFile) else logits
    changed = np.abs(logits - plain).max(axis=1)
    return (_SUMS * changed).clip(_LEAST_SHARE * span, _MOST_SHARE * span).astype(np.float32)


def without_rounding(model: onnx.ModelProto) -> onnx.ModelProto:
    """The QDQ graph with its activations clipped to their ranges, as before, but not rounded to codes."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    rounded = {node.output[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            continue
        before = rounded.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if before is None:
            nodes.append(node)
            continue
        ends = [f"{node.output[0]}_{end}" for end in ("low", "high")]
        for name, value in zip(ends, _range(constants, before), strict=True):
            graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
        nodes.append(helper.make_node("Clip", [before.input[0], *ends], list(node.output)))
    del graph.node[:]
    graph.node.extend(nodes)
    return result


def _range(constants: dict[str, onnx.TensorProto], node: onnx.NodeProto) -> tuple[float, float]:
    """The smallest and the largest value that the codes of a QuantizeLinear stand for."""
    scale = float(numpy_helper.to_array(constants[node.input[1]]))
    zero = numpy_helper.to_array(constants[node.input[2]]) if len(node.input) > 2 else np.array(0, np.uint8)
    codes = np.iinfo(zero.dtype)
    return (codes.min - int(zero)) * scale, (codes.max - int(zero)) * scale


def _run(model: onnx.ModelProto, inputs: Pixels) -> Floats:
    """Logits [N, K] of the graph as it is written, without any fused kernel."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = np.ascontiguousarray(inputs.transpose(0, 3, 1, 2))
    return np.asarray(session.run([OUTPUT], {INPUT: given})[0], np.float32)
