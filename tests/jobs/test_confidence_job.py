"""`export` fits how sure a file is, `evaluate` says whether that held, and `predict` uses it."""

import json

import numpy as np
import pytest
from PIL import Image

from econet.cli.main import main
from econet.data.load import load_data
from econet.data.split import choosing_half
from econet.deployment.confidence import fit_confidence
from econet.deployment.predictor import Predictor
from econet.deployment.proof.proof_file import proof_path
from econet.jobs.confidence import confidence_of
from econet.jobs.evaluate import evaluate_artifacts
from econet.jobs.export import export_run
from econet.jobs.options import TrainOptions
from econet.jobs.prove import prove
from econet.jobs.train import train
from econet.statistics.calibration import ece
from econet.training.progress import Silent


@pytest.fixture(scope="module")
def data(clothes_folder):
    """193 pictures to learn from, 127 for validation, 100 for test."""
    return load_data("fashion-mnist", data_dir=clothes_folder, validation=0.4)


@pytest.fixture(scope="module")
def exported(data, tmp_path_factory):
    asked = TrainOptions(model="econet", width=0.25, epochs=3, batch_size=24, deterministic=True, threads=1)
    run = train(tmp_path_factory.mktemp("sure") / "run", data, asked, Silent())
    record = export_run(run, data, int8=False, parity_drop=0.02, progress=Silent())
    return run, record


def test_the_file_holds_what_its_own_answers_to_validation_fit(exported, data):
    run, record = exported
    predictor = Predictor(run.artifact("fp32"))
    logits = predictor.logits(data.validation.pixels)
    expected = fit_confidence(logits, data.validation.labels, choosing_half(127, data.split_seed))
    assert predictor.confidence == expected == record.confidence
    assert expected.images == (64, 63)
    assert record.bytes == run.artifact("fp32").stat().st_size


def test_the_file_proves_itself(exported, tmp_path):
    run, _ = exported
    assert proof_path(run.artifact("fp32")).name == "model.proof.npz"
    assert prove(run.artifact("fp32")).passed


def test_an_evaluation_says_whether_it_held(exported, data):
    run, _ = exported
    (evaluation,) = evaluate_artifacts([(run.artifact("fp32"), None)], data, "test", Silent())
    predictor = Predictor(run.artifact("fp32"))
    logits = predictor.logits(data.test.pixels).astype(float)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = evaluation.confidence
    assert found.ece_before == pytest.approx(ece(probabilities, data.test.labels)[0], abs=1e-5)
    assert evaluation.ece == pytest.approx(ece(predictor.probabilities(data.test.pixels), data.test.labels)[0])
    assert [each.stated for each in found.coverage] == [0.8, 0.9, 0.95]
    assert all(0 <= each.covered <= 1 and each.interval[0] <= each.interval[1] for each in found.coverage)
    (before,) = evaluate_artifacts([(run.artifact("fp32"), None)], data, "validation", Silent())
    assert before.confidence is None


def test_predict_prints_the_set_and_says_when_a_picture_is_like_none(exported, data, tmp_path, capsys):
    run, _ = exported
    known, noise = tmp_path / "known.png", tmp_path / "noise.png"
    Image.fromarray(data.test.pixels[0, :, :, 0]).save(known)
    Image.fromarray(np.full((28, 28), 128, np.uint8)).save(noise)
    words = ["predict", str(run.artifact("fp32")), str(known), str(noise), "--coverage", "0.9"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["coverage"] == 0.9
    predictor = Predictor(run.artifact("fp32"))
    for entry, path in zip(found["images"], (known, noise), strict=True):
        answer = predictor.answer(path, coverage=0.9)
        assert entry["none_of_these"] is answer.none_of_these
        assert [each["label"] for each in entry["covering"]] == [each.label for each in answer.covering]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "with 90 % coverage" in shown or "with 90.0 % coverage" in shown
    assert ("none of these (looks unlike the training pictures)" in shown) == any(
        entry["none_of_these"] for entry in found["images"]
    )
    assert main([*words[:-1], "0.3"]) == 2


def test_too_few_validation_pictures_say_nothing_and_it_is_told(exported, clothes_data, teller):
    run, _ = exported
    listener = teller()
    assert confidence_of(Predictor(run.artifact("fp32")).logits, clothes_data, listener) is None
    assert "49 validation images are too few" in listener.notes[0]
