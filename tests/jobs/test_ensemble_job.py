"""`evaluate --ensemble`: one record of several files, its weights found and judged on different images."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.files import sha256_of
from econet.jobs.ensemble import Asked, evaluate_ensemble, source_of
from econet.jobs.evaluate import evaluate
from econet.jobs.export import export_run
from econet.jobs.options import DataOptions
from econet.measurement.accuracy import Predictions, read_predictions
from econet.measurement.ensemble import tuned_weights
from econet.runs.artifact_records import Evaluation
from econet.runs.record import read_record
from econet.statistics.intervals import wilson
from econet.training.progress import Silent

pytest_plugins = ["cropped_runs"]

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


@pytest.fixture
def folders(members):
    return [run.folder for run in members]


@pytest.fixture
def together(cropped_options, tmp_path):
    """Evaluate an ensemble of the test's folders or files into `tmp_path / ensemble`."""

    def call(targets, weighting="equal", *, data=cropped_options, split="test", views="centre", out="ensemble"):
        asked = Asked(split, views, weighting)
        return evaluate_ensemble(targets, data, asked, tmp_path / out, Silent(), data_dir=cropped_options.data_dir)

    return call


def probabilities(run, pixels, views="centre"):
    return Predictor(run.artifact("fp32")).probabilities(pixels, views)


def test_equal_weights_are_the_plain_mean_of_the_members_probabilities(
    members, folders, cropped_data, together, tmp_path
):
    found = together(folders)
    alone = [probabilities(run, cropped_data.test.pixels) for run in members]
    mean = np.mean(alone, axis=0, dtype=np.float64)
    labels = cropped_data.test.labels
    right = int((mean.argmax(1) == labels).sum())
    assert found.accuracy == right / 100
    assert found.accuracy_interval == wilson(right, 100)
    assert found.top5_accuracy >= found.accuracy
    assert [each.accuracy for each in found.ensemble.members] == [(each.argmax(1) == labels).mean() for each in alone]
    assert [each.weight for each in found.ensemble.members] == [1 / 3] * 3
    assert (found.subject, found.precision, found.views) == ("ensemble", "fp32", "centre")
    assert found.ensemble.search is None
    assert found.torch_agreement is None
    kept = read_predictions(tmp_path / "ensemble" / "ensemble.predictions.npz")
    np.testing.assert_allclose(kept.probabilities, mean, atol=1e-3)
    np.testing.assert_array_equal(kept.predicted, mean.argmax(1))


def test_the_record_names_its_members_and_their_bytes(members, folders, together, tmp_path):
    found = together(folders)
    for run, member in zip(members, found.ensemble.members, strict=True):
        assert (tmp_path / "ensemble" / member.file).resolve() == run.artifact("fp32").resolve()
        assert member.sha256 == sha256_of(run.artifact("fp32"))
    assert read_record(tmp_path / "ensemble" / "ensemble.evaluation.json", Evaluation) == found
    assert found.predictions_sha256 == sha256_of(tmp_path / "ensemble" / "ensemble.predictions.npz")


def test_tuned_weights_come_from_validation_and_are_judged_on_test(members, folders, cropped_data, together):
    found = together(folders, "tuned")
    held_out = cropped_data.validation
    tables = [probabilities(run, held_out.pixels) for run in members]
    truth = held_out.labels.astype(np.uint16)
    weights = tuned_weights([Predictions(truth, each.argmax(1).astype(np.uint16), each) for each in tables])
    assert tuple(each.weight for each in found.ensemble.members) == weights
    assert found.ensemble.search.images == 49
    best = sum(weight * each for weight, each in zip(weights, tables, strict=True))
    assert found.ensemble.search.accuracy == (best.argmax(1) == truth).mean()
    assert found.ensemble.search.accuracy_equal == (sum(tables).argmax(1) == truth).mean()
    tests = [probabilities(run, cropped_data.test.pixels) for run in members]
    answered = sum(weight * each for weight, each in zip(weights, tests, strict=True)).argmax(1)
    assert found.accuracy == (answered == cropped_data.test.labels).mean()
    assert (found.data.split, found.data.images) == ("test", 100)


def test_ten_views_of_each_member_go_into_files_of_their_own(members, folders, cropped_data, together, tmp_path):
    together(folders)
    found = together(folders, views="ten")
    mean = np.mean([probabilities(run, cropped_data.test.pixels, "ten") for run in members], axis=0)
    assert found.accuracy == (mean.argmax(1) == cropped_data.test.labels).mean()
    assert sorted(path.name for path in (tmp_path / "ensemble").iterdir()) == [
        "ensemble.evaluation.json",
        "ensemble.predictions.npz",
        "ensemble.ten-views.evaluation.json",
        "ensemble.ten-views.predictions.npz",
    ]


def test_reads_of_the_test_images_go_on_from_the_members(folders, cropped_options, together):
    for _ in range(2):
        evaluate(folders[1], cropped_options, "test", Silent())
    assert together(folders, split="validation").test_reads == 2
    assert [together(folders).test_reads for _ in range(2)] == [3, 4]
    assert together(folders, out="elsewhere").test_reads == 3


