"""ILSVRC as its makers lay it out: listed, never decoded here.

`train/<wnid>/*.JPEG` gives classes and training pictures. `val/` holds either class folders too, or the official
`ILSVRC2012_val_00000001.JPEG` ... with a line a picture in `ILSVRC2012_validation_ground_truth.txt`. The numbers there
are ILSVRC2012_IDs, not places in the sorted classes: a list of the wnids in the devkit's order says which is which.
The makers' validation pictures are what everybody reports on, so they are EcoNet's test split.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from econet.data.dataset import FileLine
from econet.data.sources.folder import unopened
from econet.data.sources.listed import FileSource, PictureFiles
from econet.data.sources.photo_files import Found, files_below, loose_files, printable, subfolders
from econet.data.sources.places import search_folders
from econet.errors import UserError

NAME = "imagenet"
TRUTH = "ILSVRC2012_validation_ground_truth.txt"
# `map_clsloc.txt` is how later devkits bring the same list; each of its lines states the ID.
SYNSETS = ("synsets.txt", "map_clsloc.txt")
# Where the devkit's files may lie, below the root.
DEVKIT = (".", "val", "data", "devkit/data", "ILSVRC2012_devkit_t12/data")
# The makers' order is not the alphabet's. Of so many classes a sorted list is somebody's list of folder names.
_SORTED_IS_WRONG_FROM = 10
_SHOWN = 5

_WNID = re.compile(r"n\d{8}")
_NUMBERED = re.compile(r"_(\d{8})\.jpe?g$", re.IGNORECASE)


def find_imagenet(data_dir: Path | None) -> Path:
    """The folder of ILSVRC among the data folders: `imagenet/` in one of them, or one itself.

    Raises UserError that says where it looked and what belongs there.
    """
    places = search_folders(data_dir)
    for base in places:
        for folder in (base / NAME, base):
            if is_imagenet(folder):
                return folder
    raise UserError(
        f"{NAME} is not on this machine",
        f"no {NAME}/train/<wnid>/ was found in {', '.join(str(place) for place in places)}",
        "put train/ and val/ of ILSVRC2012 into a folder imagenet/ there (docs/imagenet.md), or name it by --data-dir",
    )


def is_imagenet(folder: Path) -> bool:
    """Whether `folder` has the shape of ILSVRC: train/ with class folders that are all named by a wnid."""
    train = folder / "train"
    if not train.is_dir():
        return False
    names = [place.name for place in subfolders(train)]
    return len(names) > 1 and all(_WNID.fullmatch(name) for name in names)


def imagenet(folder: Path) -> FileSource:
    """List the pictures of ILSVRC in `folder`: classes are the wnids, sorted; val/ is the test split.

    Raises UserError for a class that is missing or empty in either split, and for a ground truth that is missing, does
    not fit the pictures or is in no known order.
    """
    root = folder.resolve()
    classes = tuple(place.name for place in subfolders(root / "train"))
    bad: list[FileLine] = []
    train = _class_folders(root, "train", classes, bad)
    if not (root / "val").is_dir():
        raise UserError(
            f"{printable(root)} has no val/",
            "ILSVRC's validation pictures are what a network is tested on",
            "put them into val/, sorted by class or with their ground truth (docs/imagenet.md)",
        )
    sorted_out = subfolders(root / "val")
    test = _class_folders(root, "val", classes, bad) if sorted_out else _numbered(root, classes, bad)
    warnings: list[str] = []
    if outside := loose_files(root / "train"):
        names = _named(printable(path.name) for path in outside)
        warnings.append(f"{len(outside)} files in train/ itself are not used: {names}")
    return FileSource(root, classes, train, None, test, tuple(warnings), tuple(bad))


def _class_folders(root: Path, split: str, classes: tuple[str, ...], bad: list[FileLine]) -> PictureFiles:
    """The files of `split`, a folder of pictures for every class."""
    folders = {place.name: place for place in subfolders(root / split)}
    _same_classes(root, split, classes, folders)
    names: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        usable = _usable(root, files_below(folders[name], root), name, split, bad)
        if not usable:
            raise UserError(
                f"class {name} has no picture in {split}",
                f"{printable(root / split / name)} holds none",
                "put its pictures there, or take the class out everywhere",
            )
        names += usable
        labels += [label] * len(usable)
    return PictureFiles(tuple(names), np.array(labels, np.int64))


def _numbered(root: Path, classes: tuple[str, ...], bad: list[FileLine]) -> PictureFiles:
    """The files of a flat val/, labelled by the devkit's ground truth."""
    truth = _ground_truth(root)
    found = {
        int(numbered[1]): name
        for name in _usable(root, files_below(root / "val", root), "", "val", bad)
        if (numbered := _NUMBERED.search(name))
    }
    if len(found) != len(truth) or set(found) != set(range(1, len(truth) + 1)):
        absent = [number for number in range(1, len(truth) + 1) if number not in found]
        raise UserError(
            f"{printable(root / 'val')} holds {len(found):,} pictures, its ground truth {len(truth):,} lines",
            f"no picture is numbered {_named(absent)}" if absent else "some numbers are above the last line",
            "extract ILSVRC2012_img_val.tar again; a line of the ground truth stands for a picture",
        )
    _same_classes(root, "val", classes, truth)
    label_of = {name: label for label, name in enumerate(classes)}
    labels = np.array([label_of[name] for name in truth], np.int64)
    return PictureFiles(tuple(found[number] for number in sorted(found)), labels)


