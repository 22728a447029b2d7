"""Dataset: many labelled images in memory, split into training, validation and test."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from econet.data.pixel_statistics import PixelStatistics
from econet.data.split import Indices
from econet.images.preprocess import Pixels, Preprocess


@dataclass(frozen=True, slots=True)
class Images:
    """One split: `pixels` uint8 [N, H, W, C] at the store's size, `labels` int64 [N].

    `files` are the pictures on disk in the same order, where the source is a folder of photos; else empty.
    `rows` int64 [N] are their places in the source's own file, counted from 0, where it has one.
    """

    pixels: Pixels
    labels: NDArray[np.int64]
    files: tuple[Path, ...] = ()
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: Indices) -> "Images":
        """Those at `positions`, in that order."""
        files = tuple(self.files[position] for position in positions) if self.files else ()
        rows = None if self.rows is None else self.rows[positions]
        return Images(self.pixels[positions], self.labels[positions], files, rows)


@dataclass(frozen=True, slots=True)
class FileLine:
    """One line of `data.jsonl`: a file of a photo folder and what became of it."""

    path: str
    bytes: int
    sha256: str
    label: str
    split: str
    set_aside: str | None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled images with their classes, their preprocessing and a fingerprint of all of it.

    `fingerprint` is the SHA-256 over classes, splits, labels and pixels: two data sets with the same one are
    the same data, split the same way. `source` is what the user typed; `name` is short enough for a folder.
    `beyond` is the gray level of what lies beyond a picture's edge; None: the preprocessing's offset.
    `fold` is (number from 0, of how many) where the test pictures are one of several parts of all of them.
    `unlabelled`: every label was forgotten, and the classes are those of the pretext task (`data.unlabelled`).
    `statistics` are there for streamed pictures, whose `pixels` decode when indexed (`data.stream`), else None.
    """

    name: str
    source: str
    train: Images
    validation: Images
    test: Images
    classes: tuple[str, ...]
    preprocess: Preprocess
    fingerprint: str
    split_seed: int
    validation_fraction: float
    listing: tuple[FileLine, ...] = ()
    warnings: tuple[str, ...] = ()
    statistics: PixelStatistics | None = None
    beyond: int | None = None
    fold: tuple[int, int] | None = None
    unlabelled: bool = False
