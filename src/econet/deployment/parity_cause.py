"""Why parity broke: preprocessing, the order of the classes, or the first layer that differs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from econet.deployment.graph import baked_scaling
from econet.deployment.intermediate import intermediate_values
from econet.deployment.metadata import read_metadata
from econet.deployment.model_file import read_model
from econet.deployment.parity import worst_image
from econet.images.preprocess import Pixels, Preprocess, cropped

Floats = NDArray[np.float32]

# A variant explains a failure when it leaves at most this share of the logits' mean difference.
_EXPLAINS = 0.25
# How far, in standard deviations of the layer's output, a file's tensor may lie from torch's.
_LAYER_TOLERANCE = {"fp32": 0.01, "int8": 0.3}


@dataclass(frozen=True, slots=True)
class LayerOutput:
    """What one layer of the network gives in torch for some images: [N, ...]."""

    name: str
    values: Floats


@dataclass(frozen=True, slots=True)
class Cause:
    """The image that differs most (its row) and the likeliest reason, as a sentence."""

    image: int
    reason: str


@dataclass(frozen=True, slots=True)
class ParityFailure:
    """What is known of a failed parity: both logits [N, K] and how they came about.

    `pixels` are the stored images [N, H, W, C], `run_artifact` the Predictor's `logits`; `preprocess` and `classes`
    are the training side's. `layers` holds torch's outputs for the first images, in order, where they are known.
    """

    path: Path
    pixels: Pixels
    torch_logits: Floats
    artifact_logits: Floats
    run_artifact: Callable[[Pixels], Floats]
    preprocess: Preprocess
    classes: tuple[str, ...]
    layers: Sequence[LayerOutput] = ()


def likeliest_cause(failure: ParityFailure) -> Cause:
    """Name the worst image and the likeliest cause: preprocessing first, then class order, then layers."""
    image = worst_image(failure.torch_logits, failure.artifact_logits)
    model = read_model(failure.path)
    reason = (
        _preprocessing(failure, model)
        or _class_order(failure, model)
        or _first_layer(failure, model)
        or "no single cause found: the logits differ everywhere"
    )
    return Cause(image, reason)


def _preprocessing(failure: ParityFailure, model: onnx.ModelProto) -> str | None:
    recorded = read_metadata(model, failure.path).preprocess
    for field in Preprocess.__struct_fields__:
        there, here = getattr(recorded, field), getattr(failure.preprocess, field)
        if there != here:
            return f"preprocessing: `{field}` is {there} in the file and {here} in training"
    baked = baked_scaling(model)
    wanted = (failure.preprocess.offset, failure.preprocess.scale)
    if baked is not None and not np.allclose(baked, wanted, rtol=1e-6):
        return f"preprocessing: the graph computes (pixel - {baked[0]:g}) * {baked[1]:g}, training {wanted}"
    before = _distance(failure.torch_logits, failure.artifact_logits)
    for name, altered in _variants(failure.pixels):
        if _distance(failure.torch_logits, failure.run_artifact(altered)) <= _EXPLAINS * before:
            return f"preprocessing: with {name} the file gives what training gives"
    return None


def _distance(a: Floats, b: Floats) -> float:
    return float(np.abs(a.astype(np.float64) - b).mean())


def _variants(pixels: Pixels) -> list[tuple[str, Pixels]]:
    found = [
        ("the picture mirrored", pixels[:, :, ::-1]),
        ("the picture upside down", pixels[:, ::-1]),
        ("light and dark exchanged", 255 - pixels),
    ]
    if pixels.shape[3] == 3:
        found.insert(0, ("red and blue exchanged", pixels[..., ::-1]))
    if pixels.shape[1] == pixels.shape[2]:
        found.append(("rows and columns exchanged", pixels.transpose(0, 2, 1, 3)))
    return found


def _class_order(failure: ParityFailure, model: onnx.ModelProto) -> str | None:
    recorded = read_metadata(model, failure.path).classes
    if recorded != failure.classes:
        wrong = [
            f"{there!r} stands for {here!r}"
            for there, here in zip(recorded, failure.classes, strict=False)
            if there != here
        ]
        return f"class order: {wrong[0] if wrong else f'{len(recorded)} classes instead of {len(failure.classes)}'}"
    mine, theirs = failure.torch_logits, failure.artifact_logits
    distance = np.abs(mine[:, :, None] - theirs[:, None, :]).mean(axis=0)
    order = distance.argmin(axis=1)
    if sorted(order) != list(range(len(order))) or (order == np.arange(len(order))).all():
        return None
    if _distance(mine, theirs[:, order]) > _EXPLAINS * _distance(mine, theirs):
        return None
    first = int(np.flatnonzero(order != np.arange(len(order)))[0])
    return f"class order: logit {order[first]} of the file is {failure.classes[first]!r}, which is number {first}"


def _first_layer(failure: ParityFailure, model: onnx.ModelProto) -> str | None:
    """The first layer whose output no tensor of the file resembles."""
    if not failure.layers:
        return None
    count = len(failure.layers[0].values)
    metadata = read_metadata(model, failure.path)
    tolerance = _LAYER_TOLERANCE[metadata.precision]
    images = cropped(failure.pixels[:count], metadata.preprocess).transpose(0, 3, 1, 2)
    outputs = list(next(intermediate_values(model, images, batch=count)).values())
    for layer in failure.layers:
        same_shape = [values for values in outputs if values.shape == layer.values.shape]
        if not same_shape:
            continue
        spread = float(np.std(layer.values)) or 1.0
        nearest = min(float(np.sqrt(np.mean((values - layer.values) ** 2))) / spread for values in same_shape)
        if not nearest <= tolerance:
            return f"layer {layer.name}: its output differs by {nearest:.2g} standard deviations"
    return None
