"""CIFAR-10 and CIFAR-100 in their makers' binary layout.

Each picture is a row: one label byte (CIFAR-100: a coarse and a fine one), then 1,024 red, 1,024 green and 1,024
blue values of 32 x 32 pixels. Source: Alex Krizhevsky's page "The CIFAR-10 dataset"; Krizhevsky 2009, "Learning
Multiple Layers of Features from Tiny Images".
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from econet.data.dataset import Images
from econet.data.download import Archive, download_members
from econet.data.sources.places import download_folder, search_folders
from econet.data.sources.source import Source
from econet.errors import UserError

_PIXELS = 3 * 32 * 32


@dataclass(frozen=True, slots=True)
class Layout:
    """One of the two sets: its files, how many label bytes lead a row (the last one counts), what was published.

    `rows` is how many pictures the makers' file of that name has; `digests` are SHA-256 of their files.
    """

    name: str
    folder: str
    train: tuple[str, ...]
    test: str
    names: str
    label_bytes: int
    rows: dict[str, int]
    archive: Archive
    digests: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def files(self) -> tuple[str, ...]:
        """All files that a complete copy has."""
        return (*self.train, self.test, self.names)


_BATCHES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))

CIFAR10 = Layout(
    name="cifar10",
    folder="cifar-10-batches-bin",
    train=_BATCHES,
    test="test_batch.bin",
    names="batches.meta.txt",
    label_bytes=1,
    rows=dict.fromkeys((*_BATCHES, "test_batch.bin"), 10_000),
    archive=Archive(
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        md5="c32a1d4ab5d03f1284b67883e8d87530",
        largest_member=40_000_000,
    ),
    digests={
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        "batches.meta.txt": "558e74b5e208382e186da55784b4bac2cd52e558448e1b5800990fdb28ed8033",
    },
)
CIFAR100 = Layout(
    name="cifar100",
    folder="cifar-100-binary",
    train=("train.bin",),
    test="test.bin",
    names="fine_label_names.txt",
    label_bytes=2,
    rows={"train.bin": 50_000, "test.bin": 10_000},
    archive=Archive(
        url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        md5="03b5dce01913d631647c71ecec9e9cb8",
        largest_member=200_000_000,
    ),
)


def cifar(layout: Layout, data_dir: Path | None = None, *, download: bool = False) -> Source:
    """The set, found where `search_folders` says (or in the makers' subfolder there), or downloaded.

    Raises UserError that names where it looked; that names a file which is missing, cut or not the makers'.
    """
    folder = _find(layout, data_dir)
    if folder is None and download:
        folder = download_folder(data_dir) / layout.folder
        download_members(layout.archive, layout.folder, layout.files, layout.digests, folder)
    if folder is None:
        raise _absent(layout, data_dir)
    classes = _class_names(folder / layout.names)
    warnings: list[str] = []
    batches = [_read(layout, folder / name, len(classes), warnings) for name in layout.train]
    train = Images(np.concatenate([b.pixels for b in batches]), np.concatenate([b.labels for b in batches]))
    test = _read(layout, folder / layout.test, len(classes), warnings)
    return Source(classes=classes, train=train, validation=None, test=test, warnings=tuple(warnings))


def cifar_test_pictures(layout: Layout, data_dir: Path | None = None) -> tuple[tuple[str, ...], Images] | None:
    """Class names and test pictures alone, or None where the set is not on this machine.

    Raises UserError where one of the two files is missing, cut or not the makers'.
    """
    folder = _find(layout, data_dir)
    if folder is None:
        return None
    classes = _class_names(folder / layout.names)
    return classes, _read(layout, folder / layout.test, len(classes), [])


def _find(layout: Layout, data_dir: Path | None) -> Path | None:
    """The first folder with any of the set's pictures: what else is missing there is then said by name."""
    for base in search_folders(data_dir):
        for folder in (base / layout.folder, base):
            if any((folder / name).is_file() for name in (*layout.train, layout.test)):
                return folder
    return None


def _absent(layout: Layout, data_dir: Path | None) -> UserError:
    looked = ", ".join(str(folder) for folder in search_folders(data_dir))
    return UserError(
        f"{layout.name} is not on this machine",
        f"no {layout.train[0]} was found in {looked}, nor in a {layout.folder}/ there",
        "--download fetches it from its makers; or name the folder that holds it with --data-dir",
    )


def _class_names(path: Path) -> tuple[str, ...]:
    try:
        names = tuple(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, str(error)) from error
    if len(names) < 2 or len(set(names)) != len(names):
        raise _unusable(path, f"it should hold different class names, one a line; it holds {len(names)}")
    return names


def _read(layout: Layout, path: Path, classes: int, warnings: list[str]) -> Images:
    """One file's pictures [N, 32, 32, 3] and labels."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    width = layout.label_bytes + _PIXELS
    count, rest = divmod(len(content), width)
    if rest or not count:
        raise _unusable(
            path, f"its {len(content):,} bytes are not whole rows of {width:,}: it was cut or is another file"
        )
    if count != layout.rows[path.name]:
        warnings.append(f"{path.name} holds {count:,} pictures, the makers' {layout.rows[path.name]:,}")
    elif (wanted := layout.digests.get(path.name)) and hashlib.sha256(content).hexdigest() != wanted:
        raise _unusable(path, f"it has the makers' size but not their content (SHA-256 {wanted})")
    rows = np.frombuffer(content, np.uint8).reshape(count, width)
    labels = rows[:, layout.label_bytes - 1].astype(np.int64)
    if labels.max() >= classes:
        raise _unusable(path, f"row {int(labels.argmax())} has label {labels.max()}, but there are {classes} classes")
    planes = rows[:, layout.label_bytes :].reshape(count, 3, 32, 32)
    return Images(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels)


def _unusable(path: Path, why: str) -> UserError:
    return UserError(
        f"cannot use {path}", why, "restore the file, or move its folder away and fetch the set with --download"
    )
