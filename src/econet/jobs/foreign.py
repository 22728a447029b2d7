"""Pictures of other sources than a network's own: does its file notice that they are none of its classes? No torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from msgspec import structs
from numpy.typing import NDArray
from PIL import Image

from econet.data.dataset import Dataset
from econet.data.load import NAMES
from econet.data.sources.folder import list_folder, photo_folder
from econet.data.sources.imagenet import is_imagenet
from econet.data.sources.photo_files import printable
from econet.data.sources.source import Source
from econet.data.store import fingerprint, fits_memory
from econet.data.stream import in_memory
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.images.preprocess import Pixels, Preprocess, resized
from econet.jobs.options import DataOptions
from econet.jobs.run_data import load
from econet.measurement.confidence import confidence_found, foreign_found
from econet.runs.confidence_records import ConfidenceFound

# Beyond these a share no longer gains.
MOST_PICTURES = 10_000
# Sets of small pictures, which are loaded at their own size.
_SMALL = ("fashion-mnist", "cifar10", "cifar100")


@dataclass(frozen=True, slots=True)
class ForeignPictures:
    """Pictures of another source, uint8 [N, H, W, C], as a network stores its own."""

    name: str
    fingerprint: str
    pixels: Pixels


def foreign_pictures(
    others: Sequence[DataOptions], dataset: Dataset, split: Literal["train", "test"] = "test"
) -> list[ForeignPictures]:
    """Up to 10,000 pictures of each other source, evenly spread over its `split`, for a network trained on `dataset`.

    A folder of photos that has no test/ gives all of them, for nothing was learned from any; it needs no class folders.
    Raises UserError where one of `others` is the data themselves.
    """
    return [_pictures(each, dataset, split) for each in others]


def as_stored(pictures: Pixels, preprocess: Preprocess) -> Pixels:
    """Pictures [N, H, W, C] of another source as this network stores them: its channels, its size, stretched."""
    stretching = structs.replace(preprocess, resize="stretch")
    mode = "L" if preprocess.channels == 1 else "RGB"
    found: list[Pixels] = []
    for picture in pictures:
        image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).convert(mode)
        pixels = np.asarray(image).reshape(*picture.shape[:2], preprocess.channels)
        found.append(resized(pixels, stretching))
    return np.stack(found)


def is_same_source(source: str, dataset: Dataset) -> bool:
    """Whether `source` names the data that `dataset` was loaded from."""
    if source in NAMES or dataset.source in NAMES:
        return source == dataset.source
    return Path(source).expanduser().resolve() == Path(dataset.source).expanduser().resolve()


def sureness(
    predictor: Predictor, logits: NDArray[np.float32], labels: NDArray[Any], foreign: Sequence[ForeignPictures]
) -> ConfidenceFound | None:
    """What a file's confidence is worth on test images with `logits` [N, K] and `labels` [N], and on `foreign` ones.

    None where the file holds none.
    """
    held = predictor.confidence
    if held is None:
        return None
    found = tuple(
        foreign_found(each.name, each.fingerprint, predictor.logits(each.pixels), logits, held) for each in foreign
    )
    return structs.replace(confidence_found(logits, labels, held), foreign=found)


def cannot_tell(path: Path) -> UserError:
    """The error for a file or a run that is asked about foreign pictures and holds no confidence."""
    return UserError(
        f"{path} cannot tell which pictures are none of its classes",
        "it holds no confidence: it is no file, was exported by an earlier EcoNet, or with under 100 validation images",
        "export it again, with more validation images (--validation), or leave --other out",
    )


def _pictures(other: DataOptions, dataset: Dataset, split: Literal["train", "test"]) -> ForeignPictures:
    if is_same_source(other.source, dataset):
        raise UserError(
            f"{other.source} is no other source", "it is what the network was trained on", "--other DATA, another one"
        )
    preprocess = dataset.preprocess
    photos = _photos(other, preprocess)
    if photos is not None:
        test = photos.test if split == "test" else None
        rest = [each for each in (photos.train, photos.validation) if each is not None]
        parts = rest if test is None else [test]
        name, digest = printable(Path(other.source).resolve().name), fingerprint(photos.classes, parts)
    else:
        # Small pictures at their own size, which are brought to the network's below.
        side = None if other.source in _SMALL else preprocess.resize_size[0]
        loaded = load(replace(other, image_size=side, crop_from=None, resize=None))
        parts = [loaded.test if split == "test" else loaded.train]
        name, digest = loaded.name, loaded.fingerprint
    pixels = np.concatenate([in_memory(part, MOST_PICTURES).pixels for part in parts])
    rows = np.linspace(0, len(pixels) - 1, min(MOST_PICTURES, len(pixels))).round().astype(np.intp)
    return ForeignPictures(name, digest, as_stored(pixels[rows], preprocess))


def _photos(other: DataOptions, preprocess: Preprocess) -> Source | None:
    """A folder of photos, read as the network's own would be but stretched; None for what is not held in memory."""
    folder = Path(other.source).expanduser()
    if other.source in NAMES or not folder.is_dir() or is_imagenet(folder):
        return None
    listed = list_folder(folder, unlabelled=True)
    if not fits_memory(len(listed), preprocess.resize_size, preprocess.channels):
        return None
    return photo_folder(listed, structs.replace(preprocess, resize="stretch"), skip_bad=other.skip_bad)
