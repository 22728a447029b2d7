"""`evaluate` on ten views: beside the centre's results, by averaged probabilities, each read counted."""

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import econet
from econet.deployment.metadata import embed, read_metadata
from econet.errors import UserError
from econet.files import sha256_of
from econet.jobs.evaluate import evaluate
from econet.jobs.export import export
from econet.measurement.accuracy import read_predictions
from econet.runs.artifact_records import Evaluation
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.training.progress import Silent

pytest_plugins = ["cropped_runs"]


@pytest.fixture
def run(members):
    return members[0]


def by_hand(path, pixels):
    """Mean softmax of the ten windows of 24 pixels in 28, through the runtime alone."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    total = np.zeros((len(pixels), 10))
    for top, left in ((0, 0), (0, 4), (2, 2), (4, 0), (4, 4)):
        window = pixels[:, top : top + 24, left : left + 24]
        for view in (window, window[:, :, ::-1]):
            (logits,) = session.run(["logits"], {"image": np.ascontiguousarray(view.transpose(0, 3, 1, 2))})
            powers = np.exp(logits.astype(np.float64))
            total += powers / powers.sum(1, keepdims=True) / 10
    return total


def test_answers_are_the_largest_of_the_averaged_probabilities(run, cropped_data, cropped_options):
    (found,) = evaluate(run.folder, cropped_options, "test", Silent(), views="ten")
    expected = by_hand(run.artifact("fp32"), cropped_data.test.pixels)
    kept = read_predictions(run.folder / "model.ten-views.predictions.npz")
    np.testing.assert_allclose(kept.probabilities, expected, atol=1e-3)  # kept as float16
    np.testing.assert_array_equal(kept.predicted, expected.argmax(1))
    assert found.accuracy == (expected.argmax(1) == cropped_data.test.labels).mean() > 0.3
    assert found.views == "ten"
    assert found.top5_accuracy >= found.accuracy
    assert found.accuracy_ties_shared == pytest.approx(found.accuracy)


def test_the_results_of_the_centre_stay_as_they_are(run, cropped_options):
    evaluate(run.folder, cropped_options, "test", Silent())
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    (ten,) = evaluate(run.folder, cropped_options, "test", Silent(), views="ten")
    after = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    new = {"model.ten-views.evaluation.json", "model.ten-views.predictions.npz"}
    assert after.keys() - before.keys() == new
    assert {name: after[name] for name in before} == before
    assert read_record(run.folder / "model.ten-views.evaluation.json", Evaluation) == ten
    assert ten.predictions_sha256 == sha256_of(run.folder / "model.ten-views.predictions.npz")
    assert read_record(run.folder / "model.evaluation.json", Evaluation).views == "centre"


def test_torch_is_compared_on_the_centre_alone(run, cropped_options):
    (centre,) = evaluate(run.folder, cropped_options, "test", Silent())
    (ten,) = evaluate(run.folder, cropped_options, "test", Silent(), views="ten")
    assert centre.torch_agreement.top1_agreement == 1
    assert ten.torch_agreement is None


def test_reads_of_the_test_images_are_counted_across_views(run, cropped_options):
    asked = [("test", "centre"), ("test", "ten"), ("validation", "ten"), ("test", "centre"), ("test", "ten")]
    reads = [
        evaluate(run.folder, cropped_options, split, Silent(), views=views)[0].test_reads for split, views in asked
    ]
    assert reads == [1, 2, 2, 3, 4]


def test_a_run_trained_on_whole_pictures_has_no_ten_views(small_run, clothes_data, clothes_folder, tmp_path):
    folder = small_run(tmp_path / "whole", clothes_data, epochs=1).folder
    export(Run(folder), int8=False, parity_drop=0.02, progress=Silent(), data_dir=clothes_folder)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(UserError, match="kept at 28x28 pixels have no ten views") as caught:
        evaluate(folder, None, "validation", Silent(), data_dir=clothes_folder, views="ten")
    assert "--crop-from" in caught.value.remedy
    assert sorted(path.name for path in folder.iterdir()) == before


def rewrite_last_layer(path, change, order=range(10)):
    """Replace weights and bias of a file's last layer, and put its classes into another order."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.name in model.graph.node[-1].input[1:]:
            tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), tensor.name))
    metadata = read_metadata(model, path)
    embed(model, msgspec.structs.replace(metadata, classes=tuple(metadata.classes[index] for index in order)))
    onnx.save(model, path)


def test_equal_logits_are_shared_out_beside_the_accuracy(run, cropped_data, cropped_options):
    rewrite_last_layer(run.artifact("fp32"), np.zeros_like)  # all ten classes are equally probable
    for views in ("centre", "ten"):
        (found,) = evaluate(run.artifact("fp32"), cropped_options, "test", Silent(), views=views)
        assert found.accuracy == (cropped_data.test.labels == 0).mean()
        assert found.accuracy_ties_shared == pytest.approx(0.1)


def test_classes_in_another_order_are_matched_by_name(run, cropped_options):
    (straight,) = evaluate(run.artifact("fp32"), cropped_options, "test", Silent(), views="ten")
    order = [3, 0, 1, 2, 9, 8, 7, 6, 5, 4]
    rewrite_last_layer(run.artifact("fp32"), lambda values: values[order], order)
    (crossed,) = evaluate(run.artifact("fp32"), cropped_options, "test", Silent(), views="ten")
    assert crossed.confusion == straight.confusion
    assert crossed.accuracy == straight.accuracy > 0.3


def test_a_script_asks_for_the_same(run, clothes_folder):
    (centre,) = econet.evaluate(run, data_dir=clothes_folder)
    (ten,) = econet.evaluate(str(run.artifact("fp32")), "fashion-mnist", views="ten", data_dir=clothes_folder)
    assert (centre.views, ten.views) == ("centre", "ten")
    assert read_record(run.folder / "model.ten-views.evaluation.json", Evaluation) == ten
    with pytest.raises(UserError, match="unknown views 'tenn'"):
        econet.evaluate(run, views="tenn", data_dir=clothes_folder)
