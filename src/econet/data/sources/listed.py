"""What a source hands over whose pictures stay on disk: names and labels, nothing decoded."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from econet.data.dataset import FileLine
from econet.data.split import Indices


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """The files of one split: `names` below the source's root, `labels` int64 [N] in the same order."""

    names: tuple[str, ...]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, positions: Indices) -> "PictureFiles":
        """Those at `positions`, in that order."""
        return PictureFiles(tuple(self.names[position] for position in positions), self.labels[positions])


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files by split below `root`; `validation` and `test` are None where the source brings none of its own.

    `listing` has a line for every file that must not be opened: a pipe, a link that leaves the folder.
    """

    root: Path
    classes: tuple[str, ...]
    train: PictureFiles
    validation: PictureFiles | None
    test: PictureFiles | None
    warnings: tuple[str, ...] = ()
    listing: tuple[FileLine, ...] = ()
