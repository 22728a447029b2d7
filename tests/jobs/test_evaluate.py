"""`evaluate` on runs and files: which images are read, how often, and under which class names."""

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from econet.cli.main import main
from econet.deployment.metadata import embed, read_metadata
from econet.errors import UserError
from econet.files import sha256_of
from econet.jobs.evaluate import evaluate
from econet.jobs.options import DataOptions
from econet.runs.artifact_records import Evaluation
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.training.progress import Silent

pytest_plugins = ["small_comparison"]

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


@pytest.fixture
def run(compared, tmp_path):
    """The compared candidate in a folder of its own, as export left it: not evaluated yet."""
    shutil.copytree(compared.folder / "candidate", tmp_path / "run")
    for path in (*(tmp_path / "run").glob("*.evaluation.json"), *(tmp_path / "run").glob("*.npz")):
        path.unlink()
    return Run(tmp_path / "run")


@pytest.fixture
def file(compared, tmp_path):
    """The compared candidate's fp32 file, alone."""
    (tmp_path / "alone").mkdir()
    return Path(shutil.copy(compared.folder / "candidate" / "model.onnx", tmp_path / "alone"))


def with_classes(path, order):
    """Rewrite the file with its classes, and the logits that go with them, in another `order`."""
    model = onnx.load(path)
    last = model.graph.node[-1]
    for tensor in model.graph.initializer:
        if tensor.name in last.input[1:]:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[order], tensor.name))
    metadata = read_metadata(model, path)
    embed(model, msgspec.structs.replace(metadata, classes=tuple(metadata.classes[index] for index in order)))
    onnx.save(model, path)


def test_a_run_gives_all_its_files_each_compared_with_torch(run, some_pictures, compared):
    found = evaluate(run.folder, some_pictures, "test", Silent())
    assert [each.precision for each in found] == ["fp32", "int8"]
    assert found[0].torch_agreement.top1_agreement == 1
    assert found[0].torch_agreement.images == 200
    assert found[0].torch_agreement.max_logit_difference < 1e-3
    assert found[1].torch_agreement.images == 200
    recorded = [each for each in compared.record.sides if each.role == "candidate"]
    for each, before in zip(found, recorded, strict=True):
        assert each.accuracy == before.evaluation.accuracy
        assert each.predictions_sha256 == before.evaluation.predictions_sha256
    assert read_record(run.folder / "model.int8.evaluation.json", Evaluation) == found[1]
    assert sha256_of(run.folder / "model.int8.predictions.npz") == found[1].predictions_sha256


def test_a_run_without_a_file_gets_one_first(run, some_pictures):
    for path in run.artifacts():
        path.unlink()
        path.with_name(f"{path.stem}.export.json").unlink()
    (found,) = evaluate(run.folder, some_pictures, "test", Silent())
    assert (found.precision, found.torch_agreement.top1_agreement) == ("fp32", 1)
    assert [path.name for path in run.artifacts()] == ["model.onnx"]


def test_a_run_knows_its_data_and_finds_them_in_the_folder_named(run, some_pictures):
    found = evaluate(run.folder, None, "validation", Silent(), data_dir=some_pictures.data_dir)
    assert found[0].data.fingerprint == run.config.data.fingerprint
    assert (found[0].data.split, found[0].data.images) == ("validation", 200)


def test_a_file_in_its_run_is_read_on_the_same_images_and_not_compared_with_torch(run, some_pictures):
    (whole,) = evaluate(run.artifact("int8"), None, "test", Silent(), data_dir=some_pictures.data_dir)
    assert whole.torch_agreement is None
    assert whole.data.fingerprint == run.config.data.fingerprint


def test_each_read_of_the_test_images_is_counted_and_none_of_validation(run, some_pictures):
    reads = [
        evaluate(run.folder, some_pictures, split, Silent())[0].test_reads
        for split in ("validation", "test", "test", "validation", "test")
    ]
    assert reads == [0, 1, 2, 2, 3]


def test_a_file_alone_needs_to_be_told_its_data(file, some_pictures):
    with pytest.raises(UserError, match="which images") as asked:
        evaluate(file, None, "test", Silent())
    assert "--data" in asked.value.remedy
    (found,) = evaluate(file, some_pictures, "test", Silent())
    assert found.torch_agreement is None
    assert found.test_reads == 1
    assert file.with_name("model.evaluation.json").is_file()


def test_classes_in_another_order_are_matched_by_name(file, some_pictures):
    (straight,) = evaluate(file, some_pictures, "test", Silent())
    before = np.load(file.with_name("model.predictions.npz"))
    with_classes(file, [3, 0, 1, 2, 9, 8, 7, 6, 5, 4])
    (crossed,) = evaluate(file, some_pictures, "test", Silent())
    assert crossed.accuracy == straight.accuracy > 0.3
    assert crossed.confusion == straight.confusion
    assert [each.name for each in crossed.per_class] == [each.name for each in straight.per_class]
    np.testing.assert_array_equal(np.load(file.with_name("model.predictions.npz"))["predicted"], before["predicted"])


def test_torch_is_compared_class_by_class_where_the_order_differs(run, some_pictures):
    with_classes(run.artifact("fp32"), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    found = evaluate(run.folder, some_pictures, "test", Silent())
    assert found[0].torch_agreement.top1_agreement == 1
    assert found[0].torch_agreement.max_logit_difference < 1e-3


def test_other_classes_are_refused_and_named(file):
    with pytest.raises(UserError, match="their classes differ: ankle boot, bag, coat"):
        evaluate(file, DataOptions(str(PHOTOS)), "test", Silent())
    assert [path.name for path in file.parent.iterdir()] == ["model.onnx"]


def test_photographs_are_loaded_at_the_size_that_the_file_takes(tmp_path):
    from econet.jobs.export import export_run
    from econet.jobs.options import TrainOptions
    from econet.jobs.run_data import load
    from econet.jobs.train import train

    photos = load(DataOptions(str(PHOTOS), image_size=24, resize="shorter-side"))
    asked = TrainOptions(width=0.25, epochs=1, deterministic=True, threads=1)
    run = train(tmp_path / "run", photos, asked, Silent())
    export_run(run, photos, int8=False, parity_drop=0.02, progress=Silent())
    (inside,) = evaluate(run.folder, DataOptions(str(PHOTOS)), "test", Silent())
    alone = Path(shutil.copy(run.artifact("fp32"), tmp_path))
    (outside,) = evaluate(alone, DataOptions(str(PHOTOS)), "test", Silent())
    assert inside.data.images == outside.data.images == 15
    assert (outside.accuracy, outside.predictions_sha256) == (inside.accuracy, inside.predictions_sha256)


def test_data_that_changed_since_are_not_taken_for_the_run_s_own(run):
    with pytest.raises(UserError, match="belongs to other data"):
        evaluate(run.folder, None, "test", Silent())  # the whole Fashion-MNIST that comes with EcoNet


def test_a_folder_that_is_no_run_is_named(tmp_path, some_pictures):
    with pytest.raises(UserError, match="is not a run"):
        evaluate(tmp_path, some_pictures, "test", Silent())


def test_the_terminal_prints_one_json_object_with_every_record(run, some_pictures, capsys):
    assert main(["evaluate", str(run.folder), "--data-dir", str(some_pictures.data_dir), "--json"]) == 0
    printed = msgspec.json.decode(capsys.readouterr().out)
    assert [each["subject"] for each in printed["evaluations"]] == ["model.onnx", "model.int8.onnx"]
    assert replace(some_pictures).source == printed["evaluations"][0]["data"]["name"]
