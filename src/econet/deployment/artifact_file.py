"""Opening an artifact of whatever format, told by the end of its name. No torch, and no runtime before it is needed."""

from pathlib import Path

from econet.deployment.engines.engine import ArtifactFile
from econet.runs.choices import OtherRuntime


def open_artifact(path: Path, runtime: OtherRuntime | None = None) -> ArtifactFile:
    """The checked file at `path`: `.tflite` for LiteRT, `.xml` for OpenVINO and `.pte` for ExecuTorch, each with a
    sidecar beside it; anything else must be ONNX.

    With a `runtime` an ONNX file is to be run by that one instead of ONNX Runtime.
    Raises UserError where it is absent, damaged or without what tells its classes and preprocessing.
    """
    if runtime == "openvino" and path.suffix == ".onnx":
        from econet.deployment.engines.openvino import OnnxInOpenVino

        return OnnxInOpenVino(path)
    if path.suffix == ".tflite":
        from econet.deployment.engines.tflite_file import TfliteFile

        return TfliteFile(path)
    if path.suffix == ".xml":
        from econet.deployment.engines.openvino import OpenVinoFile

        return OpenVinoFile(path)
    if path.suffix == ".pte":
        from econet.deployment.engines.executorch import ExecuTorchFile

        return ExecuTorchFile(path)
    from econet.deployment.engines.onnx_runtime import OnnxFile

    return OnnxFile(path)
