"""Small real runs whose pictures are kept larger than their network's input: crops of 24 pixels out of 28."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from econet.data.dataset import Dataset
from econet.data.load import load_data
from econet.jobs.options import DataOptions, TrainOptions
from econet.runs.folder import Run
from econet.training.progress import Silent

VALIDATION = 0.15


def cropped_pictures(folder: Path, seed: int = 0) -> Dataset:
    """271 training, 49 validation and 100 test pictures of Fashion-MNIST, kept at 28 pixels for inputs of 24."""
    return load_data("fashion-mnist", data_dir=folder, image_size=24, crop_from=28, validation=VALIDATION, seed=seed)


def train_small(folder: Path, data: Dataset, **asked) -> Run:
    """Two epochs of a narrow econet, or of what is asked for."""
    from econet.jobs.train import train

    settings = {"model": "econet", "width": 0.25, "epochs": 2, "batch_size": 24, "augment": "light", **asked}
    return train(folder, data, TrainOptions(deterministic=True, threads=1, **settings), Silent())


@pytest.fixture(scope="session")
def cropped_data(clothes_folder) -> Dataset:
    return cropped_pictures(clothes_folder)


@pytest.fixture(scope="session")
def cropped_options(clothes_folder) -> DataOptions:
    """The same pictures, as a command is told of them."""
    return DataOptions("fashion-mnist", data_dir=clothes_folder, validation=VALIDATION)


@pytest.fixture(scope="session")
def three_runs(cropped_data, tmp_path_factory) -> list[Run]:
    """Three seeds of one training, each exported; copy one before writing into it."""
    from econet.jobs.export import export_run

    home = tmp_path_factory.mktemp("members")
    runs = [train_small(home / f"seed-{seed}", cropped_data, seed=seed) for seed in range(3)]
    for run in runs:
        export_run(run, cropped_data, int8=False, parity_drop=0.02, progress=Silent())
    return runs


@pytest.fixture
def members(three_runs, tmp_path) -> list[Run]:
    """The three runs in folders of this test's own."""
    return [Run(Path(shutil.copytree(run.folder, tmp_path / run.folder.name))) for run in three_runs]


@pytest.fixture
def small_run() -> Callable[..., Run]:
    """Trains a run of one's own: `small_run(folder, data, **settings)`."""
    return train_small


@pytest.fixture
def pictures_split_by(clothes_folder) -> Callable[[int], Dataset]:
    """The cropped pictures with the validation images that a seed holds out."""
    return lambda seed: cropped_pictures(clothes_folder, seed)
