"""What all tests share: one thread, a small real data set, and an honest count of what was not run."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch; children inherit it

import pytest

from econet.data.dataset import Dataset
from econet.data.load import load_data
from econet.jobs.options import TrainOptions
from econet.runs.folder import Run
from econet.training.progress import Silent
from idx_files import write_clothes
from teller import Teller


@pytest.fixture(scope="session")
def clothes_folder(tmp_path_factory) -> Path:
    """A folder for `--data-dir`: the first 320 training and 100 test pictures of Fashion-MNIST, as IDX files."""
    folder = tmp_path_factory.mktemp("data") / "fashion-mnist"
    write_clothes(folder)
    return folder.parent


@pytest.fixture(scope="session")
def clothes_data(clothes_folder) -> Dataset:
    """The Dataset of `clothes_folder`: 271 real training pictures, 49 for validation, 100 for test."""
    return load_data("fashion-mnist", data_dir=clothes_folder, validation=0.15)


@pytest.fixture
def teller() -> type[Teller]:
    return Teller


@pytest.fixture
def trained(clothes_data, tmp_path):
    """Train a small deterministic run on one thread in `tmp_path / name`; econet at a quarter of its width."""
    from econet.jobs.train import train  # brings torch, which most rooms do without

    def run(name: str, progress=None, *, resume=False, every=10.0, data=clothes_data, module=None, **asked) -> Run:
        options = {"model": "econet", "epochs": 2, "batch_size": 24, "deterministic": True, "threads": 1, **asked}
        if options["model"] == "econet":
            options.setdefault("width", 0.25)
        asked_options, listener = TrainOptions(**options), progress or Silent()
        folder = tmp_path / name
        return train(folder, data, asked_options, listener, module=module, resume=resume, checkpoint_seconds=every)

    return run


def pytest_terminal_summary(terminalreporter) -> None:
    """Say how many tests wanted the data sets of `$ECONET_DATA`."""
    missing = _for_want_of_data(terminalreporter)
    if missing:
        terminalreporter.write_line(f"{missing} tests need $ECONET_DATA and did not run")


def pytest_sessionfinish(session) -> None:
    """Where `$ECONET_DATA` is set, a test that skips for want of it is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("ECONET_DATA") and reporter is not None and _for_want_of_data(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _for_want_of_data(reporter) -> int:
    return sum("ECONET_DATA" in str(report.longrepr) for report in reporter.stats.get("skipped", ()))
