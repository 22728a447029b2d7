"""The stages of pixels as they were seen: what was found, what the proof has, and by how much the two may differ."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from econet.deployment.proof.pipeline import Answers, Pipeline
from econet.deployment.proof.proof_file import Proof
from econet.deployment.proof.suspects import Seen
from econet.images.preprocess import cropped
from econet.runs.proof_records import Stage

# Another library's antialiased bilinear resize may round otherwise: mean gray levels of a picture.
_RESIZE_TOLERANCE = 0.6


@dataclass(frozen=True, slots=True)
class View:
    """One stage: an array a photo of what was `found` and what was `expected`, the mean gray levels `allowed` between
    them, what a pipeline makes of the same photos there, and the stages of the suspects that could be the cause.
    """

    stage: Stage
    found: Seen
    expected: Seen
    allowed: Sequence[float]
    of: Callable[[Pipeline], Seen]
    blamed: tuple[Stage, ...]


def pixel_views(proof: Proof, answers: Answers) -> list[View]:
    """The stages that `answers` show, from the decoder on."""
    views = (_decoder(proof, answers), _resize(proof, answers), _crop(proof, answers), _input(proof, answers))
    return [view for view in views if view is not None]


def _decoder(proof: Proof, answers: Answers) -> View | None:
    if answers.decoded is None:
        return None
    allowed = [photo.tolerance for photo in proof.head.photos]
    return View(
        "decoder",
        answers.decoded,
        proof.decoded,
        allowed,
        lambda each: list(map(each.decoded, proof.photos)),
        ("decoder",),
    )


def _resize(proof: Proof, answers: Answers) -> View | None:
    if answers.resized is None:
        return None
    rows = len(proof.pixels)
    allowed = [_rounding(proof)] * rows
    return View(
        "resize",
        answers.resized,
        list(proof.pixels),
        allowed,
        lambda each: list(map(each.stored, proof.decoded[:rows])),
        ("resize",),
    )


def _crop(proof: Proof, answers: Answers) -> View | None:
    if answers.cropped is None:
        return None
    expected = list(cropped(proof.pixels, proof.head.preprocess))
    allowed = [0.0] * len(expected)
    return View(
        "crop",
        list(answers.cropped),
        expected,
        allowed,
        lambda each: list(each.inputs(proof.pixels)),
        ("crop", "input"),
    )


def _input(proof: Proof, answers: Answers) -> View | None:
    if answers.inputs is None:
        return None
    expected = list(cropped(proof.pixels, proof.head.preprocess))
    photos = proof.photos[: len(expected)]
    allowed = [photo.tolerance + _rounding(proof) for photo in proof.head.photos[: len(expected)]]
    return View(
        "input",
        list(answers.inputs),
        expected,
        allowed,
        lambda each: list(each.inputs_of(photos)),
        ("decoder", "resize", "crop", "input"),
    )


def _rounding(proof: Proof) -> float:
    return 0.0 if proof.head.preprocess.resize == "none" else _RESIZE_TOLERANCE
