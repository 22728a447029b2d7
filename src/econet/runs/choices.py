"""What a person may choose among in training, each list in one place; light enough for the terminal's help."""

from typing import Literal

from econet.runs.record import Record

OptimizerName = Literal["sgd", "adamw", "muon", "sgd-2012"]
ScheduleName = Literal["one-cycle", "cosine", "steps", "plateau"]
Augment = Literal["none", "light", "standard", "strong", "rich"]
DistilLoss = Literal["kl", "mse"]
Importance = Literal["magnitude", "taylor", "norm-scale"]
ColourReading = Literal["std", "eig01", "eig255"]


class ColourNoise(Record, frozen=True, kw_only=True):
    """Noise along the pixels' principal colours: its reading, and up to which share of training it is on.

    While it is on, the picture less its mean is divided by `divisor` (the original code's 1.1).
    """

    reading: ColourReading
    divisor: float = 1.0
    until: float = 1.0


Format = Literal["onnx", "litert", "openvino", "executorch", "c"]
RuntimeName = Literal["onnxruntime", "openvino", "litert", "executorch"]
# What runs a file, by the ending of its name: the format's own runtime first. Any other ending stands for ONNX.
RUNTIMES: dict[str, tuple[RuntimeName, ...]] = {
    ".onnx": ("onnxruntime", "openvino"),
    ".tflite": ("litert",),
    ".xml": ("openvino",),
    ".pte": ("executorch",),
}
# Runtimes that an ONNX file can be proven in beside ONNX Runtime.
OtherRuntime = Literal["openvino"]
ExplainMethod = Literal["masks", "occlusion", "grad-cam"]
