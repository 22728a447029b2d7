"""`compare --folds K`: every picture is proof once, in networks that had not seen it."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from econet.cli.main import main
from econet.data.load import load_data
from econet.errors import UserError
from econet.jobs.options import CompareOptions, DataOptions
from econet.jobs.repeats import compare
from econet.jobs.run_data import load_again
from econet.measurement.accuracy import read_predictions
from econet.runs.comparison_records import Comparison
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.training.progress import Silent

pytest_plugins = ["small_comparison"]

FOLDS, CLASSES, EACH = 3, 3, 15


@pytest.fixture(scope="module")
def photos(clothes_data, tmp_path_factory):
    """15 pictures each of three kinds of clothes, as files."""
    folder = tmp_path_factory.mktemp("photos")
    for label in range(CLASSES):
        (folder / f"kind-{label}").mkdir()
        for row in np.flatnonzero(clothes_data.train.labels == label)[:EACH]:
            Image.fromarray(clothes_data.train.pixels[row, :, :, 0]).save(folder / f"kind-{label}" / f"{row}.png")
    return folder


def options_for(photos, **more):
    data = DataOptions(str(photos), image_size=28, validation=0.2)
    asked = {"epochs": 1, "batch_size": 8, "deterministic": True, "threads": 1, "folds": FOLDS, "width": 0.25}
    return CompareOptions(data, **{**asked, **more})


def test_each_picture_is_in_the_test_split_of_one_fold(photos):
    parts = [load_data(str(photos), image_size=28, validation=0.2, fold=(fold, FOLDS)) for fold in range(FOLDS)]
    tested = [file for part in parts for file in part.test.files]
    assert len(tested) == len(set(tested)) == CLASSES * EACH
    for part in parts:
        assert np.bincount(part.test.labels).tolist() == [EACH // FOLDS] * CLASSES
        assert not set(part.test.files) & {*part.train.files, *part.validation.files}
        assert len(part.train) + len(part.validation) + len(part.test) == CLASSES * EACH
        split_of = {line.path: line.split for line in part.listing}
        assert sorted(split_of.values()).count("test") == len(part.test)
        assert all(split_of[f"{file.parent.name}/{file.name}"] == "test" for file in part.test.files)
    assert len({part.fingerprint for part in parts}) == FOLDS


def test_sets_with_a_test_split_of_their_own_are_refused(photos, clothes_folder, tmp_path):
    with pytest.raises(UserError, match="cannot be judged in folds"):
        load_data("fashion-mnist", data_dir=clothes_folder, fold=(0, 3))
    for split in ("train", "test"):
        shutil.copytree(photos, tmp_path / split)
    with pytest.raises(UserError, match="it brings a split of its own"):
        load_data(str(tmp_path), image_size=28, fold=(0, 3))


@pytest.mark.usefixtures("in_haste")
def test_a_comparison_in_folds_counts_every_picture_once_and_resumes(photos, tmp_path, capsys):
    folder = tmp_path / "compared"
    record = compare(folder, options_for(photos), Silent())
    assert record.folds == FOLDS
    assert record.difference.method == "folds"
    assert record.difference.images == CLASSES * EACH
    assert sum(each.difference.n10 for each in record.repeats) == record.difference.n10
    assert sum(each.difference.n01 for each in record.repeats) == record.difference.n01
    assert [each.fold for each in record.repeats] == [0, 1, 2]
    candidate = next(side for side in record.sides if (side.role, side.precision) == ("candidate", "int8"))
    parts = [
        read_predictions(folder / f"fold-{fold}" / "candidate" / "model.int8.predictions.npz") for fold in range(FOLDS)
    ]
    right = sum(int((part.predicted == part.truth).sum()) for part in parts)
    assert candidate.evaluation.accuracy == right / (CLASSES * EACH)
    assert len(read_predictions(folder / "candidate.int8.predictions.npz")) == CLASSES * EACH
    run = Run(folder / "fold-1" / "baseline")
    assert load_again(run.config.data).fingerprint == run.config.data.fingerprint
    page = (folder / "page.html").read_text()
    assert "fold by fold" in page
    assert "--seeds 5" not in page
    before = {path: path.read_bytes() for path in folder.rglob("weights.safetensors")}
    assert compare(folder, options_for(photos), Silent(), resume=True) == record
    assert before == {path: path.read_bytes() for path in folder.rglob("weights.safetensors")}
    assert main(["show", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folds"] == FOLDS
    with pytest.raises(UserError, match="of 3 folds"):
        compare(folder, options_for(photos, folds=4), Silent(), resume=True)
    assert read_record(folder / "comparison.json", Comparison) == record


def test_what_makes_no_sense_in_folds_is_refused_before_anything_is_trained(photos, tmp_path):
    for more, words in (
        ({"folds": 2}, "--folds 2 is out of range"),
        ({"seeds": 2}, "goes with one seed"),
        ({"proof": "validation"}, "goes with one seed"),
        ({"teacher": str(photos)}, "is not a run"),
    ):
        with pytest.raises(UserError, match=words):
            compare(tmp_path / "out", options_for(photos, **more), Silent())
    file = tmp_path / "model.onnx"
    file.write_bytes(b"onnx")
    with pytest.raises(UserError, match="cannot take part in folds"):
        compare(tmp_path / "out", options_for(photos, candidate=str(file)), Silent())
    assert not (tmp_path / "out").exists()
