"""A folder of photographs: one folder a class, with train/, validation/ and test/ above them or without.

Classes are matched by name over the splits, never by position. Each file is decoded once, at the store's size.
A file that cannot be decoded is set aside and named; many of them, or a class left empty, stop the loading.
"""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from econet.data.dataset import FileLine, Images
from econet.data.sources.listed import FileSource, PictureFiles
from econet.data.sources.photo_files import (
    Found,
    files_below,
    is_portable,
    loose_files,
    one_elsewhere,
    printable,
    subfolders,
)
from econet.data.sources.source import Source
from econet.errors import UserError
from econet.images.decode import DecodeError, decode_bytes, read_picture
from econet.images.preprocess import Pixels, Preprocess, resized

SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
ORDER = ("train", "validation", "test")
# What a bare folder's files belong to until EcoNet splits them.
UNSPLIT = "unsplit"
# The one class of a folder that holds pictures alone.
UNLABELLED = "pictures"
MOST_SET_ASIDE = 0.01
_SHOWN = 5


@dataclass(slots=True)
class _Reading:
    """What gathers while a folder is read."""

    root: Path
    classes: tuple[str, ...]
    preprocess: Preprocess
    lines: list[FileLine] = field(default_factory=list[FileLine])


@dataclass(frozen=True, slots=True)
class ListedFolder:
    """The files of a photo folder by split and class, none of them opened yet."""

    root: Path
    splits: dict[str, Path]
    classes: tuple[str, ...]
    files: dict[str, dict[str, list[Found]]]

    def __len__(self) -> int:
        return sum(len(found) for group in self.files.values() for found in group.values())


def list_folder(folder: Path, *, unlabelled: bool = False) -> ListedFolder:
    """Find the files of a photo folder; an `unlabelled` one may hold pictures alone, which are then of one class.

    Raises UserError where there are no class folders or a class is missing.
    """
    root = folder.resolve()
    splits = _split_folders(root)
    groups = {split: _class_folders(place) for split, place in splits.items()}
    if unlabelled and not any(groups.values()):
        groups = {split: {UNLABELLED: place} for split, place in splits.items()}
    classes = _matched_classes(groups, root, least=1 if unlabelled else 2)
    files = {s: {name: list(files_below(place, root)) for name, place in g.items()} for s, g in groups.items()}
    return ListedFolder(root, splits, classes, files)


def photo_folder(listed: ListedFolder, preprocess: Preprocess, *, skip_bad: bool = False) -> Source:
    """Read a photo folder into memory; a bare one comes back as `train` alone, to be split.

    Raises UserError where a class is left empty, or more than one file in a hundred cannot be used and `skip_bad` is
    not set.
    """
    reading = _Reading(listed.root, listed.classes, preprocess)
    images = {split: _read_split(reading, split, files) for split, files in listed.files.items()}
    bad = [line for line in reading.lines if line.set_aside is not None]
    warnings = [*set_aside_warnings(bad, len(reading.lines), skip_bad=skip_bad), *_oddities(listed)]
    return Source(
        classes=listed.classes,
        train=images[UNSPLIT if UNSPLIT in images else "train"],
        validation=images.get("validation"),
        test=images.get("test"),
        listing=tuple(reading.lines),
        warnings=tuple(warnings),
    )


def files_alone(listed: ListedFolder) -> FileSource:
    """The same folder, its pictures left on disk: for more of them than memory holds.

    Raises UserError where a class is empty in a split.
    """
    bad: list[FileLine] = []
    parts = {split: _named_files(listed, split, bad) for split in listed.files}
    train = parts[UNSPLIT if UNSPLIT in parts else "train"]
    warnings, listing = tuple(_oddities(listed)), tuple(bad)
    return FileSource(listed.root, listed.classes, train, parts.get("validation"), parts.get("test"), warnings, listing)


