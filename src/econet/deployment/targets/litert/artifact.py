"""The .tflite artifact: file and sidecar."""

import onnx

from econet.deployment.engines.tflite_graph import Tensor, read_graph
from econet.deployment.metadata import read_metadata
from econet.deployment.sidecar import InputTensor, Number, OutputTensor
from econet.deployment.targets.litert.translation import to_tflite
from econet.deployment.targets.target import SOURCE, LogitsRange, TargetFiles, sidecar_for


def make_litert(model: onnx.ModelProto, logits_range: LogitsRange, stem: str) -> TargetFiles:
    """The .tflite file of an artifact; int8 in and out where that is int8. Raises UserError as `to_tflite` does."""
    del stem
    content = to_tflite(model, logits_range if read_metadata(model, SOURCE).precision == "int8" else None)
    graph = read_graph(content)
    given, answer = graph.tensors[graph.input], graph.tensors[graph.output]
    sidecar = sidecar_for(
        model,
        content,
        InputTensor(type=_number(given), layout="NHWC", scale=_scale(given), zero_point=_zero_point(given)),
        OutputTensor(type=_number(answer), holds="logits", scale=_scale(answer), zero_point=_zero_point(answer)),
        countable=True,
    )
    return TargetFiles({".tflite": content}, sidecar, len(content))


def _number(tensor: Tensor) -> Number:
    match tensor.type:
        case "int8" | "uint8":
            return tensor.type
        case _:
            return "float32"


def _scale(tensor: Tensor) -> float | None:
    return float(tensor.scales[0]) if len(tensor.scales) else None


def _zero_point(tensor: Tensor) -> int | None:
    return int(tensor.zero_points[0]) if len(tensor.zero_points) else None
