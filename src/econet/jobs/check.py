"""`check`: what is wrong with a data set, before it misleads. It looks at test pictures and chooses nothing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from econet.data.dataset import Dataset
from econet.data.duplicates import Duplicates
from econet.data.load import NAMES
from econet.data.picture_sizes import oddity, picture_sizes, spread
from econet.data.sources.folder_census import Census, census
from econet.data.sources.imagenet import is_imagenet
from econet.data.sources.photo_files import printable
from econet.data.sources.places import expanded
from econet.errors import UserError
from econet.files import folder_lock
from econet.jobs.health import (
    SPLITS,
    AllPictures,
    Searched,
    look_for_duplicates,
    searched_for,
    split_health,
    void_reasons,
)
from econet.jobs.options import DataOptions, TrainOptions, check_train_options
from econet.jobs.run_data import load
from econet.report.check_page import write_check_page
from econet.report.check_pictures import Shown, shown_findings, write_check_pictures
from econet.runs import provenance
from econet.runs.check_records import (
    Check,
    CheckedData,
    CheckedPicture,
    DuplicateHealth,
    Finding,
    LabelHealth,
    SizeHealth,
    SplitHealth,
)
from econet.runs.record import read_record, write_record
from econet.statistics.intervals import provable_margin
from econet.training.progress import Progress
from econet.version import __version__

RECORD = "check.json"
_UNASKED = "only the quick part was asked for"


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What is checked. `training` is how the networks learn that doubt labels, all together; None: no label is."""

    data: DataOptions
    training: TrainOptions | None = None


@dataclass(slots=True)
class _Found:
    """What gathers while a data set is looked over."""

    splits: tuple[SplitHealth, ...]
    duplicates: DuplicateHealth | None = None
    labels: LabelHealth | None = None
    labels_reason: str | None = _UNASKED
    sizes: SizeHealth | None = None
    findings: list[Finding] = field(default_factory=list[Finding])
    began: float = field(default_factory=time.monotonic)


def check(folder: Path, options: CheckOptions, progress: Progress, *, resume: bool = False) -> Check:
    """Look a data set over; record, table and page are written into `folder`, nothing into the data's own.

    With `resume` networks that are trained already are not trained again. Raises UserError for options out of range,
    data that cannot be loaded, and a folder that holds a finished check.
    """
    if options.training is not None:
        check_train_options(options.training)
    if (folder / RECORD).exists():
        if not resume:
            raise UserError(f"{folder} holds a check already", f"it has a {RECORD}", "--resume, or --out NEW")
        progress.note(f"{folder} holds a finished check: nothing left to do")
        return read_record(folder / RECORD, Check)
    counted = _census(options.data)
    if any(not files for group in counted.values() for files in group.values()):
        with folder_lock(folder):
            return _written(folder, _of_incomplete(options, counted))
    dataset = load(replace(options.data, skip_bad=True))
    with folder_lock(folder):
        pictures = AllPictures(dataset)
        found, duplicates = _looked_over(pictures, searched_for(dataset), progress)
        if options.training is not None:
            _doubt_labels(folder, pictures, duplicates, options.training, found, progress)
        _look_at_files(dataset, found)
        record = _record(options, dataset, found)
        write_check_pictures(folder, _pixels(pictures, record))
        return _written(folder, record)


def quick_check(data: DataOptions, dataset: Dataset, searched: Searched, progress: Progress) -> Check:
    """The quick part alone, of data that are loaded: near duplicates of one split in the others, equal pixels anywhere.

    Nothing is written.
    """
    found, _ = _looked_over(AllPictures(dataset), searched, progress)
    return _record(CheckOptions(data), dataset, found)


def _looked_over(pictures: AllPictures, searched: Searched, progress: Progress) -> tuple[_Found, Duplicates]:
    """What the splits hold, and the duplicates in them."""
    classes = pictures.dataset.classes
    counts = [np.bincount(part.labels, minlength=len(classes)) for part in pictures.parts]
    found = _Found(tuple(split_health(*each, classes) for each in zip(SPLITS, counts, strict=True)))
    progress.note(f"looking for duplicates among {len(pictures.labels):,} pictures")
    duplicates, found.duplicates, found.findings = look_for_duplicates(pictures, searched)
    return found, duplicates