def _named_files(listed: ListedFolder, split: str, bad: list[FileLine]) -> PictureFiles:
    """The files of a split that may be opened; a line for each of the others is added to `bad`."""
    names: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(listed.classes):
        before, files = len(names), listed.files[split][name]
        for found in files:
            below = found.path.relative_to(listed.root)
            if found.fault is None:
                names.append(os.fspath(below))
            else:
                bad.append(unopened(printable(below), name, split, found.fault))
        if len(names) == before:
            raise _emptied(name, split, bad[len(bad) - len(files) :] if files else [])
        labels += [label] * (len(names) - before)
    return PictureFiles(tuple(names), np.array(labels, np.int64))


def unopened(path: str, label: str, split: str, fault: str) -> FileLine:
    """The line of a file that must not be opened, so that neither size nor digest is known."""
    return FileLine(path=path, bytes=0, sha256="", label=label, split=split, set_aside=fault)


def _split_folders(root: Path) -> dict[str, Path]:
    """The folder of each split, or the root itself as `UNSPLIT`."""
    found: dict[str, Path] = {}
    for place in subfolders(root):
        split = SPLIT_FOLDERS.get(place.name.lower())
        if split is None:
            continue
        if split in found:
            raise UserError(
                f"{printable(root)} has both {found[split].name}/ and {place.name}/",
                f"both mean the {split} split",
                "keep one of them",
            )
        found[split] = place
    if found and "train" not in found:
        raise UserError(
            f"{printable(root)} has no train/",
            f"it has {', '.join(place.name for place in found.values())}/, so that training pictures belong in train/",
            "add train/ with one folder a class, or give a folder of class folders alone",
        )
    return {split: found[split] for split in ORDER if split in found} or {UNSPLIT: root}


def _class_folders(place: Path) -> dict[str, Path]:
    """The class folders by the name of the class: that of the folder, as it can be printed."""
    found: dict[str, Path] = {}
    for folder in subfolders(place):
        name = printable(folder.name)
        if name in found:
            raise UserError(
                f"{printable(place)} has two folders that are both printed as {name}",
                "one of them has control characters, or bytes that are not UTF-8, in its name",
                "rename one of them",
            )
        found[name] = folder
    return found


def _matched_classes(groups: dict[str, dict[str, Path]], root: Path, least: int) -> tuple[str, ...]:
    """The classes by name; each must be in every split."""
    classes = sorted({name for group in groups.values() for name in group})
    for split, group in groups.items():
        missing = [name for name in classes if name not in group]
        if missing:
            raise UserError(
                f"class {missing[0]!r} is missing from {split}",
                f"{printable(root)} has pictures of it in another split, none in {split}"
                + (f"; also missing there: {', '.join(missing[1:])}" if len(missing) > 1 else ""),
                f"add a folder {missing[0]} with pictures to {split}, or take the class out everywhere",
            )
    if len(classes) < least:
        raise UserError(
            f"{printable(root)} has {len(classes)} class folders",
            "a classifier needs at least two classes, each a folder of pictures",
            "lay the pictures out as CLASS/picture.jpg, or as train/CLASS/picture.jpg beside test/",
        )
    return tuple(classes)


def _read_split(reading: _Reading, split: str, files: dict[str, list[Found]]) -> Images:
    """Decode one split's files in the order of classes and names."""
    preprocess = reading.preprocess
    count = sum(len(found) for found in files.values())
    pixels = np.empty((count, *preprocess.resize_size, preprocess.channels), np.uint8)
    labels: list[int] = []
    paths: list[Path] = []
    for label, name in enumerate(reading.classes):
        before = len(paths)
        for found in files[name]:
            line = _read_file(reading, found, name, split, pixels[len(paths)])
            reading.lines.append(line)
            if line.set_aside is None:
                labels.append(label)
                paths.append(found.path)
        if len(paths) == before:
            raise _emptied(name, split, [line for line in reading.lines if line.label == name and line.split == split])
    return Images(pixels[: len(paths)], np.array(labels, np.int64), tuple(paths))


