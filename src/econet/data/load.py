"""One call from a source's name, or a folder, to a Dataset: read, split, resized, measured, fingerprinted."""

from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
from msgspec import structs

from econet.data.dataset import Dataset, FileLine, Images
from econet.data.load_streamed import streamed_dataset
from econet.data.sources.cifar import CIFAR10, CIFAR100, cifar
from econet.data.sources.folder import ListedFolder, files_alone, list_folder, photo_folder
from econet.data.sources.idx import fashion_mnist
from econet.data.sources.imagenet import NAME as IMAGENET
from econet.data.sources.imagenet import find_imagenet, imagenet, is_imagenet
from econet.data.sources.listed import FileSource
from econet.data.sources.photo_files import printable
from econet.data.sources.places import expanded
from econet.data.sources.source import Source
from econet.data.split import divided, fold_of
from econet.data.store import check_memory, fingerprint, fits_memory, normalisation, resize_all
from econet.errors import UserError, unknown_name
from econet.images.preprocess import Preprocess

NAMES = ("fashion-mnist", "cifar10", "cifar100", IMAGENET)
FOLDER_SIZE = 64
# Krizhevsky et al. 2012, sections 2 and 4.1: crops of 224 out of pictures of 256.
IMAGENET_SIZE, IMAGENET_STORE = 224, 256

Resize = Literal["stretch", "shorter-side"]


def load_data(
    source: str,
    *,
    data_dir: Path | None = None,
    download: bool = False,
    image_size: int | None = None,
    crop_from: int | None = None,
    resize: str | None = None,
    validation: float = 0.1,
    seed: int = 0,
    skip_bad: bool = False,
    fold: tuple[int, int] | None = None,
    unlabelled: bool = False,
) -> Dataset:
    """Load `fashion-mnist`, `cifar10`, `cifar100`, `imagenet`, or a folder of class folders (`./cifar10` if in doubt).

    `image_size` is the side of the network's square input in pixels: 8 to 1024, by default the set's own, 224 (out of
    256) for ILSVRC, and 64 for folders. `crop_from` keeps pictures of that side, larger than `image_size`: training
    crops at random out of them, evaluation takes the centre. `validation` is the share of the training pictures held
    out (0 < share <= 0.5) where the source has no validation of its own; a folder without test/ also gives 15 % of its
    pictures to test, or with `fold` (number from 0, of how many) that part of them; `unlabelled` folders may hold
    pictures alone, which are then of one class. `seed` decides all of it. ILSVRC,
    and a folder too large for memory, stays on disk and is decoded when it is needed (`data.stream`). Raises UserError
    for whatever a person can put right.
    """
    _check(image_size, crop_from, validation, seed)
    name = source if source in NAMES else printable(Path(source).resolve().name) or "folder"
    chosen = _checked_resize(resize)
    if source not in NAMES or source == IMAGENET:
        files, preprocess = _left_on_disk(source, data_dir, image_size, crop_from, chosen, unlabelled=unlabelled)
        if isinstance(files, FileSource):
            if fold is not None:
                raise _no_folds(name, "its photos stay on disk, where they are not dealt out")
            return streamed_dataset(
                files, preprocess, name=name, source=source, validation=validation, seed=seed, skip_bad=skip_bad
            )
        found = photo_folder(files, preprocess, skip_bad=skip_bad)
    else:
        found, preprocess = _read(source, data_dir, download, image_size, crop_from, chosen or "stretch")
    parts = found if fold is None else _in_folds(found, fold, seed, name)
    train, held, test = divided(parts.train, parts.validation, parts.test, validation, seed, found.classes)
    train, held, test = (resize_all(part, preprocess) for part in (train, held, test))
    offset, scale = normalisation(train.pixels)
    return Dataset(
        name=name,
        source=source,
        train=train,
        validation=held,
        test=test,
        classes=found.classes,
        preprocess=structs.replace(preprocess, offset=offset, scale=scale),
        fingerprint=fingerprint(found.classes, (train, held, test)),
        split_seed=seed,
        validation_fraction=validation,
        fold=fold,
        listing=_relabelled(found, train, held, test),
        warnings=found.warnings,
    )


def _check(image_size: int | None, crop_from: int | None, validation: float, seed: int) -> None:
    if image_size is not None and not 8 <= image_size <= 1024:
        raise UserError(
            f"image size {image_size} is out of range", "EcoNet takes 8 to 1024 pixels a side", "--image-size 64"
        )
    if crop_from is not None and image_size is None:
        raise UserError(
            "--crop-from was given without --image-size", "the side of the crops is missing", "--image-size 224"
        )
    if crop_from is not None and image_size is not None and not image_size <= crop_from <= 1024:
        raise UserError(
            f"pictures of {crop_from} pixels cannot be cropped to {image_size}",
            "--crop-from is the side of the pictures that are kept, up to 1024, and --image-size the side of the crops",
            "--crop-from 256 --image-size 224",
        )
    if not 0 < validation <= 0.5:
        raise UserError(
            f"validation share {validation} is out of range",
            "it is the share of training pictures held out: above 0, at most 0.5",
            "--validation 0.1",
        )
    if seed < 0:
        raise UserError(f"seed {seed} is negative", "a seed is a whole number from 0", "--seed 0")