def _ground_truth(root: Path) -> list[str]:
    """The wnid of each validation picture, in the order of their numbers."""
    path = _devkit_file(root, (TRUTH,))
    if path is None:
        raise UserError(
            f"the pictures in {printable(root / 'val')} have no labels",
            f"they lie in no class folders, and there is no {TRUTH} in {printable(root)}",
            f"copy {TRUTH} there from the devkit (docs/imagenet.md), or sort the pictures into val/<wnid>/",
        )
    synsets = _synsets(root)
    wnids: list[str] = []
    for number, line in enumerate(_lines(path), start=1):
        wnid = synsets.get(int(line)) if line.isdecimal() else None
        if wnid is None:
            raise UserError(
                f"{printable(path)} line {number} names no class",
                f"it reads {line!r}, and the classes are numbered 1 to {max(synsets)}",
                f"take {TRUTH} and the list of synsets from the same devkit",
            )
        wnids.append(wnid)
    return wnids


def _synsets(root: Path) -> dict[int, str]:
    """The wnid of every ILSVRC2012_ID.

    A line reads `wnid`, `wnid words`, `wnid ID words` or `ID wnid words`; without IDs the lines are in their order.
    """
    path = _devkit_file(root, SYNSETS)
    if path is None:
        raise UserError(
            "the numbers of the ground truth stand for no classes",
            f"there is no {' or '.join(SYNSETS)} in {printable(root)}; the devkit keeps the order in its meta.mat",
            "write synsets.txt, a wnid a line in the order of ILSVRC2012_ID: docs/imagenet.md has the command",
        )
    rows = [line.replace(":", " ").split() for line in _lines(path)]
    wnids = [next((word for word in row[:2] if _WNID.fullmatch(word)), None) for row in rows]
    numbers = [next((int(word) for word in row[:2] if word.isdecimal()), None) for row in rows]
    if None in wnids:
        raise UserError(
            f"{printable(path)} line {wnids.index(None) + 1} names no class",
            "a line begins with a wnid such as n02119789, or with its number and a wnid",
            "correct the line",
        )
    named = [str(wnid) for wnid in wnids]
    stated = [number for number in numbers if number is not None]
    if len(stated) == len(named):
        return dict(zip(stated, named, strict=True))
    if len(named) >= _SORTED_IS_WRONG_FROM and named == sorted(named):
        raise UserError(
            f"{printable(path)} is in the order of the alphabet",
            "the ground truth counts the classes in the devkit's order, which is another",
            "write it from the devkit's meta.mat: docs/imagenet.md has the command",
        )
    return dict(enumerate(named, start=1))


def _same_classes(root: Path, split: str, classes: tuple[str, ...], found: Iterable[str]) -> None:
    found = set(found)
    for here, there, absent in (
        (split, "train", [name for name in classes if name not in found]),
        ("train", split, sorted(found - set(classes))),
    ):
        if absent:
            raise UserError(
                f"class {absent[0]} is missing from {here}",
                f"{printable(root)} has pictures of it in {there}, none in {here}"
                + (f"; also missing there: {_named(absent[1:])}" if len(absent) > 1 else ""),
                f"add its pictures to {here}, or take the class out everywhere",
            )


def _usable(root: Path, files: Iterable[Found], label: str, split: str, bad: list[FileLine]) -> list[str]:
    """The names below `root` of the files that may be opened; a line for each of the others is added to `bad`."""
    names: list[str] = []
    for found in files:
        name = os.fspath(found.path)[len(os.fspath(root)) + 1 :]
        if found.fault is None:
            names.append(name)
        else:
            bad.append(unopened(printable(name), label, "test" if split == "val" else split, found.fault))
    return names


def _devkit_file(root: Path, names: Iterable[str]) -> Path | None:
    places = [root / place / name for name in names for place in DEVKIT]
    return next((place for place in places if place.is_file()), None)


def _lines(path: Path) -> list[str]:
    """The lines of a text file that say something. Raises UserError where it cannot be read or says nothing."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError as error:
        raise UserError(
            f"cannot read {printable(path)}", error.strerror or str(error), "check its permissions"
        ) from error
    said = [line for line in lines if line]
    if not said:
        raise UserError(f"{printable(path)} is empty", "it has no line", "take the file from the devkit again")
    return said


def _named(values: Iterable[object]) -> str:
    shown = [str(value) for value in values]
    return ", ".join(shown[:_SHOWN]) + (", ..." if len(shown) > _SHOWN else "")
