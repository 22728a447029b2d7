"""The teacher's answers to a few augmented views of every training picture, kept in the run folder while it trains.

One file of float16 holds [views, images, classes]; a journal beside it has a line for every block of rows that is
whole: its place and the SHA-256 of its bytes. A kill may cost the block that was being written, never an earlier one.
"""

import hashlib
import os
import shutil

import msgspec
import numpy as np
import torch
from torch import Tensor

from econet.errors import UserError
from econet.files import append_line, cannot_write, remove, sha256_of, write_whole
from econet.runs.folder import Run
from econet.runs.record import Record
from econet.training import parallel
from econet.training.progress import Progress

BYTES_A_LOGIT = 2
# Batches that a teacher is asked about before its answers are written and a signal is obeyed.
ASKED_BATCHES = 8
LARGEST = float(np.finfo(np.float16).max)


class Header(Record, frozen=True, kw_only=True):
    """The journal's first line: whose answers these are - of the run with this `config.json` - and their shape."""

    config_sha256: str
    shape: tuple[int, int, int]
    block: int


class Block(Record, frozen=True, kw_only=True):
    """A line of the journal: rows from `first` on of one view."""

    view: int
    first: int
    sha256: str


class KeptLogits:
    """Logits of `shape` (views, images, classes), asked once for each and read as often as wanted.

    Written in blocks of `block` images. What a run before left here is taken over where it is this run's own and whole;
    a note says where it is not.
    """

    def __init__(self, run: Run, shape: tuple[int, int, int], block: int, progress: Progress) -> None:
        self.path, self._journal = run.folder / "teacher_logits.f16", run.folder / "teacher_logits.jsonl"
        self._shape, self._block = shape, block
        self._header = Header(config_sha256=sha256_of(run.config_path), shape=shape, block=block)
        self._whole: set[tuple[int, int]] = set()
        self._progress = progress
        if self._journal.exists() or self.path.exists():
            self._take_over()
        else:
            self._progress.note(self._announcement())

    @property
    def views(self) -> int:
        """How many views there are."""
        return self._shape[0]

    @property
    def bytes(self) -> int:
        """What the file takes on disk."""
        return int(np.prod(self._shape)) * BYTES_A_LOGIT

    def missing(self, view: int) -> list[Tensor]:
        """The images [n] of each block of `view` that is still to be asked for."""
        images = self._shape[1]
        return [
            torch.arange(first, min(first + self._block, images))
            for first in range(0, images, self._block)
            if (view, first) not in self._whole
        ]

    def keep(self, view: int, images: Tensor, logits: Tensor) -> None:
        """Write the `logits` [n, K] of one of the blocks that were missing.

        Raises UserError where the folder cannot be written or the disk is full.
        """
        first = int(images[0])
        content = logits.float().clamp(-LARGEST, LARGEST).half().cpu().numpy().tobytes()
        if not self._journal.exists():
            self._begin()
        try:
            with self.path.open("r+b") as stream:
                stream.seek(self._place(view, first))
                stream.write(content)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        line = Block(view=view, first=first, sha256=hashlib.sha256(content).hexdigest())
        append_line(self._journal, msgspec.json.encode(line).decode())
        self._whole.add((view, first))

    def of(self, view: int, images: Tensor) -> Tensor:
        """The logits of `images` [n] in that view, which must not be missing: float32 [n, K] on the CPU."""
        return torch.from_numpy(np.array(self._stored()[view, images.numpy()])).float()

    def remove(self) -> None:
        """Drop both files: training needs them no more."""
        remove(self._journal, self.path)  # in this order: what is left of the other is then nobody's

    def _stored(self) -> np.memmap:
        return np.memmap(self.path, np.float16, "r", shape=self._shape)

    def _place(self, view: int, first: int) -> int:
        _, images, classes = self._shape
        return (view * images + first) * classes * BYTES_A_LOGIT

    def _announcement(self) -> str:
        views, images, _ = self._shape
        return (
            f"the teacher's answers to {views} views of {images:,} images are kept in {self.path}: "
            f"{self.bytes / 1e6:.1f} MB, removed when the run is finished"
        )

    def _begin(self) -> None:
        """Make an empty file of the full size, then the journal that vouches for nothing yet."""
        folder = self.path.parent
        free = shutil.disk_usage(folder).free
        if free < self.bytes:
            raise UserError(
                f"{self.path} does not fit on the disk",
                f"it will take {self.bytes / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free",
                "fewer --teacher-views, or a folder with more room: --out NEW",
            )
        try:
            self.path.write_bytes(b"")
            os.truncate(self.path, self.bytes)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        write_whole(self._journal, msgspec.json.encode(self._header) + b"\n")

    def _take_over(self) -> None:
        """Find out which blocks on disk are whole. What is not this run's own, or not of this size, is dropped."""
        lines = self._read()
        if lines is None or not self.path.exists() or self.path.stat().st_size != self.bytes:
            self._progress.note(f"{self.path} is not this run's, or damaged: the teacher is asked again")
            self.remove()
            return
        whole = [line for line in lines if self._is_whole(line)]
        self._whole = {(line.view, line.first) for line in whole}
        if len(whole) < len(lines):
            self._progress.note(
                f"{len(lines) - len(whole)} of {len(lines)} blocks of {self.path} are damaged: "
                f"the teacher is asked for them again"
            )
        # Also where all are whole: a torn last line would swallow the next one.
        write_whole(self._journal, b"".join(msgspec.json.encode(line) + b"\n" for line in (self._header, *whole)))

    def _read(self) -> list[Block] | None:
        """The journal's blocks, but for a torn last line; None where it is absent, another run's or damaged."""
        if not self._journal.exists():
            return None
        first, *lines = self._journal.read_bytes().split(b"\n")
        try:
            if msgspec.json.decode(first, type=Header) != self._header:
                return None
            return [msgspec.json.decode(line, type=Block) for line in lines[:-1]]
        except msgspec.MsgspecError:
            return None

    def _is_whole(self, line: Block) -> bool:
        views, images, _ = self._shape
        if not (0 <= line.view < views and 0 <= line.first < images and line.first % self._block == 0):
            return False
        rows = self._stored()[line.view, line.first : line.first + self._block]
        return hashlib.sha256(rows.tobytes()).hexdigest() == line.sha256


def check_processes() -> None:
    """Raises UserError under several processes: they would ask and write at the same time."""
    if parallel.processes() > 1:
        raise UserError(
            f"{parallel.processes()} processes cannot keep a teacher's answers",
            "one process asks for them and reads them back",
            "leave torchrun out; or start without --teacher-views, and the teacher is asked at every step",
        )


def kept_logits_for(run: Run, train_images: int, progress: Progress) -> KeptLogits | None:
    """Where a run keeps its teacher's answers, of as many views as it has epochs at most; None where it does not.

    Raises UserError under several processes.
    """
    config = run.config
    taught = config.training.teacher
    if taught is None or taught.views is None:
        return None
    check_processes()
    shape = (min(taught.views, config.plan.epochs), train_images, len(config.data.classes))
    return KeptLogits(run, shape, ASKED_BATCHES * config.training.batch_size, progress)
