"""Training from pictures on disk is training from pictures in memory: the same bits, also after a kill."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from econet.data import load as room
from econet.data.load import load_data
from econet.errors import UserError
from econet.runs.choices import ColourNoise
from econet.runs.folder import Run
from econet.training import loop, watch
from econet.training.interruption import Interrupted

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
PROGRAM = Path(__file__).with_name("streamed_training.py")
ASKED = {
    "model": "alexnet:mini",
    "width": 0.25,
    "epochs": 3,
    "batch_size": 6,
    "colour_noise": ColourNoise(reading="std", divisor=1.1, until=0.7),
    "crop_chunk": 3,
}


def streamed(folder: Path):
    """The photographs below `folder` as if they did not fit into memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "fits_memory", lambda *size: False)
        return load_data(str(folder), image_size=28, crop_from=32, skip_bad=True)


@pytest.fixture(scope="module")
def data():
    return streamed(PHOTOS)


def test_streamed_pictures_train_to_the_same_bits_as_pictures_in_memory(trained, data):
    ours = trained("streamed", data=data, **ASKED)
    theirs = trained("held", data=load_data(str(PHOTOS), image_size=28, crop_from=32), **ASKED)
    assert ours.weights_path.read_bytes() == theirs.weights_path.read_bytes()
    assert [line.validation_loss for line in ours.history] == [line.validation_loss for line in theirs.history]


def test_answers_about_streamed_pictures_are_kept_as_about_pictures_in_memory(trained, data, tmp_path):
    held = load_data(str(PHOTOS), image_size=28, crop_from=32)
    trained("teacher", data=held, **{**ASKED, "epochs": 1})
    asked = {**ASKED, "colour_noise": None, "crop_chunk": 1, "teacher": tmp_path / "teacher", "teacher_views": 2}
    ours, theirs = (trained(name, data=each, **asked) for name, each in (("streamed", data), ("held", held)))
    assert ours.weights_path.read_bytes() == theirs.weights_path.read_bytes()


def test_a_run_killed_in_the_middle_of_an_epoch_goes_on_with_the_same_bits(trained, data, teller):
    def stop(step: int) -> None:
        if step == 8:  # of 5 a pass: the third of the second pass
            signal.raise_signal(signal.SIGTERM)

    plain = trained("plain", data=data, **ASKED)
    with pytest.raises(Interrupted):
        trained("killed", teller(stop), data=data, **ASKED)
    resumed = trained("killed", data=streamed(PHOTOS), resume=True, **ASKED)
    assert resumed.weights_path.read_bytes() == plain.weights_path.read_bytes()


def test_the_record_says_of_how_many_pictures_the_statistics_are(trained, data):
    run = trained("run", data=data, **{**ASKED, "epochs": 1})
    assert run.config.data.statistics_images == 35
    assert run.config.data.fingerprint == data.fingerprint


def test_a_truncated_picture_is_told_and_kept_on_record_and_training_goes_on(trained, tmp_path, teller):
    folder = Path(shutil.copytree(PHOTOS, tmp_path / "photos"))
    path = min((folder / "train" / "hat").iterdir())
    path.write_bytes(path.read_bytes()[:2000])
    listener = teller()
    run = trained("run", listener, data=streamed(folder), **ASKED)
    told = [note for note in listener.notes if "stands in for it" in note]
    assert len(told) == 1
    assert f"train/hat/{path.name} cannot be decoded (damaged: " in told[0]
    (line,) = (json.loads(line) for line in (run.folder / "set_aside.jsonl").read_text().splitlines())
    assert line["file"] == f"train/hat/{path.name}"
    assert line["stand_in"] == f"train/hat/{sorted((folder / 'train' / 'hat').iterdir())[1].name}"
    assert any("1 of 35 files cannot be used" in warning for warning in run.config.warnings)


def test_a_time_cannot_be_planned_for_pictures_that_are_streamed(trained, data):
    with pytest.raises(UserError, match="cannot be trained on by --time"):
        trained("run", data=data, deterministic=False, **{**ASKED, "epochs": None, "time_s": 60.0})


def test_a_checkpoint_that_takes_long_to_write_is_written_less_often(trained, data, teller, monkeypatch):
    """A clock of its own: 3.9 s a step, 1 s a checkpoint. After the first, at the start, 10 s become more than 20."""
    clock, steps, write = [0.0], [], loop.write_checkpoint

    def now() -> float:
        clock[0] += 1e-3
        return clock[0]

    def advance(step: int) -> None:
        clock[0] += 3.9

    def written(run, tensors, counters, **more) -> None:
        clock[0] += 1.0
        steps.append(counters.step)
        write(run, tensors, counters, **more)

    for module in (loop, watch):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=now))
    monkeypatch.setattr(loop, "write_checkpoint", written)
    trained("run", teller(advance), data=data, **{**ASKED, "epochs": 1, "batch_size": 1})
    assert steps == [0, 7, 14, 21, 28, 35, 35]  # the last one because the epoch ends


def launch(folder: Path, processes: int) -> str:
    """Run streamed_training.py in so many processes, which find each other over the loopback; what they print."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = ("--nnodes=1", "--master-addr=127.0.0.1", f"--master-port={port}")
    torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", *place] if processes > 1 else []
    folder.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, *torchrun, PROGRAM, PHOTOS, folder]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_two_processes_decode_a_half_each_and_train_as_one(tmp_path):
    assert "process 0 decoded [6, 6, 6, 6, 6, 6, 6, 6, 6, 6]" in launch(tmp_path / "one", 1)
    printed = launch(tmp_path / "two", 2)
    for rank in (0, 1):
        assert f"process {rank} decoded [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]" in printed
    one, two = Run(tmp_path / "one" / "run"), Run(tmp_path / "two" / "run")
    assert two.config.machine.processes == 2
    assert two.config.data.fingerprint == one.config.data.fingerprint
    assert [line.step for line in two.history] == [line.step for line in one.history] == [5, 10]
    for ours, theirs in zip(two.history, one.history, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-4)
