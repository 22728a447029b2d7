"""What a file of any format offers, and the runtime that has it open. Every measurement goes through these two."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from econet.deployment.graph import LayerSummary
from econet.deployment.metadata import Metadata
from econet.images.preprocess import Pixels
from econet.runs.confidence_records import Confidence


class Engine(Protocol):
    """A runtime with one network open."""

    @property
    def name(self) -> str:
        """The runtime as a benchmark's record names it, such as `onnxruntime`."""
        ...

    @property
    def version(self) -> str:
        """The runtime's version."""
        ...

    @property
    def threads(self) -> int:
        """How many threads it may use."""
        ...

    def logits(self, images: Pixels) -> NDArray[np.float32]:
        """Logits [N, K] of images that have the input's size: uint8 [N, H, W, C], pixels as they are stored."""
        ...

    def call(self, images: Pixels) -> Callable[[], object]:
        """What answers the same `images` each time it is called: what a stopwatch is held to.

        The images lie ready in the runtime's own layout and type; handing them over and taking the answer back is part
        of the call, scaling and softmax in Python are not.
        """
        ...


class ArtifactFile(Protocol):
    """A file that was read and checked, before any runtime sees it."""

    @property
    def path(self) -> Path:
        """Where it was read from."""
        ...

    @property
    def metadata(self) -> Metadata:
        """Name, classes, preprocessing and precision."""
        ...

    @property
    def confidence(self) -> Confidence | None:
        """Its temperature and thresholds; None in a file that holds none."""
        ...

    def engine(self, *, threads: int = 1, batch: int | None = None) -> Engine:
        """Open it in its runtime; a `batch` promises that every call brings so many images.

        Raises UserError where the runtime is not installed or cannot run the file.
        """
        ...

    def layers(self) -> list[LayerSummary]:
        """Its layers in order. Raises UserError where they do not follow from the file."""
        ...

    def macs(self) -> int:
        """Multiply-accumulates of convolutions and matrix products for one image. Raises UserError as `layers` does."""
        ...

    def parameters(self) -> int:
        """Weights and biases in the file; no scales, zero points or shapes."""
        ...
