"""A run of hand-crafted features: trained and evaluated like any other, and refused where a network must be."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from econet.cli.main import main
from econet.data.load import load_data
from econet.errors import UserError
from econet.files import sha256_of
from econet.images.preprocess import cropped
from econet.jobs.evaluate import evaluate
from econet.jobs.export import export
from econet.jobs.handcrafted import model_of
from econet.jobs.options import DataOptions, TrainOptions
from econet.jobs.run_data import load
from econet.jobs.train import train
from econet.runs.artifact_records import Evaluation
from econet.runs.folder import Run
from econet.runs.handcrafted_records import Fit
from econet.runs.record import read_record
from econet.statistics.intervals import wilson
from econet.training.progress import Silent

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
OPTIONS = {
    "hog_linear": TrainOptions(model="hog_linear", threads=1),
    "sift_fisher": TrainOptions(model="sift_fisher", threads=1, switches={"gaussians": 4}),
}


@pytest.fixture(scope="module", params=OPTIONS)
def fitted(request, clothes_data, tmp_path_factory):
    """A finished run of each kind on the small real data set."""
    return train(tmp_path_factory.mktemp("runs") / "run", clothes_data, OPTIONS[request.param], Silent())


@pytest.fixture(scope="module")
def finished_hog(clothes_data, tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "hog", clothes_data, OPTIONS["hog_linear"], Silent())


@pytest.fixture
def hog(finished_hog, tmp_path):
    """A copy to break."""
    return Run(shutil.copytree(finished_hog.folder, tmp_path / "hog"))


def test_a_run_records_what_was_asked_tried_and_chosen(fitted, clothes_data):
    config, fit, finished = fitted.recorded, read_record(fitted.fit_path, Fit), fitted.finished
    assert config.data.fingerprint == clothes_data.fingerprint
    assert list(config.architecture) == ["handcrafted"]
    assert config.libraries["scikit-learn"]
    assert config.fit.mirrored
    assert [trial.penalty for trial in fit.trials] == list(config.fit.penalties[: len(fit.trials)])
    best = max(fit.trials, key=lambda trial: trial.validation_accuracy)
    assert (fit.penalty, finished.validation_accuracy) == (best.penalty, best.validation_accuracy)
    assert finished.images == finished.epochs * 2 * len(clothes_data.train)
    assert finished.weights_sha256 == sha256_of(fitted.weights_path)
    assert (fit.codebook is not None) == (config.model == "sift_fisher")


def test_what_it_costs_is_counted_from_its_arrays_and_macs_are_not_claimed(fitted):
    fit = read_record(fitted.fit_path, Fit)
    assert fit.cost.parameters == sum(array.size for array in load_file(fitted.weights_path).values())
    assert fit.cost.bytes == fitted.weights_path.stat().st_size
    assert fit.cost.macs is None
    assert "Python" in fit.cost.runtime


def test_the_stored_arrays_give_the_recorded_accuracy(fitted, clothes_data):
    logits = model_of(fitted).logits(clothes_data.validation.pixels)
    right = (logits.argmax(1) == clothes_data.validation.labels).mean()
    assert right == fitted.finished.validation_accuracy > 0.5


def test_evaluate_writes_the_same_record_as_for_a_file(fitted, clothes_folder, clothes_data):
    (found,) = evaluate(fitted.folder, None, "test", Silent(), data_dir=clothes_folder)
    assert read_record(fitted.folder / "weights.evaluation.json", Evaluation) == found
    assert (found.subject, found.data.images, found.torch_agreement) == ("weights.safetensors", 100, None)
    right = model_of(fitted).logits(clothes_data.test.pixels).argmax(1) == clothes_data.test.labels
    assert found.accuracy == right.mean() > 0.5
    assert found.accuracy_interval == wilson(int(right.sum()), 100)
    stored = np.load(fitted.folder / "weights.predictions.npz")
    assert (stored["predicted"] == stored["truth"]).mean() == found.accuracy
    (again,) = evaluate(fitted.folder, None, "test", Silent(), data_dir=clothes_folder)
    assert again.test_reads == found.test_reads + 1


def test_the_same_seed_gives_the_same_bits(fitted, clothes_data, tmp_path):
    again = train(tmp_path / "again", clothes_data, OPTIONS[fitted.recorded.model], Silent())
    assert again.finished.weights_sha256 == fitted.finished.weights_sha256


def test_an_unfinished_fit_is_done_again_and_a_finished_one_left(hog, clothes_data, teller):
    weights, notes = hog.weights_path.read_bytes(), teller()
    train(hog.folder, clothes_data, TrainOptions(), notes, resume=True)
    assert notes.notes == [f"{hog.folder} is finished: nothing left to fit"]
    hog.weights_path.unlink()
    hog.finished_path.unlink()
    train(hog.folder, clothes_data, TrainOptions(), Silent(), resume=True)
    assert hog.weights_path.read_bytes() == weights


def test_a_run_is_not_fitted_over_and_not_on_other_data(hog, clothes_data, clothes_folder):
    with pytest.raises(UserError, match="holds a run already"):
        train(hog.folder, clothes_data, OPTIONS["hog_linear"], Silent())
    other = load_data("fashion-mnist", data_dir=clothes_folder, validation=0.2)
    with pytest.raises(UserError, match="belongs to other data"):
        train(hog.folder, other, OPTIONS["hog_linear"], Silent(), resume=True)


def test_it_cannot_be_exported_taught_by_or_started_from(hog, clothes_data, tmp_path):
    with pytest.raises(UserError, match="holds no network"):
        export(hog, int8=False, parity_drop=0.02, progress=Silent())
    for role in ("teacher", "start"):
        with pytest.raises(UserError, match="holds no network"):
            train(tmp_path / role, clothes_data, TrainOptions(epochs=1, **{role: hog.folder}), Silent())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"epochs": 3}, "hog_linear has no --epochs"),
        ({"lr": 0.1}, "hog_linear has no --lr"),
        ({"start": Path("runs")}, "hog_linear has no --from"),
        ({"width": 2.0}, "hog_linear has no --width"),
        ({"augment": "strong"}, "cannot be given --augment strong"),
    ],
)
def test_settings_of_a_network_are_refused_before_anything_is_written(asked, words, clothes_data, tmp_path):
    with pytest.raises(UserError, match=words):
        train(tmp_path / "run", clothes_data, TrainOptions(model="hog_linear", **asked), Silent())
    assert not (tmp_path / "run" / "config.json").exists()


def test_damaged_arrays_are_named(hog, clothes_folder):
    hog.weights_path.write_bytes(hog.weights_path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"weights\.safetensors cannot be used"):
        evaluate(hog.folder, None, "test", Silent(), data_dir=clothes_folder)


def test_photographs_are_seen_through_the_central_crop(tmp_path):
    photos = load(DataOptions(str(PHOTOS), image_size=32, crop_from=40))
    run = train(tmp_path / "run", photos, TrainOptions(model="hog_linear", augment="none"), Silent())
    (found,) = evaluate(run.folder, DataOptions(str(PHOTOS)), "test", Silent())
    centre = cropped(photos.test.pixels, photos.preprocess)
    assert centre.shape[1:] == (32, 32, 3)
    assert found.accuracy == (model_of(run).logits(centre).argmax(1) == photos.test.labels).mean()
    assert (run.folder / "data.jsonl").is_file()


def test_the_terminal_trains_and_evaluates_it_and_export_is_refused(tmp_path, clothes_folder, capsys):
    place = ["--data-dir", str(clothes_folder)]
    run = str(tmp_path / "run")
    assert main(["train", "fashion-mnist", "--model", "hog_linear", "--out", run, *place]) == 0
    assert f"next: econet evaluate {run}" in capsys.readouterr().err
    assert main(["evaluate", run, *place, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["evaluations"][0]["accuracy"] > 0.5
    for command in ("export", "benchmark"):
        assert main([command, run]) == 2
        assert "holds no network" in capsys.readouterr().err


def test_show_tells_it_in_one_screen(fitted, capsys):
    assert main(["show", str(fitted.folder)]) == 0
    printed = capsys.readouterr().out
    fit = read_record(fitted.fit_path, Fit)
    assert fitted.recorded.model in printed
    assert "MACs not counted" in printed
    assert all(f"{trial.penalty:g}" in printed for trial in fit.trials)


def test_features_that_would_not_fit_into_memory_are_refused_first(clothes_data, tmp_path, monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda name: 1024)  # a machine of a megabyte
    with pytest.raises(UserError, match=r"the features of 591 pictures need 0\.0 GB"):
        train(tmp_path / "run", clothes_data, OPTIONS["hog_linear"], Silent())
    assert not (tmp_path / "run" / "config.json").exists()
