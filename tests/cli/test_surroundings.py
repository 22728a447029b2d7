"""No home folder, no locale, a reader that goes away: a command does its work, or says in three lines what it lacks."""

import json
import os
import signal
import subprocess
import sys

import pytest
from PIL import Image

from disturbed.nursery import assert_whole
from econet.data.load import load_data
from econet.data.sources import places
from econet.errors import UserError
from econet.runs.folder import Run
from idx_files import first_of

SHIPPED = "fashion-mnist-econet-76k"
ECONET = [sys.executable, "-m", "econet"]
TRAIN = ["--validation", "0.15", "--width", "0.25", "--batch-size", "24", "--deterministic", "--threads", "1"]


def bare(home: str | None) -> dict[str, str]:
    """An environment with hardly anything in it."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "OMP_NUM_THREADS": "1", "LC_ALL": "C", **({} if home is None else {"HOME": home})}


@pytest.fixture(params=[None, "/nonexistent", os.devnull], ids=["none", "absent", "no folder"])
def homeless(request):
    """Runs a command without a home folder and returns what it prints."""

    def run(*words) -> str:
        done = subprocess.run(
            [*ECONET, *map(str, words)], capture_output=True, text=True, env=bare(request.param), check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def picture(tmp_path):
    """A picture of a boot, of the size the shipped network takes."""
    Image.fromarray(first_of("t10k-images-idx3-ubyte.gz", 1)[0]).save(tmp_path / "boot.png")
    return tmp_path / "boot.png"


def test_without_a_home_folder_a_shipped_network_answers(homeless, picture):
    assert json.loads(homeless("predict", SHIPPED, picture, "--json"))


def test_asking_a_network_leaves_nothing_in_the_home_folder(picture, tmp_path):
    """ONNX Runtime would keep there what it is about to tell its makers."""
    home = tmp_path / "home"
    home.mkdir()
    words = [*ECONET, "predict", SHIPPED, str(picture)]
    subprocess.run(words, capture_output=True, env=bare(str(home)), check=True)
    assert not list(home.iterdir())


@pytest.mark.slow
def test_without_a_home_folder_a_network_is_trained_exported_and_proven(homeless, clothes_folder, tmp_path):
    folder = tmp_path / "run"
    homeless("train", "fashion-mnist", "--data-dir", clothes_folder, "--epochs", 1, *TRAIN, "--out", folder)
    homeless("export", folder, "--data-dir", clothes_folder)
    homeless("prove", folder / "model.onnx")


def test_a_download_without_a_place_to_keep_it_names_the_option(tmp_path, monkeypatch):
    (tmp_path / "home").write_bytes(b"no folder")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("ECONET_DATA", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(places, "SYSTEM_FOLDERS", ())
    monkeypatch.setattr("econet.data.download.fetch", lambda *_: pytest.fail("asked the net before the disk"))
    with pytest.raises(UserError, match="cannot write") as caught:
        load_data("cifar10", download=True)
    assert str(tmp_path / "home") in caught.value.what
    assert "--data-dir" in caught.value.remedy
    assert "ECONET_DATA" in caught.value.remedy


def test_a_home_that_nobody_has_is_no_traceback(econet):
    for command in ("train", "check"):
        ended = econet(command, "~nobody-of-this-name/photos")
        assert ended.code == 2
        assert "there is no folder ~nobody-of-this-name/photos" in ended.err
        assert ended.err.count("\n") == 3 + ("writing" in ended.err)


def test_a_training_whose_reader_goes_away_ends_quietly_and_can_be_gone_on_with(clothes_folder, tmp_path):
    """As `econet train ... 2>&1 | head -1` has it."""
    folder = tmp_path / "run"
    words = [*ECONET, "train", "fashion-mnist", "--data-dir", str(clothes_folder), "--epochs", "2000", *TRAIN]
    with subprocess.Popen(
        [*words, "--out", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=bare(None)
    ) as process:
        first = process.stdout.readline()
        while "epochs" not in process.stdout.readline():
            assert process.poll() is None
        process.stdout.close()
        assert process.wait() == 128 + signal.SIGPIPE
    assert first.startswith("writing ")
    assert_whole(folder)
    run = Run(folder)
    assert run.has_checkpoint
    assert not run.is_finished