def _doubt_labels(
    folder: Path,
    pictures: AllPictures,
    duplicates: Duplicates,
    training: TrainOptions,
    found: _Found,
    progress: Progress,
) -> None:
    """Add the likely wrong labels; where networks cannot be trained on these data, say why instead."""
    try:
        from econet.jobs.label_check import doubted_labels

        doubts = doubted_labels(folder, pictures, duplicates.all, training, progress)
    except UserError as error:
        found.labels_reason = f"{error.what}: {error.why} (try: {error.remedy})"
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        found.labels_reason = 'torch is not installed (try: pip install "econet[train]")'
    else:
        found.labels, found.labels_reason = doubts.health, None
        found.findings += doubts.findings
    if found.labels_reason:
        progress.note(f"labels were not doubted: {found.labels_reason}")


def _look_at_files(dataset: Dataset, found: _Found) -> None:
    """Add what the files of a photo folder tell: odd sizes, and those set aside."""
    pictures = AllPictures(dataset)
    sizes: list[tuple[int, int]] = []
    odd: list[Finding] = []
    start = 0
    for part in pictures.parts:
        for place, size in enumerate(picture_sizes(part.files)):
            if size is None:
                continue
            sizes.append(size)
            why = oddity(size, dataset.preprocess.resize_size[0])
            if why is not None:
                odd.append(Finding(kind="odd size", picture=pictures.picture(start + place), reason=why))
        start += len(part)
    if sizes:
        smallest, median, largest = spread(sizes)
        found.sizes = SizeHealth(files=len(sizes), smallest=smallest, median=median, largest=largest, odd=len(odd))
    found.findings += odd


def _set_aside(dataset: Dataset) -> list[Finding]:
    return [
        Finding(
            kind="set aside",
            picture=CheckedPicture(split=line.split, place=None, row=None, path=line.path, label=line.label),
            reason=line.set_aside,
        )
        for line in dataset.listing
        if line.set_aside is not None
    ]


def _record(options: CheckOptions, dataset: Dataset, found: _Found) -> Check:
    aside = _set_aside(dataset)
    data = CheckedData(
        source=dataset.source, name=dataset.name, fingerprint=dataset.fingerprint, classes=dataset.classes
    )
    return _assembled(options, data, found, (*found.findings, *aside), len(aside), dataset.warnings)


def _of_incomplete(options: CheckOptions, counted: Census) -> Check:
    """The record of a folder in which a split lacks a class: nothing can be loaded from it yet."""
    source = options.data.source
    classes = tuple(next(iter(counted.values())))
    found = _Found(
        tuple(split_health(split, list(counted[split].values()), classes) for split in SPLITS if split in counted)
    )
    found.labels_reason = "a class is missing, so that nothing was loaded: the files were only counted"
    name = printable(Path(source).resolve().name)
    data = CheckedData(source=source, name=name, fingerprint=None, classes=classes)
    return _assembled(options, data, found, (), 0, ())


def _assembled(
    options: CheckOptions,
    data: CheckedData,
    found: _Found,
    findings: Sequence[Finding],
    set_aside: int,
    warnings: Sequence[str],
) -> Check:
    test_images = sum(each.images for each in found.splits if each.split == "test")
    return Check(
        created=provenance.now(),
        command=provenance.command(),
        econet=__version__,
        data=data,
        seed=options.data.seed,
        splits=found.splits,
        provable_margin=provable_margin(test_images) if test_images else None,
        duplicates=found.duplicates,
        labels=found.labels,
        labels_reason=found.labels_reason,
        sizes=found.sizes,
        set_aside=set_aside,
        void=void_reasons(found.splits, found.duplicates),
        findings=tuple(findings),
        warnings=tuple(warnings),
        seconds=round(time.monotonic() - found.began, 3),
    )


def _census(data: DataOptions) -> Census:
    """The files of a photo folder with splits of its own; empty for any other source."""
    folder = expanded(data.source)
    if data.source in NAMES or not folder.is_dir() or is_imagenet(folder):
        return {}
    return census(folder)


def _pixels(pictures: AllPictures, record: Check) -> list[Shown]:
    """The pictures that the page shows, of the findings that have any."""
    chosen: list[Shown] = []
    for number in shown_findings(record):
        finding = record.findings[number]
        partner = None if finding.partner is None else pictures.pixels_of(finding.partner)
        chosen.append(Shown(number, pictures.pixels_of(finding.picture), partner))
    return chosen


def _written(folder: Path, record: Check) -> Check:
    write_record(folder / RECORD, record)
    write_check_page(folder)
    return record
