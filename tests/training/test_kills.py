"""A run cannot be lost: kill -9 at any moment, and the resume ends with the very same bytes."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from disturbed.nursery import ENVIRONMENT, NETWORKS, VALIDATION, Nursery, assert_whole
from econet.data.load import load_data
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.training.progress import Silent

SIGKILL = 9


@pytest.fixture(scope="module")
def nursery(clothes_folder):
    with Nursery(clothes_folder) as made:
        yield made


@pytest.fixture
def uninterrupted(clothes_folder, tmp_path):
    """The bytes of the finished weights of a run nobody disturbed, made in this process."""

    def finish(model: str, epochs: int, batch_size: int, **asked) -> bytes:
        data = load_data("fashion-mnist", data_dir=clothes_folder, validation=VALIDATION)
        size = {"model": model, "epochs": epochs, "batch_size": batch_size, **NETWORKS[model]}
        options = TrainOptions(**size, **asked, deterministic=True, threads=1)
        return train(tmp_path / "uninterrupted", data, options, Silent()).weights_path.read_bytes()

    return finish


def assert_survives(nursery, folder, size, deaths, weights: bytes, **asked) -> None:
    """Die by each of `deaths` in turn, resume to the end, and compare."""
    for death in deaths:
        assert nursery.child(folder, *size, **death, **asked)["signal"] == SIGKILL, death
        assert_whole(folder)
    ended = nursery.child(folder, *size, **asked)
    assert (ended["signal"], ended["exit"]) == (0, 0)
    assert_whole(folder)
    assert (folder / "weights.safetensors").read_bytes() == weights
    epochs = [json.loads(line)["epoch"] for line in (folder / "history.jsonl").read_text().splitlines()]
    assert epochs == list(range(1, size[1] + 1))
    left = {path.name for path in folder.iterdir()}
    assert left == {".lock", "config.json", "history.jsonl", "weights.safetensors", "finished.json"}


def test_resume_after_kill_gives_identical_weights(nursery, uninterrupted, tmp_path):
    size = ("econet", 2, 24)  # 22 steps, 11 an epoch
    chance = random.Random(1)
    deaths = (
        {"after_reports": chance.randint(1, 4), "pause": chance.uniform(0, 0.03)},
        {"die_at_step": 8},
        {"operation": 7, "moment": "halfway"},  # the write of a later checkpoint, torn in its middle
    )
    assert_survives(nursery, tmp_path / "run", size, deaths, uninterrupted(*size))


@pytest.mark.parametrize(
    "way",
    [{"teacher_views": 1, "augment": "rich"}, {"mixup": 0.5, "cutmix": 1.0, "match_features": 1.0}],
    ids=["kept answers", "mixing and features"],
)
def test_resume_after_kill_gives_identical_weights_with_a_teacher(
    nursery, uninterrupted, trained, clothes_folder, tmp_path, way
):
    size = ("econet", 2, 24)
    teacher = trained("teacher", epochs=1).folder
    deaths = (
        {"operation": 24, "moment": "halfway", "scope": "all"},  # where answers are kept: a torn line of their journal
        {"die_at_step": 8},
    )
    weights = uninterrupted(*size, teacher=teacher, **way)
    assert_survives(nursery, tmp_path / "run", size, deaths, weights, asked={"teacher": str(teacher), **way})


@pytest.mark.slow
@pytest.mark.parametrize("model", NETWORKS)
def test_resume_after_twenty_kills_gives_identical_weights(nursery, uninterrupted, tmp_path, model):
    size = (model, 6, 24)  # 66 steps
    chance = random.Random(model)
    deaths = [{"after_reports": chance.randint(1, 3), "pause": chance.uniform(0, 0.03)} for _ in range(15)]
    moments = ("before", "halfway", "after")
    deaths += [{"operation": chance.randint(1, 12), "moment": chance.choice(moments)} for _ in range(5)]
    chance.shuffle(deaths)
    assert_survives(nursery, tmp_path / "run", size, deaths, uninterrupted(*size))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_keeps_the_run_and_says_how_to_go_on(clothes_folder, tmp_path, number):
    folder = tmp_path / "run"
    asked = ["train", "fashion-mnist", "--data-dir", clothes_folder, "--validation", "0.15", "--width", "0.25"]
    length = ["--epochs", "2000", "--batch-size", "24", "--deterministic", "--threads", "1", "--out", folder]
    command = [sys.executable, "-m", "econet.cli.main", *asked, *length]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        while process.poll() is None and not (folder / "history.jsonl").exists():
            time.sleep(0.05)
        while process.poll() is None and not (folder / "history.jsonl").read_bytes():
            time.sleep(0.05)
        process.send_signal(number)
        said = process.communicate()[1]
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert f"econet train fashion-mnist --data-dir {clothes_folder}" in said
    assert f"--resume --out {folder}" in said
    assert_whole(folder)
    assert (folder / "checkpoint.safetensors").exists()
