"""A data check to look at: page.html with the pictures side by side, and findings.csv to act on."""

import csv
import io
from pathlib import Path
from typing import Any

from econet.files import write_text
from econet.report import numbers
from econet.report.check_pictures import read_check_pictures
from econet.report.rendering import rendered
from econet.runs.check_records import Check, CheckedPicture, Finding
from econet.runs.record import read_record

PAGE, TABLE, RECORD = "page.html", "findings.csv", "check.json"
COLUMNS = (
    "finding",
    "split",
    "place",
    "row",
    "path",
    "label",
    "suggested",
    "partner_split",
    "partner_place",
    "partner_row",
    "partner_path",
    "partner_label",
    "score",
    "leak",
    "labels_differ",
    "mirrored",
    "reason",
)
_MOST_CLASSES = 40


def write_check_page(folder: Path) -> Path:
    """Draw `folder/page.html` and write `folder/findings.csv` from the check in `folder`; returns the page's path.

    Raises UserError where the record is missing or damaged.
    """
    record = read_record(folder / RECORD, Check)
    write_text(folder / TABLE, findings_table(record))
    write_text(folder / PAGE, rendered("check.html", **_content(folder, record)))
    return folder / PAGE


def findings_table(record: Check) -> str:
    """Every finding as a line of CSV: places and rows count from 0, an empty cell says that there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for finding in record.findings:
        partner = finding.partner
        writer.writerow(
            [
                finding.kind,
                *_cells(finding.picture, "place", "row", "path", "label"),
                finding.suggested,
                *(_cells(partner, "place", "row", "path", "label") if partner else [None] * 5),
                finding.score,
                *("yes" if said else None for said in (finding.leak, finding.labels_differ, finding.mirrored)),
                finding.reason,
            ]
        )
    return text.getvalue()


def headline(record: Check) -> str:
    """The answer in a few words."""
    if record.void:
        return "A comparison on these data would prove nothing"
    if record.findings:
        return "Fit for a comparison, with findings to look at"
    return "Nothing was found that would mislead"


def said(record: Check) -> list[str]:
    """What was found, a sentence each, the gravest first."""
    sentences = [f"Class {name!r} has no picture in {each.split}." for each in record.splits for name in each.missing]
    found = record.duplicates
    if found is not None:
        sentences += [_leak_sentence(record), *_duplicate_sentences(record)]
    if record.labels is not None:
        labels = record.labels
        sentences.append(
            f"{_are(labels.flagged, 'label')} likely wrong "
            f"({numbers.percent(labels.flagged / labels.images, 2)}); {labels.folds} quick networks "
            f"agree with {numbers.percent(labels.accuracy)} of all labels."
        )
    if record.set_aside:
        sentences.append(f"{_are(record.set_aside, 'file')} set aside: unreadable.")
    if record.sizes is not None and record.sizes.odd:
        sentences.append(f"{_are(record.sizes.odd, 'file')} odd in size.")
    if record.provable_margin is not None:
        sentences.append(
            f"The test split can show a loss of {numbers.margin_points(record.provable_margin, 2)} points at best."
        )
    return sentences


def where(picture: CheckedPicture) -> str:
    """A picture in words: its path, else its place."""
    if picture.path is not None:
        return picture.path
    return f"{picture.split} {picture.place}" + ("" if picture.row is None else f" (row {picture.row} of the file)")


def alike(finding: Finding) -> str:
    """How alike the two of a pair are."""
    if finding.kind == "exact duplicate":
        return "equal pixels"
    return f"{numbers.percent(finding.score or 0, 0)} alike" + (", mirrored" if finding.mirrored else "")


def _leak_sentence(record: Check) -> str:
    leaks = record.duplicates.leaks if record.duplicates else ()
    for leak in leaks:
        if (leak.split, leak.other) == ("test", "train") and leak.exact + leak.near:
            return (
                f"{_are(leak.exact, 'test picture')} in training pixel for pixel, "
                f"{numbers.whole(leak.near)} more nearly so ({numbers.percent(leak.share, 2)} of the test split)."
            )
    return "No test picture was found in training."


def _duplicate_sentences(record: Check) -> list[str]:
    found = record.duplicates
    if found is None or not found.copies + found.near_pairs:
        return []
    near = (
        "1 pair of pictures is" if found.near_pairs == 1 else f"{numbers.whole(found.near_pairs)} pairs of pictures are"
    )
    text = f"{_are(found.copies, 'picture')} there a second time pixel for pixel; {near} near duplicates"
    if found.conflicts:
        text += f"; {numbers.whole(found.conflicts)} of all these pairs with two labels"
    return [f"{text}."]


def _are(count: int, noun: str) -> str:
    """1, "file" -> "1 file is"; 3, "file" -> "3 files are"."""
    return f"1 {noun} is" if count == 1 else f"{numbers.whole(count)} {noun}s are"


def _content(folder: Path, record: Check) -> dict[str, Any]:
    return {
        "record": record,
        "numbers": numbers,
        "headline": headline(record),
        "sentences": said(record),
        "where": where,
        "alike": alike,
        "sections": read_check_pictures(folder, record),
        "counted": _counted(record),
        "table": TABLE,
        "kinds": {kind: sum(each.kind == kind for each in record.findings) for kind in ("odd size", "set aside")},
    }


def _counted(record: Check) -> list[tuple[str, list[int]]]:
    """Rows of the table of classes; of very many those with the fewest pictures."""
    rows = [
        (name, [each.per_class[number] for each in record.splits]) for number, name in enumerate(record.data.classes)
    ]
    if len(rows) > _MOST_CLASSES:
        rows = sorted(rows, key=lambda row: min(row[1]))[:_MOST_CLASSES]
    return rows


def _cells(picture: CheckedPicture, *names: str) -> list[object]:
    return [picture.split, *(getattr(picture, name) for name in names)]
