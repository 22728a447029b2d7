import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from econet.deployment.model_file import read_model
from econet.deployment.predictor import Predictor
from econet.errors import UserError


def refusal(path):
    """The UserError that every reader gives, its three parts one line each."""
    with pytest.raises(UserError, match=path.name.replace(".", r"\.")) as caught:
        Predictor(path)
    with pytest.raises(UserError):
        read_model(path)
    error = caught.value
    assert not any("\n" in part for part in (error.what, error.why, error.remedy))
    return error


def saved(model, tmp_path):
    path = tmp_path / "stranger.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def model(slim_model):
    copy = onnx.ModelProto()
    copy.CopyFrom(slim_model)
    return copy


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_cut_artifact_is_refused_and_named(artifact, share):
    content = artifact.read_bytes()
    artifact.write_bytes(content[: int(share * len(content))])
    assert str(artifact) in refusal(artifact).what


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"<html>not found</html>", bytes(range(256)) * 16])
def test_garbage_is_refused_and_named(tmp_path, content):
    path = tmp_path / "garbage.onnx"
    path.write_bytes(content)
    assert str(path) in refusal(path).what


def test_an_absent_file_is_named(tmp_path):
    assert "No such file" in refusal(tmp_path / "absent.onnx").why


def test_a_folder_is_refused(tmp_path):
    assert "directory" in refusal(tmp_path).why


def test_a_file_over_500_mb_is_refused_unread(tmp_path):
    path = tmp_path / "huge.onnx"
    path.touch()
    os.truncate(path, 500_000_001)
    assert "500,000,001 bytes" in refusal(path).why


def test_data_in_another_file_is_refused(model, tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"\0" * 4096)
    tensor = model.graph.initializer[2]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    assert "keeps its data in another file" in refusal(saved(model, tmp_path)).why


def test_data_in_another_file_is_refused_inside_attributes_too(model, tmp_path):
    tensor = TensorProto(name="hidden", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["unused"], value=tensor))
    assert "'hidden' keeps its data" in refusal(saved(model, tmp_path)).why


def test_operators_of_other_domains_are_refused(model, tmp_path):
    model.graph.node[5].domain = "com.microsoft"
    model.opset_import.add(domain="com.microsoft", version=1)
    assert "com.microsoft" in refusal(saved(model, tmp_path)).why


def test_unknown_operators_are_refused(model, tmp_path):
    model.graph.node[5].op_type = "OpenFile"
    assert "OpenFile" in refusal(saved(model, tmp_path)).why


def test_functions_of_its_own_are_refused(model, tmp_path):
    opsets = [helper.make_opsetid("", 17)]
    body = [helper.make_node("Relu", ["a"], ["b"])]
    model.functions.append(helper.make_function("", "Relu2", ["a"], ["b"], body, opsets))
    assert "'Relu2'" in refusal(saved(model, tmp_path)).why


def test_subgraphs_are_refused(model, tmp_path):
    value = helper.make_tensor_value_info("v", TensorProto.FLOAT, [])
    branch = helper.make_graph([helper.make_node("Constant", [], ["v"], value_float=1.0)], "b", [], [value])
    truth = helper.make_tensor("truth", TensorProto.BOOL, [], [True])
    model.graph.initializer.append(truth)
    model.graph.node.insert(0, helper.make_node("If", ["truth"], ["unused"], then_branch=branch, else_branch=branch))
    assert "'If' holds a graph" in refusal(saved(model, tmp_path)).why


def test_an_onnx_file_without_econets_metadata_is_refused_as_such(model, tmp_path):
    del model.metadata_props[:]
    path = saved(model, tmp_path)
    with pytest.raises(UserError, match=r"stranger\.onnx is not an EcoNet file"):
        Predictor(path)
    assert read_model(path).graph.node


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"schema":99}', "is newer than this EcoNet"),
        ('{"schema":1,"name":"n","classes":[],"precision":"int4"}', "cannot be read"),
    ],
)
def test_wrong_metadata_is_refused(model, tmp_path, text, words):
    model.metadata_props[0].value = text
    with pytest.raises(UserError, match=words):
        Predictor(saved(model, tmp_path))


def test_graphs_for_training_are_refused(model, tmp_path):
    model.training_info.add().algorithm.node.append(helper.make_node("Relu", ["a"], ["b"]))
    assert "graphs for training" in refusal(saved(model, tmp_path)).why


def test_a_graph_that_hides_behind_another_type_is_refused(model, tmp_path):
    attribute = model.graph.node[3].attribute.add()
    attribute.name, attribute.type = "hidden", onnx.AttributeProto.INT
    attribute.g.node.append(helper.make_node("Relu", ["a"], ["b"]))
    assert "holds a graph of its own" in refusal(saved(model, tmp_path)).why


def test_an_operator_set_of_the_future_is_refused(model, tmp_path):
    model.opset_import[0].version = 10_000
    assert "operator set 10000" in refusal(saved(model, tmp_path)).why