def _read_file(reading: _Reading, found: Found, label: str, split: str, out: Pixels) -> FileLine:
    """Decode one file into `out` [H, W, C]; what could not be done is in the line's `set_aside`.

    A file that was never read has no digest.
    """
    content, fault = None, found.fault
    try:
        if fault is None:
            content = read_picture(found.path)
            out[:] = resized(decode_bytes(content, reading.preprocess.channels), reading.preprocess)
    except DecodeError as error:
        fault = error.reason
    return FileLine(
        path=printable(found.path.relative_to(reading.root).as_posix()),
        bytes=len(content or b""),
        sha256="" if content is None else hashlib.sha256(content).hexdigest(),
        label=label,
        split=split,
        set_aside=fault,
    )


def set_aside_warnings(bad: list[FileLine], files: int, *, skip_bad: bool) -> list[str]:
    """The warning about the files set aside of so many; raises UserError where they are more than one in a hundred."""
    if not bad:
        return []
    text = f"{len(bad)} of {files} files cannot be used: {_named(bad)}"
    if len(bad) > MOST_SET_ASIDE * files and not skip_bad:
        raise UserError(
            text,
            f"more than {MOST_SET_ASIDE:.0%} bad files is more than an accident; nothing was changed in the folder",
            "repair or remove them, or go on without them by --skip-bad",
        )
    return [text]


def _emptied(label: str, split: str, lines: list[FileLine]) -> UserError:
    where = "" if split == UNSPLIT else f" in {split}"
    return UserError(
        f"class {label!r} has no usable picture{where}",
        f"all {len(lines)} files were set aside: {_named(lines)}" if lines else "its folder is empty",
        "put pictures there (JPEG, PNG, WebP, BMP, GIF, TIFF), or take the class out everywhere",
    )


def _named(lines: list[FileLine]) -> str:
    """The first few files with their reasons."""
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "; ".join(f"{line.path} ({line.set_aside})" for line in lines[:_SHOWN]) + more


def _oddities(listed: ListedFolder) -> list[str]:
    """Warnings about what lies beside the class folders, and about names other systems confuse."""
    root, splits = listed.root, listed.splits
    places = {root, *splits.values()}
    bare = listed.classes == (UNLABELLED,)
    outside = [] if bare else [path for place in sorted(places) for path in loose_files(place)]
    if UNSPLIT not in splits:
        outside += [path for path in subfolders(root) if path not in splits.values()]
    warnings: list[str] = []
    if "train" in splits and "test" not in splits:
        warnings.append("there is no test/: a share of train/ is held out to be it")
    if outside:
        names = ", ".join(printable(path.relative_to(root)) for path in outside[:_SHOWN])
        warnings.append(f"{len(outside)} entries outside the class folders are not used: {names}")
    return warnings + _odd_names(listed)


def _odd_names(listed: ListedFolder) -> list[str]:
    """Warnings about names that other systems confuse or cannot hold; here they are taken as they are."""
    warnings: list[str] = []
    if alike := one_elsewhere(listed.classes):
        warnings.append(
            "some class names differ only in upper and lower case, or in how their letters are composed: "
            f"other systems take them for one ({', '.join(alike[0])})"
        )
    paths = [found.path for group in listed.files.values() for files in group.values() for found in files]
    below = [printable(path.relative_to(listed.root).as_posix()) for path in paths]
    alike = [group for group in one_elsewhere(below) if len({one.rpartition("/")[0] for one in group}) == 1]
    if alike:
        count = sum(len(group) for group in alike)
        warnings.append(
            f"{count} files have names that other systems take for those of others: {', '.join(alike[0][:_SHOWN])}"
        )
    odd = [shown for path, shown in zip(paths, below, strict=True) if not is_portable(path.name)]
    odd += [name for name in listed.classes if not is_portable(name)]
    if odd:
        warnings.append(f"{len(odd)} names cannot be used on every system: {', '.join(odd[:_SHOWN])}")
    return warnings