def _checked_resize(resize: str | None) -> Resize | None:
    if resize not in {None, "stretch", "shorter-side"}:
        raise unknown_name("resize", str(resize), ("stretch", "shorter-side"))
    return cast("Resize | None", resize)


def _left_on_disk(
    source: str,
    data_dir: Path | None,
    image_size: int | None,
    crop_from: int | None,
    resize: Resize | None,
    *,
    unlabelled: bool,
) -> tuple[FileSource | ListedFolder, Preprocess]:
    """The photos that `source` names, none of them decoded yet, and their preprocessing but for offset and scale.

    A FileSource stays on disk: ILSVRC, and whatever else is too large for memory.
    """
    folder = find_imagenet(data_dir) if source == IMAGENET else _folder(source)
    if is_imagenet(folder):
        side = image_size or IMAGENET_SIZE
        kept = crop_from or image_size or IMAGENET_STORE
        return imagenet(folder), _preprocess(side, kept, 3, resize or "shorter-side")
    side = image_size or FOLDER_SIZE
    preprocess = _preprocess(side, crop_from or side, 3, resize or "stretch")
    listed = list_folder(folder, unlabelled=unlabelled)
    in_memory = fits_memory(len(listed), preprocess.resize_size, preprocess.channels)
    return (listed if in_memory else files_alone(listed)), preprocess


def _read(
    source: str,
    data_dir: Path | None,
    download: bool,
    image_size: int | None,
    crop_from: int | None,
    resize: Resize,
) -> tuple[Source, Preprocess]:
    """A set of small pictures as found, and its preprocessing but for offset and scale."""
    if source == "fashion-mnist":
        found = fashion_mnist(data_dir)
    else:
        found = cifar(CIFAR10 if source == "cifar10" else CIFAR100, data_dir, download=download)
    side, channels = found.train.pixels.shape[1], found.train.pixels.shape[3]
    wanted = image_size or side
    kept = crop_from or wanted
    check_memory(len(found.train), (kept, kept), channels)
    found = replace(found, train=_numbered(found.train), test=None if found.test is None else _numbered(found.test))
    return found, _preprocess(wanted, kept, 1 if channels == 1 else 3, "none" if kept == side else resize)


def _numbered(images: Images) -> Images:
    """Each with its place in the makers' file, which stays with it when the split is divided."""
    return replace(images, rows=np.arange(len(images)))


def _folder(source: str) -> Path:
    """The folder that `source` names. Raises UserError, with near names where it looks like a misspelt word."""
    folder = expanded(source)
    if source and folder.is_dir():
        return folder
    if folder.exists():
        raise UserError(
            f"{source} is not a folder",
            "data is a name or a folder of class folders",
            f"one of: {', '.join(NAMES)}",
        )
    if len(folder.parts) > 1 or source.startswith((".", "~")):
        raise UserError(
            f"there is no folder {source}",
            f"nothing lies at {folder.absolute()}",
            "check the spelling of the path",
        )
    error = unknown_name("data", source, NAMES)
    raise UserError(error.what, f"it is no data set EcoNet knows, and no folder {source}/ lies here", error.remedy)


def _preprocess(
    side: int, kept: int, channels: Literal[1, 3], resize: Literal["none", "stretch", "shorter-side"]
) -> Preprocess:
    return Preprocess(
        image_size=(side, side),
        channels=channels,
        resize=resize,
        resize_size=(kept, kept),
        crop="none" if side == kept else "centre",
        offset=0,
        scale=1.0,
    )


def _in_folds(found: Source, fold: tuple[int, int], seed: int, name: str) -> Source:
    """The source with one part of its pictures as test. Raises UserError where it brings a test split of its own."""
    if found.test is not None or found.validation is not None:
        raise _no_folds(name, "it brings a split of its own, which folds would mix into the training")
    kept, out = fold_of(found.train.labels, *fold, seed)
    return replace(found, train=found.train.take(kept), test=found.train.take(out))


def _no_folds(name: str, why: str) -> UserError:
    return UserError(f"{name} cannot be judged in folds", why, "leave --folds out")


def _relabelled(found: Source, train: Images, held: Images, test: Images) -> tuple[FileLine, ...]:
    """The listing with the split each file ended in; its usable files come in the order of the source's splits."""
    ended = {
        file: name for name, part in (("train", train), ("validation", held), ("test", test)) for file in part.files
    }
    used = [file for part in (found.train, found.validation, found.test) if part for file in part.files]
    splits = iter(ended[file] for file in used)
    return tuple(line if line.set_aside else replace(line, split=next(splits)) for line in found.listing)
