"""A Dataset whose pictures stay on disk: split by their labels, measured on a sample, decoded when they are needed."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from msgspec import structs

from econet.data.dataset import Dataset, FileLine
from econet.data.decoders import Decoders
from econet.data.pixel_statistics import PixelStatistics, pixel_statistics
from econet.data.sources.folder import set_aside_warnings
from econet.data.sources.listed import FileSource, PictureFiles
from econet.data.sources.photo_files import printable
from econet.data.split import divided, shuffled
from econet.data.stream import PART, SetAside, StreamedPixels, streamed_images
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.statistics.streams import stream_seed

# Training pictures that are measured. A pixel of their mean image is off by about 0.7 grey levels (standard deviation
# of pixels some 70, divided by the root of 10,000), which is far less than what one layer of the network would notice.
SAMPLE = 10_000


@dataclass(slots=True)
class _Aside:
    """What gathers of files that are not used: warnings for the screen, a line each for `data.jsonl`."""

    warnings: list[str]
    lines: list[FileLine] = field(default_factory=list[FileLine])


def streamed_dataset(
    found: FileSource,
    preprocess: Preprocess,
    *,
    name: str,
    source: str,
    validation: float,
    seed: int,
    skip_bad: bool,
) -> Dataset:
    """The Dataset of `found`, split as one in memory would be.

    Held-out pictures are all decoded once, and those that cannot be are set aside; of the training pictures SAMPLE,
    drawn by `seed`, are measured, and one that cannot be decoded is later stood in for (`data.stream`).
    The Dataset's listing has a line for each that is set aside, none for the others.
    Raises UserError where more than one picture in a hundred is bad and `skip_bad` is not set, or a class is left
    without a picture.
    """
    decoders = Decoders(preprocess)
    train, held, test = divided(found.train, found.validation, found.test, validation, seed, found.classes)
    listed = sum(len(files) for files in (train, held, test)) + len(found.listing)
    aside = _Aside([*found.warnings, *set_aside_warnings(list(found.listing), listed, skip_bad=skip_bad)])
    aside.lines += found.listing
    held = _whole(found, held, "validation", decoders, preprocess, aside, skip_bad=skip_bad)
    test = _whole(found, test, "test", decoders, preprocess, aside, skip_bad=skip_bad)
    statistics = _measured(found, train, decoders, preprocess, aside, seed, skip_bad=skip_bad)
    held_out = [
        streamed_images(
            StreamedPixels(found.root, files, preprocess, decoders),
            files.labels,
            tuple(found.root / each for each in files.names),
        )
        for files in (held, test)
    ]
    return Dataset(
        name=name,
        source=source,
        train=streamed_images(StreamedPixels(found.root, train, preprocess, decoders, stand_ins=True), train.labels),
        validation=held_out[0],
        test=held_out[1],
        classes=found.classes,
        preprocess=structs.replace(preprocess, offset=statistics.offset, scale=statistics.scale),
        fingerprint=files_fingerprint(found, preprocess, (train, held, test)),
        split_seed=seed,
        validation_fraction=validation,
        listing=tuple(aside.lines),
        warnings=tuple(aside.warnings),
        statistics=statistics,
    )


def files_fingerprint(found: FileSource, preprocess: Preprocess, splits: Iterable[PictureFiles]) -> str:
    """SHA-256 over classes, the store's size, and of each split in turn its labels and its files' names and bytes.

    The sizes of the files stand for their contents, which nobody reads through for this.
    """
    store = (preprocess.resize, preprocess.resize_size, preprocess.channels)
    digest = hashlib.sha256(msgspec.json.encode([list(found.classes), store]))
    for files in splits:
        digest.update(np.ascontiguousarray(files.labels, "<i8").data)
        for name in files.names:
            digest.update(os.fsencode(name) + b"\0%d\n" % (found.root / name).stat().st_size)
    return digest.hexdigest()


def _whole(
    found: FileSource,
    files: PictureFiles,
    split: str,
    decoders: Decoders,
    preprocess: Preprocess,
    aside: _Aside,
    *,
    skip_bad: bool,
) -> PictureFiles:
    """Those of a held-out split that can be decoded."""
    faults = StreamedPixels(found.root, files, preprocess, decoders).faults()
    if not faults:
        return files
    bad = [
        _line(found.root, files.names[row], found.classes[files.labels[row]], split, fault)
        for row, fault in sorted(faults.items())
    ]
    aside.warnings += set_aside_warnings(bad, len(files), skip_bad=skip_bad)
    aside.lines += bad
    kept = files.take(np.setdiff1d(np.arange(len(files)), np.array(list(faults))))
    left = set(kept.labels.tolist())
    emptied = [name for label, name in enumerate(found.classes) if label not in left]
    if emptied:
        raise UserError(
            f"class {emptied[0]!r} has no usable picture in {split}",
            f"its files there were set aside, such as {bad[0].path} ({bad[0].set_aside})",
            "repair them, or take the class out everywhere",
        )
    return kept


def _measured(
    found: FileSource,
    train: PictureFiles,
    decoders: Decoders,
    preprocess: Preprocess,
    aside: _Aside,
    seed: int,
    *,
    skip_bad: bool,
) -> PixelStatistics:
    """The statistics of the sample; those of it that cannot be decoded go to `aside`."""
    chosen = np.sort(shuffled(len(train), stream_seed(seed, "statistics"))[:SAMPLE])
    pixels = StreamedPixels(found.root, train, preprocess, decoders, stand_ins=True)
    bad: list[FileLine] = []

    def told(line: SetAside) -> None:
        bad.append(_line(found.root, line.file, Path(line.file).parent.name, "train", line.reason))

    pixels.told = told
    parts = [chosen[start : start + PART] for start in range(0, len(chosen), PART)]
    statistics = pixel_statistics(pixels.batches(parts), preprocess)
    aside.warnings += set_aside_warnings(bad, len(chosen), skip_bad=skip_bad)
    aside.lines += bad
    return statistics


def _line(root: Path, name: str, label: str, split: str, fault: str) -> FileLine:
    return FileLine(
        path=printable(name),
        bytes=(root / name).stat().st_size,
        sha256="",
        label=label,
        split=split,
        set_aside=fault,
    )
