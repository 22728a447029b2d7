"""The formats beyond ONNX, by name."""

from econet.deployment.targets.c_array import make_c_array
from econet.deployment.targets.executorch.artifact import make_executorch
from econet.deployment.targets.litert.artifact import make_litert
from econet.deployment.targets.openvino import make_openvino
from econet.deployment.targets.target import Target

TARGETS = {
    target.format: target
    for target in (
        Target("litert", "ai_edge_litert", "litert", make_litert),
        Target("openvino", "openvino", "openvino", make_openvino),
        Target("executorch", "executorch", "executorch", make_executorch),
        Target("c", "ai_edge_litert", "litert", make_c_array),
    )
}
