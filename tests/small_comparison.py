"""A real comparison in miniature, made once for all tests that look at one: 800 pictures, a minute's work at most."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from econet.data.load import load_data
from econet.deployment import parity
from econet.jobs.options import CompareOptions, DataOptions
from econet.jobs.repeats import compare
from econet.measurement import latency
from econet.runs.comparison_records import Comparison
from econet.runs.folder import Run
from econet.training.progress import Silent
from idx_files import write_idx

TRAIN_PICTURES, TEST_PICTURES, VALIDATION = 800, 200, 0.25


class Notes(Silent):
    """A listener that keeps every note."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@dataclass(frozen=True)
class Compared:
    """The folder of a finished comparison, its record, and what was asked."""

    folder: Path
    record: Comparison
    options: CompareOptions
    notes: list[str]

    def run(self, role: str) -> Run:
        return Run(self.folder / role)


@pytest.fixture(scope="session")
def some_pictures(tmp_path_factory) -> DataOptions:
    """600 training, 200 validation and 200 test pictures of the real Fashion-MNIST."""
    folder = tmp_path_factory.mktemp("some-pictures")
    whole = load_data("fashion-mnist")
    for split, images, count in (("train", whole.train, TRAIN_PICTURES), ("t10k", whole.test, TEST_PICTURES)):
        write_idx(folder / f"{split}-images-idx3-ubyte.gz", images.pixels[:count, :, :, 0])
        write_idx(folder / f"{split}-labels-idx1-ubyte.gz", images.labels[:count].astype(np.uint8))
    return DataOptions("fashion-mnist", data_dir=folder, validation=VALIDATION)


@pytest.fixture(scope="session")
def compared(some_pictures, tmp_path_factory) -> Compared:
    """alexnet_small against the econet that a tenth of its MACs allows, four epochs each, proof on test."""
    folder = tmp_path_factory.mktemp("compared") / "clothes"
    options = CompareOptions(
        some_pictures, epochs=4, batch_size=32, optimizer="adamw", lr=0.003, deterministic=True, threads=1
    )
    notes = Notes()
    return Compared(folder, compare(folder, options, notes), options, notes.lines)


@pytest.fixture
def in_haste(monkeypatch) -> None:
    """Short timings, and int8 files of networks that learned next to nothing are let through."""
    monkeypatch.setattr(latency, "benchmark", partial(latency.benchmark, rounds=3, round_seconds=0.001))
    monkeypatch.setattr(latency, "_THROUGHPUT_SECONDS", 0.001)
    monkeypatch.setattr(latency, "peak_memory_bytes", lambda *_: 50_000_000)
    monkeypatch.setattr(parity, "INT8_LEAST_AGREEMENT", 0.0)
