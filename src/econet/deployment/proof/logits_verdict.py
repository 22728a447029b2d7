"""Logits against those of the proof: whether they agree, and which cause explains it where they do not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from econet.deployment.proof.pipeline import Answers, Floats, Pipeline
from econet.deployment.proof.proof_file import Proof
from econet.deployment.proof.suspects import Seen, Suspect, class_order, likeliest
from econet.runs.proof_records import Check, Finding

# A code of an int8 network may fall either way on an edge, and what follows is rounded anew: one photo in ten may be
# off by more than its tolerance, up to so many times.
_ODD_PHOTOS, _ODD_FACTOR = 0.1, 2.0
_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SeenLogits:
    """Logits [n, K] of the first n photos, from the proof's pixels (`runtime`) or from the photos (`answers`)."""

    stage: Literal["runtime", "answers"]
    found: Floats
    expected: Floats
    allowed: Floats
    of: Callable[[Pipeline], Seen]


def logits_seen(proof: Proof, answers: Answers) -> list[SeenLogits]:
    """Those that `answers` have."""
    seen: list[SeenLogits] = []
    if answers.pixel_logits is not None:
        expected = proof.logits[: len(proof.pixels)]
        seen.append(
            SeenLogits(
                "runtime",
                answers.pixel_logits,
                expected,
                proof.pixel_tolerance,
                lambda each: list(each.answer(each.inputs(proof.pixels))),
            )
        )
    if answers.logits is not None:
        seen.append(
            SeenLogits(
                "answers",
                answers.logits,
                proof.logits,
                proof.tolerance,
                lambda each: list(each.logits_of(proof.photos)),
            )
        )
    return seen


def logits_checked(proof: Proof, seen: SeenLogits) -> tuple[Check, list[int]]:
    """The check of these logits, and the photos whose logits are too far off."""
    difference = np.abs(seen.found.astype(np.float64) - seen.expected)
    difference[~np.isfinite(difference)] = np.inf
    largest = difference.max(axis=1)
    wrong = [int(number) for number in np.flatnonzero(largest > seen.allowed)]
    odd = proof.head.precision == "int8" and len(wrong) <= _ODD_PHOTOS * len(largest)
    passed = not wrong or (odd and bool((largest <= _ODD_FACTOR * seen.allowed).all()))
    top = float(largest.max())
    check = Check(
        stage=seen.stage,
        passed=passed,
        photos=len(largest),
        largest_difference=top if np.isfinite(top) else None,
    )
    return check, [] if passed else wrong


def logits_explained(
    proof: Proof, seen: SeenLogits, wrong: Sequence[int], among: Sequence[Suspect], runtime: str
) -> Finding:
    """Why these logits differ on the photos `wrong`; `runtime` is what gave them."""
    names = tuple(proof.names[number] for number in wrong)
    order = class_order(seen.found, seen.expected)
    if order is not None:
        return _other_order(proof, order, names)
    blamed = [each for each in among if seen.stage == "answers" or each.stage in ("input", "answers")]
    suspect = likeliest(list(seen.found), list(seen.expected), blamed, seen.of)
    if suspect is not None:
        return Finding(stage=suspect.stage, cause=suspect.cause, what=suspect.what, remedy=suspect.remedy, photos=names)
    gap = float(np.abs(seen.found.astype(np.float64) - seen.expected).max())
    if seen.stage == "runtime":
        return Finding(
            stage="runtime",
            cause="runtime",
            what=f"{runtime} computes other logits from the same pixels than {proof.head.runtime} did, "
            f"up to {gap:.3g} apart",
            remedy="run it in the precision of the file (OpenVINO: INFERENCE_PRECISION_HINT f32), or elsewhere",
            photos=names,
        )
    return Finding(
        stage="answers",
        cause="answers",
        what=f"the answers to {', '.join(names[:_NAMES_SHOWN])} are up to {gap:.3g} off, and fit no known cause",
        remedy="hand in the pixels that reach the network too, so that the stage shows (docs/proof.md)",
        photos=names,
    )


def _other_order(proof: Proof, order: Sequence[int], names: tuple[str, ...]) -> Finding:
    number = next(number for number, place in enumerate(order) if place != number)
    return Finding(
        stage="classes",
        cause="class order",
        what=f"the classes are in another order: logit {order[number]} is that of "
        f"{proof.head.classes[number]!r}, which is number {number}",
        remedy="take the classes in the order of the proof, which is that of the logits",
        photos=names,
    )
