import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from econet.deployment.network_layers import layer_outputs
from econet.deployment.onnx_export import export_network
from econet.deployment.parity import agreement, check_parity, worst_image
from econet.deployment.parity_cause import ParityFailure, likeliest_cause
from econet.deployment.predictor import Predictor


def fp32(torch_logits, artifact_logits):
    labels = np.zeros(len(torch_logits), np.int64)
    return check_parity(torch_logits, artifact_logits, precision="fp32", labels=labels, parity_drop=0.02)


def logits_answering(answers, classes=3):
    return np.eye(classes, dtype=np.float32)[np.asarray(answers)] * 4


def int8(torch_answers, artifact_answers, labels, parity_drop=0.02):
    return check_parity(
        logits_answering(torch_answers),
        logits_answering(artifact_answers),
        precision="int8",
        labels=np.asarray(labels),
        parity_drop=parity_drop,
    )


def test_equal_logits_pass():
    found = fp32(logits_answering([0, 1, 2]), logits_answering([0, 1, 2]))
    assert (found.passed, found.top1_agreement, found.max_logit_difference, found.images) == (True, 1, 0, 3)


def test_fp32_fails_beyond_a_thousandth_of_the_range():
    logits = logits_answering([0, 1, 2])
    assert fp32(logits, logits + np.float32(0.0039)).passed
    assert not fp32(logits, logits + np.float32(0.0041)).passed


def test_fp32_fails_on_one_other_answer_but_a_tie_in_torch_is_none():
    torch_side = np.array([[1.0, 1.00005, 0.0], [5, 0, 0]], np.float32)
    swapped = np.array([[1.00005, 1.0, 0.0], [5, 0, 0]], np.float32)
    assert fp32(torch_side, swapped).passed
    torch_side[0, 1] = swapped[0, 0] = 1.001
    found = fp32(torch_side, swapped)
    assert (found.passed, found.top1_agreement) == (False, 0.5)


def test_values_that_are_not_finite_never_pass():
    logits = logits_answering([0, 1])
    broken = logits.copy()
    broken[0, 1] = np.nan
    assert not fp32(logits, broken).passed
    labels = np.zeros(2, np.int64)
    assert not check_parity(logits, broken, precision="int8", labels=labels, parity_drop=1.0).passed


def test_int8_fails_under_95_percent_agreement():
    truth = np.zeros(100, int)
    wrong = truth.copy()
    wrong[:5] = 1
    assert int8(wrong, truth, truth).passed
    wrong[5] = 1
    assert int8(wrong, truth, truth).passed is False


def test_int8_fails_only_when_the_whole_interval_lies_beyond_the_drop():
    # 40 of 1,000 lost and none won: Tango's 95 % interval of -0.040 ends near -0.0295.
    truth = np.zeros(1000, int)
    worse = truth.copy()
    worse[:40] = 1
    assert int8(truth, worse, truth, parity_drop=0.02).passed is False
    assert int8(truth, worse, truth, parity_drop=0.035).passed is True


def test_files_are_counted_apart_from_stored_images():
    logits = logits_answering([0, 1, 2, 0])
    labels = np.array([0, 1, 2, 0])
    found = check_parity(logits, logits, precision="fp32", labels=labels, parity_drop=0.02, files=1)
    assert (found.images, found.files) == (3, 1)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        fp32(logits_answering([0]), logits_answering([0, 1]))


def test_agreement_and_the_worst_image():
    torch_side = logits_answering([0, 1, 2])
    artifact = torch_side.copy()
    artifact[0, 0] += 9
    artifact[2] = [5, 0, 4]
    found = agreement(torch_side, artifact)
    assert (found.images, found.top1_agreement, found.max_logit_difference) == (3, pytest.approx(2 / 3), 9)
    assert worst_image(torch_side, artifact) == 2


@pytest.fixture
def failure(slim, gray, classes, clothes, torch_logits, tmp_path):
    """Build the failure of an altered file, or of altered words about it."""

    def build(model, logits=None):
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        run = Predictor(path).logits
        artifact_logits = run(clothes)
        expected = torch_logits(slim, clothes) if logits is None else logits
        found = ParityFailure(path, clothes, expected, artifact_logits, run, gray, classes)
        return likeliest_cause(found)

    return build


def copied(model):
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def test_another_scale_in_the_record_is_the_cause(failure, slim, gray, classes):
    altered = msgspec.structs.replace(gray, scale=1 / 45)
    reason = failure(export_network(slim, altered, classes, "n")).reason
    assert reason.startswith("preprocessing: `scale` is 0.0222")


def test_another_offset_in_the_graph_is_the_cause(failure, slim_model):
    altered = copied(slim_model)
    name = altered.graph.node[1].input[1]
    tensor = next(each for each in altered.graph.initializer if each.name == name)
    tensor.CopyFrom(numpy_helper.from_array(np.float32(3), name))
    assert "the graph computes (pixel - 3) * 0.0111" in failure(altered).reason


def test_a_mirrored_picture_is_the_cause(failure, slim, slim_model, clothes, torch_logits):
    mirrored = torch_logits(slim, clothes[:, :, ::-1])
    assert "with the picture mirrored the file gives" in failure(slim_model, mirrored).reason


def test_exchanged_classes_are_the_cause(failure, slim, slim_model, clothes, torch_logits):
    logits = torch_logits(slim, clothes)[:, [0, 2, 1, *range(3, 10)]]
    assert failure(slim_model, logits).reason == "class order: logit 2 of the file is 'b', which is number 1"


def test_other_class_names_are_the_cause(failure, slim, gray, classes):
    model = export_network(slim, gray, ("b", "a", *classes[2:]), "n")
    assert failure(model).reason == "class order: 'b' stands for 'a'"


def test_the_first_layer_that_differs_is_named(slim, slim_model, gray, classes, clothes, torch_logits, tmp_path):
    altered = copied(slim_model)
    depthwise = [node for node in altered.graph.node if any(each.name == "group" for each in node.attribute)]
    name = depthwise[2].input[1]
    tensor = next(each for each in altered.graph.initializer if each.name == name)
    weights = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(weights[:, :, ::-1]) * 2, name))
    path = tmp_path / "model.onnx"
    path.write_bytes(altered.SerializeToString())
    run = Predictor(path).logits
    layers = layer_outputs(slim, clothes[:16], gray)
    found = ParityFailure(path, clothes, torch_logits(slim, clothes), run(clothes), run, gray, classes, layers)
    assert likeliest_cause(found).reason.startswith("layer 3 (SeparableLayer): its output differs by ")
