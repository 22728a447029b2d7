"""ONNX files in ONNX Runtime."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from econet.deployment import graph
from econet.deployment.confidence import read_confidence
from econet.deployment.engines.engine import Engine
from econet.deployment.graph_writer import INPUT, OUTPUT
from econet.deployment.metadata import Metadata, read_metadata
from econet.deployment.model_file import read_model_bytes
from econet.deployment.session import open_session, run_session
from econet.errors import UserError, one_line
from econet.images.preprocess import Pixels
from econet.runs.confidence_records import Confidence


class OnnxEngine:
    """A session. Images are turned to [N, C, H, W] on the way in."""

    name = "onnxruntime"
    version = ort.__version__

    def __init__(self, content: bytes, *, threads: int, batch: int | None) -> None:
        self.threads = threads
        dimensions = None if batch is None else {"N": batch}
        self._session = open_session(content, threads=threads, dimensions=dimensions)

    def logits(self, images: Pixels) -> NDArray[np.float32]:
        """Logits [N, K] of uint8 [N, H, W, C]."""
        return run_session(self._session, [OUTPUT], images.transpose(0, 3, 1, 2))[0]

    def call(self, images: Pixels) -> Callable[[], object]:
        """A call of the session on these images."""
        given = {INPUT: np.ascontiguousarray(images.transpose(0, 3, 1, 2))}
        return partial(self._session.run, None, given)


class OnnxFile:
    """An `.onnx` file of EcoNet's, checked. Raises UserError where it is none, damaged, or belies its metadata."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model, self.content = read_model_bytes(path)
        self.metadata: Metadata = read_metadata(self.model, path)
        self.confidence: Confidence | None = read_confidence(self.model, path)

    def engine(self, *, threads: int = 1, batch: int | None = None) -> Engine:
        """Open it in ONNX Runtime. Raises UserError where that cannot run it or its ends are not as promised."""
        check_ends(self.model, self.metadata, self.path)
        record = self.metadata.preprocess
        try:
            engine = OnnxEngine(self.content, threads=threads, batch=batch)
            # Some faults of a file show only when it runs: one answer to a black picture.
            answer = engine.logits(np.zeros((batch or 1, *record.image_size, record.channels), np.uint8))
        except Exception as error:  # the runtime has no common class for what it finds wrong with a file
            raise _cannot_run(self.path, one_line(error)) from error
        if answer.shape != (batch or 1, len(self.metadata.classes)) or answer.dtype != np.float32:
            raise _cannot_run(self.path, f"it gives an answer of shape {list(answer.shape)} and type {answer.dtype}")
        return engine

    def layers(self) -> list[graph.LayerSummary]:
        """The layers in the order of the graph. Raises UserError where sizes do not follow from it."""
        return graph.layers(self.path)

    def macs(self) -> int:
        """MACs of one image. Raises UserError where sizes do not follow from the graph."""
        return graph.macs(self.model)

    def parameters(self) -> int:
        """Weights and biases in the file."""
        return graph.parameters(self.model)


def _cannot_run(path: Path, why: str) -> UserError:
    return UserError(f"ONNX Runtime cannot run {path}", why, "export it again with `econet export`")


def check_ends(model: onnx.ModelProto, metadata: Metadata, path: Path) -> None:
    """Input and output must be those that the metadata promise. Raises UserError."""
    record = metadata.preprocess
    ends = (*model.graph.input, *model.graph.output)
    found = [(each.name, [size.dim_value for size in each.type.tensor_type.shape.dim[1:]]) for each in ends]
    promised = [(INPUT, [record.channels, *record.image_size]), (OUTPUT, [len(metadata.classes)])]
    if found != promised:
        raise UserError(
            f"{path} does not fit its own metadata",
            f"its graph has {found}, and its metadata say {promised}",
            "export it again with `econet export`",
        )
