"""The images of a job: loaded as asked, or again as a run had them, and held against its record. No torch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec import structs

from econet.data.dataset import Dataset
from econet.data.listing import describe_change
from econet.data.load import load_data
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.jobs.options import DataOptions
from econet.models import catalog
from econet.runs.records import DataConfig

LISTING = "data.jsonl"


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
    )


def load_again(config: DataConfig, *, data_dir: Path | None = None, skip_bad: bool = False) -> Dataset:
    """The data of a run, loaded as it was: same source, size, split and seed."""
    return load(split_as(DataOptions(config.source, data_dir=data_dir, skip_bad=skip_bad), config))


def split_as(options: DataOptions, config: DataConfig) -> DataOptions:
    """`options` with the size, the split and the seed that a run recorded."""
    sized = sized_as(options, config.preprocess)
    return replace(sized, validation=config.validation_fraction, seed=config.split_seed)


def sized_as(options: DataOptions, preprocess: Preprocess) -> DataOptions:
    """`options` with the size that a run or a file takes, where it is not the data's own."""
    resize = None if preprocess.resize == "none" else preprocess.resize
    if preprocess.crop == "centre":
        kept = preprocess.resize_size[0]
        return replace(options, image_size=preprocess.image_size[0], crop_from=kept, resize=resize)
    side = None if resize is None else preprocess.image_size[0]
    return replace(options, image_size=side, crop_from=None, resize=resize)


def seen_by(dataset: Dataset, architecture: dict[str, Any]) -> Dataset:
    """The data as a network of this recorded architecture takes them: pixels unscaled where it wants them raw."""
    if not catalog.takes_raw_pixels(architecture):
        return dataset
    return replace(dataset, preprocess=structs.replace(dataset.preprocess, offset=0, scale=1.0))


def check_same_data(recorded: DataConfig, dataset: Dataset, folder: Path) -> None:
    """Raises UserError where `dataset` is not what the run in `folder` was made with, saying what changed."""
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
