"""`benchmarks/familiarity_scores.py` races scores of the logits on validation, and never reads test."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from econet.data.load import load_data
from econet.data.split import choosing_half
from econet.deployment.predictor import Predictor
from econet.jobs.export import export_run
from econet.jobs.foreign import foreign_pictures
from econet.jobs.options import DataOptions, TrainOptions
from econet.jobs.train import train
from econet.training.progress import Silent

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "tests" / "fixtures" / "clothing"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("familiarity_scores")


def test_every_score_is_what_its_paper_says(program):
    logits = np.array([[2.0, 1.0, -1.0], [0.0, 0.0, 0.0]])
    weights = np.exp(logits[0])
    p = weights / weights.sum()
    expected = {
        "maximum softmax": np.log(p[0]),
        "maximum logit": 2.0,
        "maximum above the mean": 2.0 - 2 / 3,
        "energy": np.log(weights.sum()),
        "energy above the mean": np.log(weights.sum()) - 2 / 3,
        "entropy": (p * np.log(p)).sum(),
        "generalised entropy": -(p**0.1 * (1 - p) ** 0.1).sum(),
        "shape": (2 - 2 / 3) / np.sqrt((4 / 3) ** 2 + (1 / 3) ** 2 + (5 / 3) ** 2),
    }
    found = {name: score(logits) for name, score in program.CANDIDATES.items()}
    assert {name: each[0] for name, each in found.items()} == pytest.approx(expected)
    # A picture of which the network says nothing is the less familiar one by every score.
    assert all(each[1] < each[0] for each in found.values())


def test_the_race_is_run_on_validation_and_on_training_pictures_of_others(
    program, clothes_folder, tmp_path, capsys, monkeypatch
):
    data = load_data("fashion-mnist", data_dir=clothes_folder, validation=0.4)
    asked = TrainOptions(model="econet", width=0.25, epochs=1, batch_size=24, deterministic=True, threads=1)
    run = train(tmp_path / "run", data, asked, Silent())
    export_run(run, data, int8=False, parity_drop=0.02, progress=Silent())
    (photos,) = foreign_pictures([DataOptions(str(PHOTOS))], data, "train")
    assert len(photos.pixels) == 45
    monkeypatch.setattr(program, "load_again", lambda *_, **__: replace(data, test=data.test.take(np.arange(0))))
    monkeypatch.setattr(program, "check_same_data", lambda *_: None)
    words = [str(run.folder), "--other", str(PHOTOS), "--data-dir", str(clothes_folder)]
    assert program.main([*words, "--out", str(tmp_path / "scores.json")]) == 0
    found = json.loads((tmp_path / "scores.json").read_text())["races"]
    assert [each["score"] for each in found] == list(program.CANDIDATES)

    predictor = Predictor(run.artifact("fp32"))
    rest = ~choosing_half(len(data.validation), data.split_seed)
    near = np.sort(predictor.logits(data.validation.pixels[rest]).astype(float).max(1))
    far = predictor.logits(photos.pixels).astype(float).max(1)
    (each,) = [each for each in found if each["score"] == "maximum logit"]
    assert (each["known"], each["foreign"]) == (len(near), len(far))
    # Of 63 familiar pictures the third smallest: 64 x 0.05, rounded down.
    assert each["noticed"] == pytest.approx((far < near[2]).mean())
    assert each["auroc"] == pytest.approx((near[:, None] > far).mean() + (near[:, None] == far).mean() / 2)
    assert "the chosen one notices more in" in capsys.readouterr().out