def test_runs_know_their_data_and_lone_files_are_told(members, folders, cropped_options, together, tmp_path):
    alone = [Path(shutil.copy(run.artifact("fp32"), tmp_path / f"{run.folder.name}.onnx")) for run in members]
    known, told = together(folders, data=None), together(alone)
    assert known.accuracy == told.accuracy
    assert known.predictions_sha256 == told.predictions_sha256
    with pytest.raises(UserError, match="which images"):
        together(alone, data=None)
    assert source_of(folders, None) == "fashion-mnist"
    assert source_of(alone, cropped_options) == "fashion-mnist"
    assert source_of(alone, None) == ""


def test_a_run_without_a_file_gets_one_first(members, folders, together):
    before = together(folders).accuracy
    for path in members[2].folder.glob("model.*"):
        path.unlink()
    assert together(folders).accuracy == before
    assert members[2].artifact("fp32").is_file()


# What cannot be averaged


@pytest.mark.parametrize("others", [(), (".",), ("model.onnx",)], ids=["alone", "twice", "as run and as file"])
def test_one_member_however_often_is_no_ensemble(folders, together, others):
    with pytest.raises(UserError, match="no ensemble"):
        together([folders[0], *(folders[0] / other for other in others)])


def test_members_without_room_for_ten_views_are_refused_before_anything_is_written(
    small_run, clothes_data, together, tmp_path
):
    whole = [small_run(tmp_path / f"whole-{seed}", clothes_data, epochs=1, seed=seed).folder for seed in range(2)]
    with pytest.raises(UserError, match="have no ten views"):
        together(whole, data=None, views="ten")
    assert not (tmp_path / "ensemble").exists()


def test_weights_are_not_judged_by_the_images_that_chose_them(folders, together, tmp_path):
    with pytest.raises(UserError, match="cannot be judged with --split validation"):
        together(folders, "tuned", split="validation")
    assert not (tmp_path / "ensemble").exists()


def test_weights_are_not_tuned_on_images_a_lone_file_may_have_learned(members, folders, together, tmp_path):
    lone = Path(shutil.copy(members[0].artifact("fp32"), tmp_path))
    with pytest.raises(UserError, match=r"cannot take .*model\.onnx") as caught:
        together([*folders[1:], lone], "tuned")
    assert "--ensemble equal" in caught.value.remedy


def test_precisions_are_not_mixed(members, folders, cropped_data, together, monkeypatch):
    monkeypatch.setattr("econet.deployment.parity.INT8_LEAST_AGREEMENT", 0.0)
    for run in members[:2]:
        export_run(run, cropped_data, int8=True, parity_drop=1.0, progress=Silent())
    eights = [run.artifact("int8") for run in members[:2]]
    assert together(eights).precision == "int8"
    with pytest.raises(UserError, match=r"model\.int8\.onnx is int8, .*model\.onnx is fp32"):
        together([folders[0], eights[1]])


@pytest.fixture
def split_otherwise(small_run, pictures_split_by, tmp_path):
    """A run whose validation images another seed held out."""
    return small_run(tmp_path / "other-split", pictures_split_by(7), epochs=1)


def test_other_validation_images_allow_equal_weights_on_the_same_test_images_alone(folders, split_otherwise, together):
    targets = [folders[0], split_otherwise.folder]
    assert together(targets, data=None).data.images == 100
    for asked in ({"weighting": "tuned"}, {"split": "validation"}):
        with pytest.raises(UserError, match="held out other validation images"):
            together(targets, data=None, **asked)


def test_members_of_other_data_are_refused(folders, together, small_run, tmp_path):
    from econet.jobs.run_data import load

    photos = load(DataOptions(str(PHOTOS), image_size=24, crop_from=28))
    stranger = small_run(tmp_path / "photos", photos, epochs=1)
    with pytest.raises(UserError, match="has other test images"):
        together([folders[0], stranger.folder], data=None)
    export_run(stranger, photos, int8=False, parity_drop=0.02, progress=Silent())
    lone = Path(shutil.copy(stranger.artifact("fp32"), tmp_path / "stranger.onnx"))
    with pytest.raises(UserError, match="their classes differ"):
        together([folders[0], lone])
    assert not (tmp_path / "ensemble").exists()


def test_data_that_changed_since_are_not_taken_for_the_runs_own(folders, tmp_path):
    with pytest.raises(UserError, match="belongs to other data"):
        evaluate_ensemble(folders, None, Asked(), tmp_path / "out", Silent())  # the whole Fashion-MNIST
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_run_is_named(folders, together, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is not a run"):
        together([folders[0], tmp_path / "empty"])


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # from here on `import torch` fails
from econet.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_lone_files_are_averaged_on_ten_views_where_there_is_no_torch(members, cropped_options, tmp_path):
    files = [str(shutil.copy(run.artifact("fp32"), tmp_path / f"{run.folder.name}.onnx")) for run in members]
    words = ["evaluate", *files, "--ensemble", "equal", "--views", "ten", "--out", str(tmp_path / "out"), "--json"]
    place = ["--data", "fashion-mnist", "--data-dir", str(cropped_options.data_dir)]
    command = [sys.executable, "-c", WITHOUT_TORCH, *words, *place]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    (one,) = printed["evaluations"]
    assert (one["views"], one["data"]["images"], len(one["ensemble"]["members"])) == ("ten", 100, 3)
    assert printed["folder"] == str(tmp_path / "out")
    assert read_record(tmp_path / "out" / "ensemble.ten-views.evaluation.json", Evaluation).accuracy == one["accuracy"]
