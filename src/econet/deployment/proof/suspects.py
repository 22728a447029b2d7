"""Suspects: the proof's own pipeline with one thing wrong. Whichever gives what was seen names the cause."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from econet.deployment.proof.pipeline import Floats, Pipeline
from econet.deployment.proof.rescaled import rescalings
from econet.deployment.proof.wrong_decoders import WRONG_DECODERS
from econet.deployment.proof.wrong_shapes import wrong_crops, wrong_inputs, wrong_resizes
from econet.images.preprocess import Pixels
from econet.runs.proof_records import Stage

# A suspect explains a difference when it leaves less than this share of it.
_EXPLAINS = 0.25
# Pictures of other sizes differ by as much as black and white.
_MOST_GRAY_LEVELS = 255.0

Seen = Sequence[NDArray[np.uint8] | NDArray[np.float32] | None]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A stage, a word for the cause, the sentence that says it, what to do, and the pipeline that does so."""

    stage: Stage
    cause: str
    what: str
    remedy: str
    pipeline: Pipeline


def suspects(base: Pipeline) -> list[Suspect]:
    """Every suspect that applies to `base`, which is right."""
    preprocess = base.preprocess
    decoders = [
        Suspect("decoder", wrong.cause, wrong.what, wrong.remedy, replace(base, decode=wrong.decode))
        for wrong in WRONG_DECODERS
        if not (wrong.cause == "gray" and preprocess.channels == 3)
    ]
    resizes = [
        Suspect("resize", wrong.cause, wrong.what, wrong.remedy, replace(base, resize=wrong.shape))
        for wrong in wrong_resizes(preprocess)
    ]
    crops = [
        Suspect("crop", wrong.cause, wrong.what, wrong.remedy, replace(base, crop=wrong.shape))
        for wrong in wrong_crops(preprocess)
    ]
    inputs = [
        Suspect("input", wrong.cause, wrong.what, wrong.remedy, replace(base, crop=wrong.shape))
        for wrong in wrong_inputs(preprocess)
    ]
    return [*decoders, *resizes, *crops, *inputs, *_normalisations(base), *_outputs(base)]


def _normalisations(base: Pipeline) -> list[Suspect]:
    if base.rescaled is None:
        return []
    remedy = "give the network gray levels 0..255 as they are: the file scales them itself"
    return [
        Suspect("input", "normalisation", what, remedy, replace(base, answer=base.rescaled(factor, shift)))
        for what, factor, shift in rescalings(base.preprocess)
    ]


def _outputs(base: Pipeline) -> list[Suspect]:
    remedy = "compare what the network gives: logits, without a softmax"
    return [
        Suspect("answers", "probabilities", "the answers are probabilities, not logits", remedy, _then(base, _softmax)),
        Suspect(
            "answers", "probabilities", "the answers are log-probabilities, not logits", remedy, _then(base, _logs)
        ),
    ]


def _then(base: Pipeline, change: Callable[[Floats], Floats]) -> Pipeline:
    def answer(inputs: Pixels) -> Floats:
        return change(base.answer(inputs))

    return replace(base, answer=answer)


def _logs(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _softmax(logits: Floats) -> Floats:
    return np.exp(_logs(logits))


def likeliest(
    found: Seen, expected: Seen, among: Sequence[Suspect], view: Callable[[Pipeline], Seen]
) -> Suspect | None:
    """The suspect whose `view` comes nearest to what was `found`, the first of equals.

    None where even that leaves a quarter of the difference.
    A view is what a pipeline makes of the photos at one stage, an array a photo.
    """
    least, nearest = _EXPLAINS * _distance(found, expected), None
    for suspect in among:
        try:
            distance = _distance(found, view(suspect.pipeline))
        except Exception:  # a wrong decoder may fail in any way on a photo that a stranger made
            continue
        if distance < least:
            least, nearest = distance, suspect
    return nearest


def _distance(first: Seen, second: Seen) -> float:
    return sum(photo_distance(one, other) for one, other in zip(first, second, strict=True))


def photo_distance(one: Pixels | Floats | None, other: Pixels | Floats | None) -> float:
    """The mean difference of two arrays of a photo; pictures of other sizes, or none, are as far as can be."""
    if one is None or other is None or one.shape != other.shape:
        return _MOST_GRAY_LEVELS
    return float(np.abs(one.astype(np.float64) - other).mean())


def class_order(found: Floats, expected: Floats) -> list[int] | None:
    """Where each class's logits stand in `found` [N, K], when the columns alone have changed places; else None."""
    distance = np.abs(expected[:, :, None] - found[:, None, :]).mean(axis=0)
    order = [int(place) for place in distance.argmin(axis=1)]
    if sorted(order) != list(range(len(order))) or order == sorted(order):
        return None
    left = float(np.abs(found[:, order] - expected).mean())
    return order if left <= _EXPLAINS * float(np.abs(found - expected).mean()) else None
