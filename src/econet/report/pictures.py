"""The pictures on the page: those that only one of the two networks gets wrong."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.files import write_whole
from econet.images.preprocess import Pixels
from econet.measurement.accuracy import Predictions
from econet.report.answers import confidence, right
from econet.report.embedded import Embedded, embedded, reduced
from econet.report.heat import overlay
from econet.runs.arrays import read_arrays

MOST_PICTURES = 12


@dataclass(frozen=True, slots=True)
class Picture(Embedded):
    """One picture with both answers, class numbers and confidences (fractions), and both maps where they were made."""

    truth: int
    baseline: int
    baseline_confidence: float
    candidate: int
    candidate_confidence: float
    baseline_map: Embedded | None
    candidate_map: Embedded | None


@dataclass(frozen=True, slots=True)
class WhereTheyLooked:
    """Both sides' maps, uint8 [n, H, W], of the first n pictures that only the candidate gets wrong.

    255 is a map's strongest place; 0 matters not, speaks against the answer, or was not seen.
    """

    baseline: Pixels
    candidate: Pixels


def write_pictures(
    folder: Path,
    pixels: Pixels,
    baseline: Predictions,
    candidate: Predictions,
    looked: WhereTheyLooked | None = None,
) -> Path:
    """Choose the pictures for the page and write `folder/pictures.npz`, whole or not at all; returns its path.

    `pixels` uint8 [N, H, W, C] are the pictures of the proof, in the order of both predictions.
    Chosen are up to 12 that only the candidate gets wrong and up to 12 that only the baseline gets wrong:
    the most confident errors first, spread over the classes. Larger pictures are kept at 112 pixels, their maps too.
    Raises ValueError where the lengths do not agree.
    """
    if not len(pixels) == len(baseline.truth) == len(candidate.truth):
        lengths = f"{len(pixels)}, {len(baseline.truth)}, {len(candidate.truth)}"
        raise ValueError(f"pictures and predictions of both sides differ in number: {lengths}")
    arrays: dict[str, NDArray[Any]] = {}
    for name, wrong, other in (("candidate", candidate, baseline), ("baseline", baseline, candidate)):
        chosen = wrong_alone(wrong, other)
        small = [reduced(pixels[number]) for number in chosen]
        arrays[f"{name}_wrong_pixels"] = np.stack(small) if small else pixels[:0]
        arrays[f"{name}_wrong_number"] = np.array(chosen, dtype=np.int64)
        arrays[f"{name}_wrong_truth"] = wrong.truth[chosen]
        for role, side in (("baseline", baseline), ("candidate", candidate)):
            arrays[f"{name}_wrong_{role}_answer"] = side.predicted[chosen]
            arrays[f"{name}_wrong_{role}_confidence"] = confidence(side)[chosen].astype(np.float32)
    if looked is not None:
        for role, maps in (("baseline", looked.baseline), ("candidate", looked.candidate)):
            small = [reduced(each[..., None])[..., 0] for each in maps]
            arrays[f"candidate_wrong_{role}_map"] = np.stack(small) if small else maps
    stream = io.BytesIO()
    np.savez_compressed(stream, **_typed(arrays))
    path = folder / "pictures.npz"
    write_whole(path, stream.getvalue())
    return path


def read_pictures(path: Path, wrong: str) -> list[Picture]:
    """The pictures that only `wrong` ("candidate" or "baseline") got wrong, ready to embed.

    Raises UserError where the file is absent or damaged.
    """
    answers = [f"{role}_{kind}" for role in ("baseline", "candidate") for kind in ("answer", "confidence")]
    names = [f"{wrong}_wrong_{name}" for name in ("pixels", "truth", *answers)]
    maps = [f"{wrong}_wrong_{role}_map" for role in ("baseline", "candidate")]
    arrays = read_arrays(path, names, "the pictures", "run the comparison again, in another folder", if_there=maps)
    return [_picture(arrays, f"{wrong}_wrong_", place) for place in range(len(arrays[f"{wrong}_wrong_truth"]))]


def _typed(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    return dict(arrays)


def wrong_alone(wrong: Predictions, other: Predictions) -> list[int]:
    """Numbers of up to 12 pictures that `wrong` alone misses: each class's surest error, then each class's second."""
    errors = np.flatnonzero(~right(wrong) & right(other))
    surest_first = errors[np.argsort(-confidence(wrong)[errors].astype(np.float64), kind="stable")]
    turns: dict[int, int] = {}
    ranked: list[tuple[int, int, int]] = []
    for place, number in enumerate(surest_first.tolist()):
        label = int(wrong.truth[number])
        turns[label] = turns.get(label, 0) + 1
        ranked.append((turns[label], place, number))
    return [number for _, _, number in sorted(ranked)[:MOST_PICTURES]]


def _picture(arrays: Mapping[str, NDArray[Any]], prefix: str, place: int) -> Picture:
    pixels = arrays[f"{prefix}pixels"][place]
    picture = embedded(pixels)
    return Picture(
        source=picture.source,
        width=picture.width,
        height=picture.height,
        truth=int(arrays[f"{prefix}truth"][place]),
        baseline=int(arrays[f"{prefix}baseline_answer"][place]),
        baseline_confidence=float(arrays[f"{prefix}baseline_confidence"][place]),
        candidate=int(arrays[f"{prefix}candidate_answer"][place]),
        candidate_confidence=float(arrays[f"{prefix}candidate_confidence"][place]),
        baseline_map=_map(arrays, f"{prefix}baseline_map", place, pixels),
        candidate_map=_map(arrays, f"{prefix}candidate_map", place, pixels),
    )


def _map(arrays: Mapping[str, NDArray[Any]], name: str, place: int, pixels: Pixels) -> Embedded | None:
    """A map laid over its picture; None where it was not made."""
    if name not in arrays or place >= len(arrays[name]):
        return None
    return embedded(overlay(pixels, arrays[name][place].astype(np.float64)))
