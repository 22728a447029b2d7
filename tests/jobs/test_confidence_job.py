"""`export` fits how sure a file is, `evaluate` says whether that held, and `predict` uses it."""

import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from econet.cli.main import main
from econet.data.load import load_data
from econet.data.split import choosing_half
from econet.deployment.confidence import fit_confidence
from econet.deployment.predictor import Predictor
from econet.deployment.proof.proof_file import proof_path
from econet.deployment.zoo import find, zoo_names
from econet.errors import UserError
from econet.jobs.confidence import confidence_of
from econet.jobs.evaluate import evaluate_artifacts
from econet.jobs.export import export_run
from econet.jobs.foreign import foreign_pictures
from econet.jobs.options import DataOptions, TrainOptions
from econet.jobs.prove import prove
from econet.jobs.train import train
from econet.runs.artifact_records import Evaluation
from econet.runs.record import read_record
from econet.statistics.calibration import ece
from econet.training.progress import Silent

SHIPPED = find(zoo_names()[0])
PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


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


def test_an_evaluation_says_how_many_foreign_pictures_it_noticed(exported, data, clothes_folder, capsys):
    run, _ = exported
    file = run.artifact("fp32")
    words = ["evaluate", str(run.folder), "--other", str(PHOTOS), "--data-dir", str(clothes_folder)]
    assert main([*words, "--json"]) == 0
    (printed,) = json.loads(capsys.readouterr().out)["evaluations"]
    recorded = read_record(file.with_name("model.evaluation.json"), Evaluation).confidence
    (found,) = recorded.foreign
    assert printed["confidence"]["foreign"] == [msgspec.to_builtins(found)]
    assert (found.name, found.images) == ("clothing", 15)

    predictor = Predictor(file)
    pictures = []
    for path in sorted((PHOTOS / "test").rglob("*.jpg")):
        with Image.open(path) as photo:
            small = photo.convert("RGB").convert("L").resize((28, 28), Image.Resampling.BILINEAR)
        pictures.append(np.asarray(small)[:, :, None])
    strange = predictor.logits(np.stack(pictures)).astype(float)
    strange = np.log(np.exp(strange).sum(1)) - strange.mean(1)
    assert found.noticed == (strange < predictor.confidence.familiar).mean()
    known = predictor.logits(data.test.pixels).astype(float)
    known = np.log(np.exp(known).sum(1)) - known.mean(1)
    above = (known[:, None] > strange).mean() + (known[:, None] == strange).mean() / 2
    assert found.auroc == pytest.approx(above)
    assert main(words) == 0
    said = f"of 15 pictures of clothing {100 * found.noticed:.1f} % are noticed as none of these"
    assert said in " ".join(capsys.readouterr().out.split())


def test_a_folder_of_pictures_alone_is_another_source_too(data, tmp_path):
    Image.new("RGB", (50, 40), "red").save(tmp_path / "a.png")
    Image.new("RGB", (8, 8), "white").save(tmp_path / "b.png")
    (found,) = foreign_pictures([DataOptions(str(tmp_path))], data)
    # 0.299 x 255
    assert sorted(set(found.pixels.ravel().tolist())) == [76, 255]
    assert found.pixels.shape == (2, 28, 28, 1)


@pytest.mark.skipif("ECONET_DATA" not in os.environ, reason="needs CIFAR-10 in $ECONET_DATA")
def test_small_colour_pictures_become_gray_and_of_the_networks_size(data):
    cifar = load_data("cifar10", data_dir=Path(os.environ["ECONET_DATA"]))
    (found,) = foreign_pictures([DataOptions("cifar10", data_dir=Path(os.environ["ECONET_DATA"]))], data)
    gray = Image.fromarray(cifar.test.pixels[-1]).convert("L").resize((28, 28), Image.Resampling.BILINEAR)
    assert (found.name, found.pixels.shape) == ("cifar10", (10_000, 28, 28, 1))
    np.testing.assert_array_equal(found.pixels[-1, :, :, 0], np.asarray(gray))


def test_foreign_pictures_come_where_they_can_be_told_and_from_elsewhere(exported, data, capsys):
    run, _ = exported
    words = ["evaluate", str(run.folder), "--other", str(PHOTOS)]
    assert main([*words, "--views", "ten"]) == 2
    assert main([*words, "--split", "validation"]) == 2
    assert main([*words, "--ensemble", "equal"]) == 2
    said = capsys.readouterr().err
    assert "--other was given with --views ten" in said
    assert "--other was given with --split validation" in said
    assert "--other was given with --ensemble" in said
    with pytest.raises(UserError, match="fashion-mnist is no other source"):
        foreign_pictures([DataOptions("fashion-mnist")], data)
    (photos,) = foreign_pictures([DataOptions(str(PHOTOS))], data)
    with pytest.raises(UserError) as refused:
        evaluate_artifacts([(SHIPPED, None)], data, "test", Silent(), foreign=[photos])
    assert "holds no confidence" in refused.value.why


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
