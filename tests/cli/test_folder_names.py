import re
from pathlib import Path

import pytest

from econet.cli.folders import again, output_folder, resume_command
from econet.errors import UserError


def test_a_folder_named_is_the_folder_used():
    assert output_folder(Path("x"), resume=True, data="photos", model="econet") == Path("x")


@pytest.mark.parametrize(
    ("data", "model", "start"),
    [
        ("fashion-mnist", "econet", "fashion-mnist-econet"),
        ("/data/My photos/", "alexnet:paper", "My-photos-alexnet-paper"),
        ("../shirts", "package.module:network", "shirts-package.module-network"),
    ],
)
def test_the_default_folder_names_data_model_and_time(monkeypatch, data, model, start):
    monkeypatch.delenv("RANK", raising=False)
    folder = output_folder(None, resume=False, data=data, model=model)
    assert folder.parent == Path("runs")
    assert re.fullmatch(re.escape(start) + r"-\d{8}-\d{6}", folder.name)


def test_processes_that_train_together_must_be_told_their_folder(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UserError, match="no --out"):
        output_folder(None, resume=False, data="x", model="y")


@pytest.mark.parametrize(
    "words",
    [
        ("train", "my photos", "--out", "a", "--lr", "0.1"),
        ("train", "my photos", "--out=a", "--lr", "0.1"),
        ("train", "my photos", "--lr", "0.1", "--resume", "--out", "b"),
        ("train", "my photos", "--lr", "0.1"),
    ],
)
def test_the_resume_command_repeats_the_words_and_names_the_folder_once(words):
    assert resume_command(words, Path("a")) == "econet train 'my photos' --lr 0.1 --resume --out a"


def test_words_can_be_repeated_with_others_in_place_of_some():
    words = ("compare", "photos", "--time=5m", "--json", "--seed", "3")
    assert again(words, without=("--time=", "--json"), more=("--time", "600s")) == (
        "econet compare photos --seed 3 --time 600s"
    )