def test_too_many_nodes_are_refused(model, tmp_path):
    for number in range(20_001):
        model.graph.node.append(helper.make_node("Identity", ["image"], [f"copy {number}"]))
    assert "at most 20,000 are read" in refusal(saved(model, tmp_path)).why


@pytest.mark.parametrize("shape", [[1 << 20, 1 << 20], [-1, 4], [1 << 62, 4]])
def test_a_constant_of_a_shape_that_nothing_has_is_refused(model, tmp_path, shape):
    model.graph.initializer.append(TensorProto(name="large", data_type=TensorProto.FLOAT, dims=shape))
    assert "large" in refusal(saved(model, tmp_path)).why


def test_a_tensor_that_would_grow_to_terabytes_is_refused_before_it_is_computed(model, tmp_path):
    model.graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [2], [1 << 20, 1 << 20]))
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["shape"], ["terabytes"]))
    assert "'terabytes' would be of shape [1048576, 1048576]" in refusal(saved(model, tmp_path)).why


@pytest.mark.parametrize(
    "fields",
    [
        {"image_size": [28, 28], "resize_size": [100_000, 100_000], "crop": "centre"},
        {"image_size": [28, 28], "resize_size": [27, 27], "crop": "centre"},
        {"image_size": [28, 28], "resize_size": [32, 32]},
        {"image_size": [0, 28], "resize_size": [0, 28]},
        {"offset": 10**18},
    ],
)
def test_a_preprocessing_that_nobody_could_carry_out_is_refused(model, tmp_path, fields):
    found = json.loads(model.metadata_props[0].value)
    found["preprocess"] |= fields
    model.metadata_props[0].value = json.dumps(found)
    with pytest.raises(UserError, match=r"the metadata of .* cannot be read"):
        Predictor(saved(model, tmp_path))


def test_lists_without_end_in_the_metadata_are_refused(model, tmp_path):
    model.metadata_props[0].value = "[" * 100_000
    with pytest.raises(UserError, match="cannot be read"):
        Predictor(saved(model, tmp_path))


def test_a_pipe_and_a_device_are_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    assert "not a regular file" in refusal(tmp_path / "pipe.onnx").why
    (tmp_path / "zero.onnx").symlink_to("/dev/zero")
    assert "not a regular file" in refusal(tmp_path / "zero.onnx").why


def test_a_file_that_fails_only_when_it_runs_is_refused(model, tmp_path):
    node = next(node for node in model.graph.node if node.op_type == "Gemm")
    flat, rows = node.input[0], "3 x 5"
    model.graph.initializer.append(helper.make_tensor("rows", TensorProto.INT64, [2], [3, 5]))
    place = list(model.graph.node).index(node)
    model.graph.node.insert(place, helper.make_node("Reshape", [flat, "rows"], [rows]))
    node.input[0] = rows
    del model.graph.value_info[:]
    with pytest.raises(UserError, match=r"stranger\.onnx"):
        Predictor(saved(model, tmp_path))


def test_text_that_is_no_text_is_refused(model, tmp_path):
    model.graph.node[0].op_type = "Cust"
    content = model.SerializeToString().replace(b"Cust", b"C\xffst")
    path = tmp_path / "stranger.onnx"
    path.write_bytes(content)
    assert "utf-8" in refusal(path).why


def test_metadata_with_too_few_classes_is_refused(model, tmp_path):
    model.metadata_props[0].value = model.metadata_props[0].value.replace('"a",', "")
    with pytest.raises(UserError, match="does not fit its own metadata"):
        Predictor(saved(model, tmp_path))


def test_predicting_and_measuring_need_no_torch():
    rooms = [
        "deployment.predictor",
        "deployment.graph",
        "deployment.zoo",
        "deployment.parity",
        "measurement.accuracy",
    ]
    rooms += ["measurement.latency", "measurement.energy", "runs.zoo_records"]
    lines = [*(f"import econet.{room}" for room in rooms), "import sys", "print('torch' in sys.modules)"]
    done = subprocess.run([sys.executable, "-c", "; ".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("seed", range(3))
def test_damaged_bytes_end_in_an_answer_or_one_clear_line(artifact, clothes, seed):
    whole = artifact.read_bytes()
    rng = np.random.default_rng(seed)
    refusals = []
    for _ in range(15):
        content = bytearray(whole)
        for place in (*rng.integers(0, len(whole), 3), -rng.integers(1, 400)):
            content[place] = rng.integers(0, 256)
        artifact.write_bytes(content)
        try:
            assert Predictor(artifact).logits(clothes[:1]).shape == (1, 10)
        except UserError as error:
            refusals.append(error)
    assert refusals
    assert all("model.onnx" in error.what for error in refusals)
    assert not any("\n" in part for error in refusals for part in (error.what, error.why, error.remedy))
