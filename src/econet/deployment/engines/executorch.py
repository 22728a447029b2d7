""".pte files in ExecuTorch with XNNPACK, one image a call. What the ends mean is said by the sidecar."""

# The extra is not among those of development.
# pyright: reportMissingImports=false

import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.deployment.engines.litert import input_codes, logits_of, silent
from econet.deployment.graph import LayerSummary
from econet.deployment.metadata import Metadata
from econet.deployment.model_file import read_content
from econet.deployment.sidecar import InputTensor, OutputTensor, Sidecar, read_sidecar
from econet.errors import UserError
from econet.images.preprocess import Pixels, Preprocess
from econet.runs.confidence_records import Confidence

_IDENTIFIER = b"ET12"


class ExecuTorchEngine:
    """A program's `forward`, loaded. Pixels become numbers by a table of 256, images [1, C, H, W]."""

    name = "executorch"

    def __init__(self, content: bytes, sidecar: Sidecar, *, threads: int) -> None:
        runtime, library, self._torch = _runtime()
        self.version, self.threads, self._sidecar = version("executorch"), threads, sidecar
        with silent():
            # The pool of threads is the process's own, whatever the program.
            library._unsafe_reset_threadpool(threads)
            self._program = runtime.get().load_program(content)
            self._method = self._program.load_method("forward")
        self._codes = input_codes(sidecar)

    def logits(self, images: Pixels) -> NDArray[np.float32]:
        """Logits [N, K] of uint8 [N, H, W, C], one image after the other."""
        answers = [np.array(self._method.execute([single])[0].numpy()[0]) for single in self._inputs(images)]
        return logits_of(np.stack(answers), self._sidecar.output)

    def call(self, images: Pixels) -> Callable[[], object]:
        """A call for each of these images."""
        singles = self._inputs(images)
        return lambda: [self._method.execute([single])[0].numpy() for single in singles]

    def _inputs(self, images: Pixels) -> list[Any]:
        ordered = np.ascontiguousarray(self._codes[images.transpose(0, 3, 1, 2)])
        return [self._torch.from_numpy(ordered[index : index + 1]) for index in range(len(images))]


class ExecuTorchFile:
    """A `.pte` file with its sidecar. Raises UserError where it is absent, no program, or has no sidecar that fits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = read_content(path)
        if self._content[4:8] != _IDENTIFIER:
            raise UserError(
                f"{path} is not an ExecuTorch program",
                "its bytes 5 to 8 are not the format's sign",
                "restore the file from a copy, or export it again",
            )
        self._sidecar = read_sidecar(path, self._content, _suggestion(path))

    @property
    def metadata(self) -> Metadata:
        """Name, classes, preprocessing and precision, from the sidecar."""
        return self._sidecar.metadata

    @property
    def confidence(self) -> Confidence | None:
        """Its temperature and thresholds, from the sidecar; None where that has none."""
        return self._sidecar.confidence

    def engine(self, *, threads: int = 1, batch: int | None = None) -> ExecuTorchEngine:
        """Open it, whatever the batch: a file takes one image at a time.

        Raises UserError where ExecuTorch is not installed or cannot run the file.
        """
        del batch
        try:
            return ExecuTorchEngine(self._content, self._sidecar, threads=threads)
        except RuntimeError as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"ExecuTorch cannot run {self.path}", reason, "export the run again") from error

    def layers(self) -> list[LayerSummary]:
        """None: what XNNPACK computes is closed; the ONNX file that it was made from has the layers."""
        return []

    def macs(self) -> int:
        """MACs of the graph it was made from. Raises UserError where its sidecar does not say."""
        return self._sidecar.count("macs", self.path)

    def parameters(self) -> int:
        """Weights and biases of the graph it was made from. Raises UserError where its sidecar does not say."""
        return self._sidecar.count("parameters", self.path)


def _runtime() -> tuple[Any, Any, Any]:
    """ExecuTorch's Runtime, its library, and torch, whose tensors it takes."""
    try:
        with silent(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            from executorch.extension.pybindings import portable_lib
            from executorch.runtime import Runtime

            import_module("executorch.kernels.quantized")  # brings the kernels of what stays outside XNNPACK
    except ImportError as error:
        raise UserError(
            "ExecuTorch is not installed", "it is what runs .pte files", 'pip install "econet[executorch]"'
        ) from error
    return Runtime, portable_lib, torch


def _suggestion(path: Path) -> Sidecar:
    """What a sidecar looks like."""
    return Sidecar(
        name=path.stem,
        classes=("class 0", "class 1"),
        preprocess=Preprocess(image_size=(32, 32), channels=3, resize_size=(32, 32), offset=0, scale=1.0),
        precision="fp32",
        input=InputTensor(type="float32", layout="NCHW"),
        output=OutputTensor(type="float32", holds="logits"),
    )
