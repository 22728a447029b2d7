"""The images of a job: loaded as asked, or again as a run had them, and held against its record. No torch."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from econet.data.dataset import Dataset
from econet.data.listing import describe_change
from econet.data.load import load_data
from econet.data.sources.photo_files import printable
from econet.data.store import mean_image
from econet.data.stream import SetAside, as_streamed
from econet.errors import UserError
from econet.files import append_line
from econet.images.preprocess import Preprocess
from econet.jobs.options import DataOptions
from econet.models import catalog
from econet.runs.records import DataConfig

LISTING = "data.jsonl"
SET_ASIDE = "set_aside.jsonl"


def load(options: DataOptions) -> Dataset:
    """The data set that `options` names."""
    return load_data(
        options.source,
        data_dir=options.data_dir,
        download=options.download,
        image_size=options.image_size,
        crop_from=options.crop_from,
        resize=options.resize,
        validation=options.validation,
        seed=options.seed,
        skip_bad=options.skip_bad,
        fold=options.fold,
        unlabelled=options.unlabelled,
    )


def data_config(dataset: Dataset) -> DataConfig:
    """What a run records of its data."""
    return DataConfig(
        source=dataset.source,
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        classes=dataset.classes,
        split_seed=dataset.split_seed,
        validation_fraction=dataset.validation_fraction,
        preprocess=dataset.preprocess,
        statistics_images=None if dataset.statistics is None else dataset.statistics.images,
        fold=dataset.fold,
        unlabelled=dataset.unlabelled,
    )


def load_again(config: DataConfig, *, data_dir: Path | None = None, skip_bad: bool = False) -> Dataset:
    """The data of a run, loaded as it was: same source, size, split and seed.

    Raises UserError for a run without labels, which has nothing to say about classes.
    """
    if config.unlabelled:
        raise knows_no_classes(config)
    return load_recorded(config, data_dir=data_dir, skip_bad=skip_bad)


def load_recorded(config: DataConfig, *, data_dir: Path | None = None, skip_bad: bool = False) -> Dataset:
    """`load_again` to go on with a training, with labels or without."""
    options = DataOptions(config.source, data_dir=data_dir, skip_bad=skip_bad, unlabelled=config.unlabelled)
    return load(split_as(options, config))


def knows_no_classes(config: DataConfig) -> UserError:
    """The error for a self-supervised run where a classifier is wanted."""
    return UserError(
        "a self-supervised run knows no classes",
        f"it was trained on {config.name} without labels, to tell how pictures are turned",
        "econet train DATA --from RUN, then what comes of it",
    )


def split_as(options: DataOptions, config: DataConfig) -> DataOptions:
    """`options` with the size, the split and the seed that a run recorded."""
    sized = sized_as(options, config.preprocess)
    return replace(sized, validation=config.validation_fraction, seed=config.split_seed, fold=config.fold)


def sized_as(options: DataOptions, preprocess: Preprocess) -> DataOptions:
    """`options` with the size that a run or a file takes, where it is not the data's own."""
    resize = None if preprocess.resize == "none" else preprocess.resize
    if preprocess.crop == "centre":
        kept = preprocess.resize_size[0]
        return replace(options, image_size=preprocess.image_size[0], crop_from=kept, resize=resize)
    side = None if resize is None else preprocess.image_size[0]
    return replace(options, image_size=side, crop_from=None, resize=resize)


def seen_by(dataset: Dataset, architecture: dict[str, Any]) -> Dataset:
    """The data as a network of this recorded architecture takes them: pixels unscaled where it wants them raw.

    Beyond the edge lies the mean gray level either way, which the mean image makes nearly 0.
    """
    if not catalog.takes_raw_pixels(architecture):
        return dataset
    raw = structs.replace(dataset.preprocess, offset=0, scale=1.0)
    return replace(dataset, preprocess=raw, beyond=dataset.preprocess.offset)


def training_mean(dataset: Dataset) -> NDArray[np.float32]:
    """The mean image [h, w, C] of the training pictures' central view, or of the sample measured of streamed ones."""
    if dataset.statistics is not None:
        return dataset.statistics.mean_image
    return mean_image(dataset.train.pixels, dataset.preprocess)


def tell_set_aside(dataset: Dataset, folder: Path, note: Callable[[str], None]) -> None:
    """From now on say which streamed training pictures cannot be decoded: noted, and kept in `set_aside.jsonl`."""
    streamed = as_streamed(dataset.train.pixels)
    if streamed is None:
        return

    def told(line: SetAside) -> None:
        shown = SetAside(printable(line.file), line.reason, printable(line.stand_in))
        note(f"{shown.file} cannot be decoded ({shown.reason}); {shown.stand_in} stands in for it")
        append_line(folder / SET_ASIDE, msgspec.json.encode(shown).decode())

    streamed.told = told


def check_same_data(recorded: DataConfig, dataset: Dataset, folder: Path) -> None:
    """Raises UserError where `dataset` is not what the run in `folder` was made with, saying what changed."""
    if recorded.unlabelled and not dataset.unlabelled:
        raise knows_no_classes(recorded)
    if recorded.fingerprint == dataset.fingerprint:
        return
    listing = folder / LISTING
    if recorded.name != dataset.name:
        why = f"it was trained on {recorded.name}, not on {dataset.name}"
    elif listing.exists() and dataset.listing:
        why = f"the data changed: {describe_change(listing, dataset)}"
    else:
        why = "the data, their split (--validation, --seed) or their size (--image-size) changed"
    raise UserError(f"{folder} belongs to other data", why, "the data it was made with, or --out NEW")


def holds_a_run(folder: Path) -> UserError:
    """The error for a folder that a new run was to be begun in."""
    return UserError(f"{folder} holds a run already", "it has a config.json", "--resume to go on with it, or --out NEW")
