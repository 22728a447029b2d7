"""explanation.html: pictures, where networks looked in them, and what came of it, in one file of its own."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from econet.files import write_text, write_whole
from econet.report import explanation_words as words
from econet.report import numbers
from econet.report.embedded import Embedded, embedded, reduced
from econet.report.explained import Explained, Pictured
from econet.report.heat import legend, overlay
from econet.report.rendering import rendered
from econet.runs.explanation_records import Explanation, Explanations
from econet.runs.record import write_record

PAGE, RECORD, MAPS = "explanation.html", "explanation.json", "maps.npz"


@dataclass(frozen=True, slots=True)
class _Shown:
    """One subject's explanation of one picture, ready to draw."""

    subject: str
    seen: Embedded
    map: Embedded
    explanation: Explanation
    place: str
    how: str
    evidence: str | None


def write_explanation(folder: Path, explained: Explained) -> Path:
    """Write `explanation.json`, the maps as `maps.npz` (float32 `image_<n>_<subject>`, both from 1) and the page.

    Returns the page's path. Raises UserError where the folder cannot be written.
    """
    stream = io.BytesIO()
    maps = {
        f"image_{number}_{side}": found.astype(np.float32)
        for number, picture in enumerate(explained.pictures, 1)
        for side, found in enumerate(picture.maps, 1)
    }
    np.savez_compressed(stream, allow_pickle=False, **maps)
    write_whole(folder / MAPS, stream.getvalue())
    write_record(folder / RECORD, explained.record)
    path = folder / PAGE
    write_text(path, rendered("explanation.html", **_content(explained)))
    return path


def _content(explained: Explained) -> dict[str, object]:
    record = explained.record
    return {
        "record": record,
        "numbers": numbers,
        "names": subject_names(record),
        "pair": len(record.subjects) == 2,
        "summary": words.summary(record),
        "legend": embedded(legend()),
        "images": [
            {
                "image": each.image,
                "shown": _shown(record, each.explanations, picture),
                "agreement": None if each.agreement is None else words.agreement(each.agreement),
                "neighbours": [
                    (embedded(reduced(pixels)), near)
                    for pixels, near in zip(picture.neighbours, each.neighbours or (), strict=True)
                ],
            }
            for each, picture in zip(record.images, explained.pictures, strict=True)
        ],
    }


def subject_names(record: Explanations) -> list[str]:
    """What the subjects are called: name and precision, and the path where that does not tell them apart."""
    names = [f"{each.name} {each.precision}" for each in record.subjects]
    if len(set(names)) == len(names):
        return names
    return [f"{name}, {each.path}" for name, each in zip(names, record.subjects, strict=True)]


def _shown(record: Explanations, explanations: tuple[Explanation, ...], picture: Pictured) -> list[_Shown]:
    sides = zip(subject_names(record), explanations, picture.seen, picture.maps, strict=True)
    return [
        _Shown(
            subject=name,
            seen=embedded(reduced(seen)),
            map=embedded(reduced(overlay(seen, found))),
            explanation=each,
            place=words.place(each.map),
            how=words.how(each.map),
            evidence=None if each.evidence is None else words.evidence(each.evidence),
        )
        for name, each, seen, found in sides
    ]
