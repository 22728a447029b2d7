"""The pictures on the page of a data check: which findings are shown, kept small beside the record."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from econet.files import write_whole
from econet.images.preprocess import Pixels
from econet.report.embedded import Embedded, embedded, reduced
from econet.runs.check_records import Check, Finding

PICTURES = "pictures.npz"
Section = Literal["leaks", "conflicts", "duplicates", "labels"]
# Of each section so many are shown; all are in the table.
MOST: dict[Section, int] = {"leaks": 18, "conflicts": 12, "duplicates": 12, "labels": 36}


@dataclass(frozen=True, slots=True)
class Shown:
    """The pictures of the finding of that number, uint8 [H, W, C]; `second` is a duplicate's partner."""

    number: int
    first: Pixels
    second: Pixels | None


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A finding with its pictures ready to embed."""

    finding: Finding
    first: Embedded
    second: Embedded | None


def section_of(finding: Finding) -> Section | None:
    """Where a finding with a picture belongs on the page."""
    if finding.kind == "likely wrong label":
        return "labels"
    if finding.partner is None:
        return None
    if finding.leak:
        return "leaks"
    return "conflicts" if finding.labels_differ else "duplicates"


def shown_findings(record: Check) -> list[int]:
    """Numbers of the findings that are shown, the first of each section."""
    left = dict(MOST)
    chosen: list[int] = []
    for number, finding in enumerate(record.findings):
        section = section_of(finding)
        if section is not None and left[section]:
            left[section] -= 1
            chosen.append(number)
    return chosen


def write_check_pictures(folder: Path, chosen: Sequence[Shown]) -> Path:
    """Write `folder/pictures.npz`, whole or not at all; returns its path. Larger pictures are kept at 112 pixels."""
    arrays: dict[str, Pixels] = {}
    for each in chosen:
        arrays[f"first_{each.number}"] = reduced(each.first)
        if each.second is not None:
            arrays[f"second_{each.number}"] = reduced(each.second)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    write_whole(folder / PICTURES, buffer.getvalue())
    return folder / PICTURES


def read_check_pictures(folder: Path, record: Check) -> dict[Section, list[ShownPair]]:
    """The pictures of each section; empty where the folder holds none."""
    sections: dict[Section, list[ShownPair]] = {section: [] for section in MOST}
    path = folder / PICTURES
    if not path.is_file():
        return sections
    with np.load(path, allow_pickle=False) as arrays:
        for number in shown_findings(record):
            finding = record.findings[number]
            section = section_of(finding)
            if section is None or f"first_{number}" not in arrays:
                continue
            second = embedded(arrays[f"second_{number}"]) if f"second_{number}" in arrays else None
            sections[section].append(ShownPair(finding, embedded(arrays[f"first_{number}"]), second))
    return sections
