"""The Predictor: an artifact answers on pictures, from the file alone. No torch."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from econet.deployment.artifact_file import open_artifact
from econet.deployment.confidence import covering, probabilities_of, unlike
from econet.deployment.metadata import Metadata
from econet.errors import UserError
from econet.images.decode import DecodeError, decode
from econet.images.preprocess import Pixels, Preprocess, cropped, resized
from econet.images.views import Views, ten_views
from econet.runs.artifact_records import Precision
from econet.runs.choices import RuntimeName
from econet.runs.confidence_records import Confidence

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class and how probable the network holds it to be."""

    label: str
    probability: float

    def _repr_html_(self) -> str:
        """What a notebook shows of an answer."""
        return f"<p><b>{escape(self.label)}</b> {self.probability:.1%}</p>"


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a file says of one picture: the likeliest classes, and how far it can be trusted.

    `none_of_these`: the picture looks unlike those of training. `covering`: the classes of a set that holds the right
    one with the coverage asked for, the likeliest first; it may be empty. Both are None where the file cannot say.
    """

    predictions: list[Prediction]
    none_of_these: bool | None = None
    covering: list[Prediction] | None = None


class Predictor:
    """An artifact, opened: `Predictor("model.int8.onnx").predict("shirt.png")`.

    The file's format picks the runtime. It is checked before that sees it: raises UserError where it is damaged, or
    says nowhere what its classes and preprocessing are. `threads` is the runtime's; 1 as in every measurement.
    `runtime` runs it in another one than the format's own.
    """

    def __init__(self, path: Path | str, *, threads: int = 1, runtime: RuntimeName | None = None) -> None:
        self.path = Path(path)
        file = open_artifact(self.path, runtime)
        self.metadata: Metadata = file.metadata
        self.confidence: Confidence | None = file.confidence
        self._engine = file.engine(threads=threads)

    @property
    def name(self) -> str:
        """The network's name."""
        return self.metadata.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the logits."""
        return self.metadata.classes

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes the input."""
        return self.metadata.preprocess

    @property
    def precision(self) -> Precision:
        """`fp32` or `int8`."""
        return self.metadata.precision

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        """Logits [N, K] of stored images, uint8 [N, H, W, C] at the store's size; cropped here, run in batches.

        Raises ValueError where the images have another size, type or number of channels.
        """
        return self._in_batches(pixels, lambda batch: self.input_logits(cropped(batch, self.preprocess)))

    def input_logits(self, inputs: Pixels) -> NDArray[np.float32]:
        """Logits [N, K] of pictures that have the input's size already: uint8 [N, h, w, C], taken at once."""
        return self._engine.logits(inputs)

    def probabilities(self, pixels: Pixels, views: Views = "centre") -> NDArray[np.float32]:
        """Softmax of `logits`: [N, K], each row sums to 1; of "ten" `views` the mean of their ten softmaxes.

        Logits are first divided by the temperature that the file holds, where it holds one: no answer changes.
        Probabilities are averaged, never logits. Raises ValueError as `logits` does, and UserError where ten views are
        asked of stored images that are no larger than the input.
        Source: Krizhevsky, Sutskever, Hinton 2012, section 4.1.
        """
        return self._softmax(self.logits(pixels)) if views == "centre" else self._in_batches(pixels, self._averaged)

    def _softmax(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        return probabilities_of(logits, self.confidence)

    def _averaged(self, batch: Pixels) -> NDArray[np.float32]:
        """The mean softmax [N, K] of the ten views of stored images; summed in float64."""
        answers = [self._softmax(self.input_logits(view)) for view in ten_views(batch, self.preprocess)]
        return np.stack(answers).mean(axis=0, dtype=np.float64).astype(np.float32)

    def _in_batches(self, pixels: Pixels, answer: Callable[[Pixels], NDArray[np.float32]]) -> NDArray[np.float32]:
        """`answer` [n, K] of each batch of stored images, one below another: [N, K]."""
        expected = (*self.preprocess.resize_size, self.preprocess.channels)
        if pixels.ndim != 4 or pixels.shape[1:] != expected or pixels.dtype != np.uint8:
            raise ValueError(f"expected uint8 images [N, {expected}], not {pixels.dtype} {pixels.shape}")
        parts = [answer(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes)), np.float32)

    def predict(self, picture: Path | str | Pixels, top: int = 5) -> list[Prediction]:
        """The `top` classes for one picture, the likeliest first.

        `picture` is a file or an array, uint8 [H, W, C] (or [H, W] where the input is gray), of any size that the
        preprocessing can bring to the input's. Raises UserError where it is no picture
        or does not fit.
        """
        return self.answer(picture, top).predictions

    def answer(self, picture: Path | str | Pixels, top: int = 5, coverage: float | None = None) -> Answer:
        """The `top` classes, whether the picture looks unlike those of training, and the set of a stated `coverage`.

        `picture` as for `predict`. Raises UserError as that does, and where a `coverage` is asked of a file that
        holds no confidence, or is outside 0.5 to 0.99.
        """
        if coverage is not None and self.confidence is None:
            raise UserError(
                f"{self.path} cannot state a coverage",
                "it holds no confidence: it was exported by an earlier EcoNet, or with under 100 validation images",
                "export it again, with more validation images (--validation)",
            )
        logits = self.logits(self.stored(picture)[None])
        probabilities = self._softmax(logits)[0]
        order = np.argsort(-probabilities, kind="stable")
        ranked = [Prediction(self.classes[index], float(probabilities[index])) for index in order]
        if self.confidence is None:
            return Answer(ranked[:top])
        members = None
        if coverage is not None:
            inside = covering(logits, self.confidence, coverage)[0]
            members = [each for each, index in zip(ranked, order, strict=True) if inside[index]]
        return Answer(ranked[:top], bool(unlike(logits, self.confidence)[0]), members)

    def stored(self, picture: Path | str | Pixels) -> Pixels:
        """One picture, given as for `predict`, at the size that `logits` takes: uint8 [H, W, C].

        Raises UserError where it is no picture or does not fit.
        """
        return stored_picture(picture, self.preprocess, self.path)


def stored_picture(picture: Path | str | Pixels, preprocess: Preprocess, asked: Path) -> Pixels:
    """One picture, a file or an array, as the file or run at `asked` stores its own: uint8 [H, W, C].

    Raises UserError naming `asked` where it is no picture or does not fit.
    """
    channels = preprocess.channels
    image = _decoded(Path(picture), channels) if isinstance(picture, Path | str) else picture
    if image.ndim == 2 and channels == 1:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] != channels or image.dtype != np.uint8:
        raise UserError(
            f"a picture of type {image.dtype} and shape {image.shape} does not fit {asked}",
            f"its network takes uint8 [height, width, {channels}]",
            "convert it, or give the picture's file",
        )
    if preprocess.resize == "none" and image.shape[:2] != preprocess.resize_size:
        height, width = preprocess.resize_size
        raise UserError(
            f"a picture of {image.shape[0]}x{image.shape[1]} does not fit {asked}",
            f"its network was trained on pictures of {height}x{width} and resizes none",
            f"bring the picture to {height}x{width} first",
        )
    return resized(image, preprocess)


def _decoded(path: Path, channels: Literal[1, 3]) -> Pixels:
    try:
        return decode(path, channels)
    except DecodeError as error:
        raise UserError(
            f"cannot read the picture {path}", error.reason, "give a JPEG, PNG, WebP, BMP, GIF or TIFF file"
        ) from error


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities [N, K] of logits [N, K], computed in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    weights = np.exp(shifted)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
