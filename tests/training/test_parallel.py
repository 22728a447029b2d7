"""Two processes train as one: the same weights on both, the losses of a single one to rounding."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from loopback import launch
from safetensors.numpy import load_file

from econet.errors import UserError
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.runs.folder import Run
from econet.training.progress import Silent

PROGRAM = Path(__file__).with_name("parallel_training.py")


def run(data: Path, folder: Path, *, processes: int, stop_at: int = 0) -> subprocess.CompletedProcess[str]:
    """Run parallel_training.py in so many processes."""
    folder.mkdir(exist_ok=True)
    return launch(PROGRAM, data, folder, stop_at, processes=processes)


def test_two_processes_train_as_one(clothes_folder, tmp_path):
    for processes, name in ((1, "one"), (2, "two")):
        done = run(clothes_folder, tmp_path / name, processes=processes)
        assert done.returncode == 0, done.stderr
    single = load_file(tmp_path / "one" / "process-0.safetensors")
    first, second = (load_file(tmp_path / "two" / f"process-{rank}.safetensors") for rank in (0, 1))
    for name in single:
        assert np.array_equal(first[name], second[name]), name
        assert np.linalg.norm(first[name] - single[name]) <= 1e-9 * np.linalg.norm(single[name]), name

    one, two = Run(tmp_path / "one" / "run"), Run(tmp_path / "two" / "run")
    assert (one.config.machine.processes, two.config.machine.processes) == (1, 2)
    assert [line.step for line in two.history] == [9, 18]
    for ours, theirs in zip(one.history, two.history, strict=True):
        assert theirs.loss == pytest.approx(ours.loss, rel=1e-6)
        assert theirs.validation_loss == pytest.approx(ours.validation_loss, rel=1e-6)


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_and_the_resume_ends_with_the_same_bits(clothes_folder, tmp_path):
    plain = run(clothes_folder, tmp_path / "plain", processes=2)
    assert plain.returncode == 0, plain.stderr
    stopped = run(clothes_folder, tmp_path / "stopped", processes=2, stop_at=5)
    assert stopped.returncode != 0
    assert {"process 0 stopped by 15", "process 1 stopped by 15"} <= set(stopped.stdout.splitlines()), stopped.stderr
    resumed = run(clothes_folder, tmp_path / "stopped", processes=2)
    assert resumed.returncode == 0, resumed.stderr
    weights = [Run(tmp_path / name / "run").weights_path.read_bytes() for name in ("plain", "stopped")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"epochs": 1, "batch_size": 25}, "cannot share batches of 25 images"),
        ({"time_s": 60.0, "batch_size": 24}, "cannot train by --time"),
    ],
)
def test_what_two_processes_cannot_share_is_refused(clothes_data, tmp_path, monkeypatch, asked, text):
    monkeypatch.setattr("econet.training.parallel.processes", lambda: 2)
    monkeypatch.setattr("econet.training.parallel.join", lambda device: None)
    with pytest.raises(UserError, match=text):
        train(tmp_path, clothes_data, TrainOptions(**asked), Silent())
    assert not Run(tmp_path).exists
