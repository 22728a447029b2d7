"""Pictures of a split that stay on disk and are decoded when they are asked for, by worker processes."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from econet.data.dataset import Images
from econet.data.decode_worker import PIECE, decode_into
from econet.data.decoders import Decoders
from econet.data.sources.listed import PictureFiles
from econet.data.split import Indices
from econet.data.store import check_memory
from econet.errors import UserError
from econet.images.preprocess import Pixels, Preprocess

# Pictures handed out at a time to who goes through a split once.
PART = 500


@dataclass(frozen=True, slots=True)
class SetAside:
    """A training picture that cannot be decoded, why, and the one of its class that stands in for it."""

    file: str
    reason: str
    stand_in: str


def _unheard(line: SetAside) -> None:
    """Nobody listens yet."""


class StreamedPixels:
    """Stands in for the array uint8 [N, H, W, C] of a split: what is indexed is decoded, nothing is kept.

    A picture that cannot be decoded is a UserError, or with `stand_ins` the next one of its class takes its place,
    the same in every epoch; `told` hears of it once a picture.
    """

    ndim = 4
    dtype = np.dtype(np.uint8)

    def __init__(
        self, root: Path, files: PictureFiles, preprocess: Preprocess, decoders: Decoders, *, stand_ins: bool = False
    ) -> None:
        self.shape = (len(files), *preprocess.resize_size, preprocess.channels)
        self.told: Callable[[SetAside], None] = _unheard
        self._root = root
        self._files = files
        self._preprocess = preprocess
        self._decoders = decoders
        self._stand_ins: dict[int, int] | None = {} if stand_ins else None

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, key: int | slice | Indices) -> Pixels:
        """The pictures [n, H, W, C] of a slice or of positions [n], or the one [H, W, C] of a single position.

        Raises UserError where so many do not fit into memory.
        """
        if isinstance(key, int | np.integer):
            return self[np.array([key])][0]
        positions = np.arange(len(self))[key]
        check_memory(len(positions), self._preprocess.resize_size, self._preprocess.channels)
        return next(iter(self.batches([positions])))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All of them. Raises UserError where they do not fit into memory."""
        return self[:].astype(dtype or np.uint8, copy=False)

    def batches(self, wanted: Sequence[Indices]) -> Generator[Pixels]:
        """The pictures of each of `wanted`, positions [n], as fresh arrays in turn; later ones are decoded meanwhile.

        Any other use of this split or its sisters ends what was begun here.
        """
        pieces = ([self._path(position) for position in piece] for piece in _pieces(wanted))
        decoded = self._decoders.decoded(pieces)
        for positions in wanted:
            batch = np.empty((len(positions), *self.shape[1:]), np.uint8)
            for start in range(0, len(positions), PIECE):
                pixels, faults = next(decoded)
                batch[start : start + len(pixels)] = pixels
                for row, reason in faults.items():
                    self._replace(batch[start + row], int(positions[start + row]), reason)
            yield batch

    def faults(self) -> dict[int, str]:
        """Decode every picture once and say which cannot be, and why."""
        found: dict[int, str] = {}
        pieces = ([self._path(position) for position in piece] for piece in _pieces([np.arange(len(self))]))
        for number, (_, faults) in enumerate(self._decoders.decoded(pieces)):
            found |= {number * PIECE + row: reason for row, reason in faults.items()}
        return found

    def name(self, position: int) -> str:
        """The file of the picture at `position`, below the source's folder."""
        return self._files.names[position]

    def _path(self, position: int) -> bytes:
        return os.fsencode(self._root / self._files.names[position])

    def _replace(self, out: Pixels, position: int, reason: str) -> None:
        """Fill `out` [H, W, C] with the picture that stands in for `position`."""
        name = self._files.names[position]
        if self._stand_ins is None:
            raise UserError(
                f"{self._root / name} cannot be decoded any more",
                f"it could be when the data were loaded; now: {reason}",
                "put the file back as it was, then go on with --resume",
            )
        if position not in self._stand_ins:
            self._stand_ins[position] = self._next_whole(position, reason)
            self.told(SetAside(name, reason, self._files.names[self._stand_ins[position]]))
        self._decoded_here(self._stand_ins[position], out)

    def _next_whole(self, position: int, reason: str) -> int:
        """The next picture of the same class, in the order of the listing and round its end, that can be decoded."""
        same = np.flatnonzero(self._files.labels == self._files.labels[position])
        place = int(np.searchsorted(same, position))
        spare = np.empty(self.shape[1:], np.uint8)
        for candidate in (*same[place + 1 :], *same[:place]):
            if not self._decoded_here(int(candidate), spare):
                return int(candidate)
        raise UserError(
            f"no picture of the class of {self._root / self._files.names[position]} can be decoded",
            f"this one: {reason}",
            "repair the files of this class, or take the class out everywhere",
        )

    def _decoded_here(self, position: int, out: Pixels) -> bool:
        """Decode one picture into `out` [H, W, C] in this process; whether that failed."""
        return bool(decode_into(out[None], (self._path(position),), self._preprocess))


def streamed_images(pixels: StreamedPixels, labels: NDArray[np.int64], files: tuple[Path, ...] = ()) -> Images:
    """A split of streamed pictures. Its `pixels` pass for an array wherever they are only indexed and measured."""
    return Images(cast("Pixels", pixels), labels, files)


def as_streamed(pixels: Pixels) -> StreamedPixels | None:
    """The streamed pictures that stand in for an array; None where it is one."""
    found: object = pixels
    return found if isinstance(found, StreamedPixels) else None


def in_parts(pixels: Pixels) -> Iterator[Pixels]:
    """An array as it is; streamed pictures in parts of a few hundred, the next ones decoded meanwhile."""
    streamed = as_streamed(pixels)
    if streamed is None:
        return iter([pixels])
    return streamed.batches([np.arange(start, min(start + PART, len(pixels))) for start in range(0, len(pixels), PART)])


def in_memory(images: Images, most: int) -> Images:
    """A split as it is where it lies in memory; of a streamed one `most` pictures, evenly spread, decoded."""
    if as_streamed(images.pixels) is None:
        return images
    rows = np.linspace(0, len(images) - 1, min(most, len(images))).round().astype(np.intp)
    return images.take(rows)


def _pieces(wanted: Sequence[Indices]) -> Iterator[Indices]:
    for positions in wanted:
        for start in range(0, len(positions), PIECE):
            yield positions[start : start + PIECE]
