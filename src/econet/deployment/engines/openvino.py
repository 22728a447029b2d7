"""Files in OpenVINO: an intermediate representation (`.xml` with its `.bin`) and a sidecar, or EcoNet's ONNX files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.deployment.engines.onnx_runtime import OnnxFile, check_ends
from econet.deployment.graph import LayerSummary
from econet.deployment.graph_writer import INPUT, OUTPUT
from econet.deployment.metadata import Metadata
from econet.deployment.model_file import read_content
from econet.deployment.sidecar import InputTensor, OutputTensor, Sidecar, read_sidecar
from econet.errors import UserError, one_line
from econet.images.preprocess import Pixels, Preprocess
from econet.runs.confidence_records import Confidence


class OpenVinoEngine:
    """A compiled model on the CPU, in float32 or integers, never in bfloat16. Images are turned to [N, C, H, W]."""

    name = "openvino"

    def __init__(self, model: bytes, weights: bytes, *, threads: int, batch: int | None) -> None:
        runtime = _runtime()
        self.version, self.threads = str(runtime.__version__).split("-")[0], threads
        core = runtime.Core()
        network = core.read_model(model, weights)
        if batch is not None:
            sizes = [size.get_length() for size in list(network.input(INPUT).partial_shape)[1:]]
            network.reshape({INPUT: [batch, *sizes]})
        # (C, H, W) of one image, and how many logits there are.
        self.image = tuple(size.get_length() for size in list(network.input(INPUT).partial_shape)[1:])
        self.classes = int(list(network.output(OUTPUT).partial_shape)[-1].get_length())
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._request = core.compile_model(network, "CPU", settings).create_infer_request()

    def logits(self, images: Pixels) -> NDArray[np.float32]:
        """Logits [N, K] of uint8 [N, H, W, C]."""
        return np.array(self._request.infer({INPUT: _turned(images)})[OUTPUT], np.float32)

    def call(self, images: Pixels) -> Callable[[], object]:
        """A call of the compiled model on these images."""
        return partial(self._request.infer, {INPUT: _turned(images)})


class OpenVinoFile:
    """An `.xml` with the `.bin` of the same name and a sidecar. Raises UserError where one is absent or wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._model, self._weights = read_content(path), read_content(path.with_suffix(".bin"))
        self._sidecar = read_sidecar(path, self._model + self._weights, _suggestion(path))

    @property
    def metadata(self) -> Metadata:
        """Name, classes, preprocessing and precision, from the sidecar."""
        return self._sidecar.metadata

    @property
    def confidence(self) -> Confidence | None:
        """Its temperature and thresholds, from the sidecar; None where that has none."""
        return self._sidecar.confidence

    def engine(self, *, threads: int = 1, batch: int | None = None) -> OpenVinoEngine:
        """Open it in OpenVINO. Raises UserError where that is not installed or cannot run the file."""
        return _opened(self.path, self._model, self._weights, self.metadata, threads=threads, batch=batch)

    def layers(self) -> list[LayerSummary]:
        """None: the format merges layers; the ONNX file that it was made from has them."""
        return []

    def macs(self) -> int:
        """MACs of the graph it was made from. Raises UserError where its sidecar does not say."""
        return self._sidecar.count("macs", self.path)

    def parameters(self) -> int:
        """Weights and biases of the graph it was made from. Raises UserError where its sidecar does not say."""
        return self._sidecar.count("parameters", self.path)


class OnnxInOpenVino(OnnxFile):
    """An `.onnx` file of EcoNet's that OpenVINO runs. Raises UserError as OnnxFile does."""

    def engine(self, *, threads: int = 1, batch: int | None = None) -> OpenVinoEngine:
        """Open it in OpenVINO. Raises UserError where that is not installed or cannot run the file."""
        check_ends(self.model, self.metadata, self.path)
        return _opened(self.path, self.content, b"", self.metadata, threads=threads, batch=batch)


def _opened(
    path: Path, model: bytes, weights: bytes, metadata: Metadata, *, threads: int, batch: int | None
) -> OpenVinoEngine:
    """The file at `path`, whose contents these are, open in OpenVINO.

    Raises UserError where that does not go, and where its ends are not those that its metadata promise.
    """
    try:
        engine = OpenVinoEngine(model, weights, threads=threads, batch=batch)
    except RuntimeError as error:
        raise UserError(
            f"OpenVINO cannot run {path}", one_line(error), "export it again with `econet export`"
        ) from error
    record = metadata.preprocess
    promised = ((record.channels, *record.image_size), len(metadata.classes))
    if (engine.image, engine.classes) != promised:
        raise UserError(
            f"{path} does not fit what is said of it",
            f"it takes images of {engine.image} and gives {engine.classes} logits, and its metadata say {promised[0]} "
            f"and {promised[1]} classes",
            "correct its sidecar, or export it again with `econet export`",
        )
    return engine


def _runtime() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise UserError(
            "OpenVINO is not installed", "it is what this file was to be run by", 'pip install "econet[openvino]"'
        ) from error
    return openvino


def _turned(images: Pixels) -> Pixels:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def _suggestion(path: Path) -> Sidecar:
    """What a sidecar looks like; an `.xml` of our own export takes uint8 pixels and scales them itself."""
    return Sidecar(
        name=path.stem,
        classes=("class 0", "class 1"),
        preprocess=Preprocess(image_size=(32, 32), channels=3, resize_size=(32, 32), offset=0, scale=1.0),
        precision="fp32",
        input=InputTensor(type="uint8", layout="NCHW", scale=1.0, zero_point=0),
        output=OutputTensor(type="float32", holds="logits"),
    )
