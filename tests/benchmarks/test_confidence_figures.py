"""`benchmarks/confidence_figures.py` writes the figures of a run's own files, and tells foreign pictures apart."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from econet.data.load import load_data
from econet.data.split import choosing_half
from econet.deployment.confidence import fit_confidence
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
    return importlib.import_module("confidence_figures")


def test_the_figures_are_those_of_the_file_on_test(program, clothes_folder, tmp_path, capsys):
    data = load_data("fashion-mnist", data_dir=clothes_folder, validation=0.4)
    asked = TrainOptions(model="econet", width=0.25, epochs=1, batch_size=24, deterministic=True, threads=1)
    run = train(tmp_path / "run", data, asked, Silent())
    export_run(run, data, int8=False, parity_drop=0.02, progress=Silent())
    words = [str(run.folder), "--other", str(PHOTOS), "--other", "fashion-mnist", "--data-dir", str(clothes_folder)]
    assert program.main([*words, "--out", str(tmp_path / "figures.json")]) == 0
    (recorded,) = json.loads((tmp_path / "figures.json").read_text())["runs"]
    (found,) = recorded["files"]

    predictor = Predictor(run.artifact("fp32"))
    logits = predictor.logits(data.validation.pixels)
    fitted = fit_confidence(logits, data.validation.labels, choosing_half(len(logits), data.split_seed))
    assert (found["held_by_the_file"], found["temperature"]) == (True, fitted.temperature)
    test = predictor.logits(data.test.pixels).astype(float)
    assert found["accuracy"] == (test.argmax(1) == data.test.labels).mean()
    known = np.log(np.exp(test).sum(1)) - test.mean(1)
    assert found["false_alarms"]["on_test"] == (known < fitted.familiar).mean()
    for each in found["coverage"]:
        assert each["inside"] == (each["interval"][0] <= each["covered"] <= each["interval"][1])

    (other,) = found["foreign"]  # its own source is no other
    (photos,) = foreign_pictures([DataOptions(str(PHOTOS))], data)
    strange = predictor.logits(photos.pixels).astype(float)
    strange = np.log(np.exp(strange).sum(1)) - strange.mean(1)
    ranks = rankdata(np.concatenate([known, strange]))[: len(known)].sum()
    area = (ranks - len(known) * (len(known) + 1) / 2) / (len(known) * len(strange))
    assert (other["name"], other["images"]) == ("clothing", 15)
    assert other["auroc"] == pytest.approx(area)
    assert "AUROC" in capsys.readouterr().out
