"""Opening an artifact of whatever format, told by the end of its name. No torch, and no runtime before it is needed."""

from pathlib import Path

from econet.deployment.engines.engine import ArtifactFile
from econet.errors import UserError
from econet.runs.beside import runtimes_of
from econet.runs.choices import RUNTIMES, RuntimeName


def open_artifact(path: Path, runtime: RuntimeName | None = None) -> ArtifactFile:
    """The checked file at `path`: `.tflite` for LiteRT, `.xml` for OpenVINO and `.pte` for ExecuTorch, each with a
    sidecar beside it; anything else must be ONNX.

    A `runtime` is to run it instead of the format's own. Raises UserError where that one cannot, and where the file is
    absent, damaged or without what tells its classes and preprocessing.
    """
    check_runs(path, runtime)
    if path.suffix == ".tflite":
        from econet.deployment.engines.tflite_file import TfliteFile

        return TfliteFile(path)
    if path.suffix == ".xml":
        from econet.deployment.engines.openvino import OpenVinoFile

        return OpenVinoFile(path)
    if path.suffix == ".pte":
        from econet.deployment.engines.executorch import ExecuTorchFile

        return ExecuTorchFile(path)
    if runtime == "openvino":
        from econet.deployment.engines.openvino import OnnxInOpenVino

        return OnnxInOpenVino(path)
    from econet.deployment.engines.onnx_runtime import OnnxFile

    return OnnxFile(path)


def check_runs(path: Path, runtime: RuntimeName | None) -> None:
    """Raises UserError where a file of this name is nothing for the `runtime`."""
    fitting = runtimes_of(path)
    if runtime is None or runtime in fitting:
        return
    endings = " and ".join(ending for ending, runtimes in RUNTIMES.items() if runtime in runtimes)
    raise UserError(
        f"{runtime} cannot run {path}",
        f"it runs {endings} files",
        f"--runtime {' or '.join(fitting)}, or leave --runtime out",
    )
