"""The .tflite file answers as the ONNX artifact does, on its scales, in one piece for the fast kernels."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from econet.deployment.engines.tflite_graph import read_graph
from econet.deployment.targets.litert.translation import to_tflite
from econet.errors import UserError
from econet.models.architecture import Architecture, Conv, Dense, Flatten, Lrn
from target_networks import ARTIFACTS, Drawn, of_network, onnx_logits, strided


def interpreter_of(content):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content + bytes(8), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def answers(content, images):
    """Logits [N, K] of uint8 [N, C, H, W], and the output's grid (0, 0 for float)."""
    interpreter = interpreter_of(content)
    given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    pixels = images.transpose(0, 2, 3, 1)
    codes = (pixels.astype(int) - 128).astype(np.int8) if given["dtype"] == np.int8 else pixels
    rows = []
    for index in range(len(images)):
        interpreter.set_tensor(given["index"], codes[index : index + 1])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(answer["index"])[0])
    found, (scale, zero) = np.stack(rows).astype(np.float32), answer["quantization"]
    return ((found - zero) * scale, (scale, zero)) if answer["dtype"] == np.int8 else (found, (0, 0))


def operators(content):
    """The operators in the order they run; what the delegate took stands behind them as DELEGATE."""
    return [each["op_name"] for each in interpreter_of(content)._get_ops_details()]


@pytest.mark.parametrize("name", ARTIFACTS)
def test_an_fp32_file_gives_the_logits_of_the_artifact(name, artifacts, unseen):
    model, _, _ = artifacts(name)
    expected = onnx_logits(model, unseen)
    found, _ = answers(to_tflite(model), unseen)
    assert np.abs(found - expected).max() < 1e-5 * np.ptp(expected)


@pytest.mark.parametrize("name", ARTIFACTS)
def test_an_int8_file_gives_the_artifacts_logits_to_a_step_or_two(name, artifacts, unseen):
    _, model, bounds = artifacts(name)
    expected = onnx_logits(model, unseen)
    found, (step, zero) = answers(to_tflite(model, bounds), unseen)
    # A little beyond the range of the training pictures the codes end.
    inside = np.clip(expected, (-128 - zero) * step, (127 - zero) * step)
    # Branches on the grid that joins them are rounded once, in ONNX Runtime twice.
    share, mean = (0.97, 0.9) if name == "joined" else (0.995, 0.6)
    assert np.mean(np.abs(found - inside) <= 2 * step) > share
    assert np.abs(found - inside).mean() < mean * step
    first, second = np.sort(inside, axis=1)[:, [-1, -2]].T
    sure = first - second > 4 * step
    assert sure.sum() > 50
    assert (found.argmax(1) == expected.argmax(1))[sure].all()


@pytest.mark.parametrize("name", ["econet", "alexnet_small", "resnet_small"])
def test_catalog_networks_are_one_piece_for_the_fast_kernels_with_codes_in_and_out(name, artifacts):
    _, model, bounds = artifacts(name)
    content = to_tflite(model, bounds)
    found = operators(content)
    assert found.count("DELEGATE") == 1
    assert found[-1] == "DELEGATE"
    assert not {"TRANSPOSE", "QUANTIZE", "DEQUANTIZE", "RESHAPE", "RELU"} & set(found)
    interpreter = interpreter_of(content)
    given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    assert (given["dtype"], answer["dtype"]) == (np.int8, np.int8)
    assert given["quantization"] == (pytest.approx(1 / 90), 73 - 128)
    assert given["shape"].tolist() == [1, 28, 28, 1]


def test_a_channel_shuffle_is_dealt_out_within_the_one_piece_and_any_other_order_gathered(artifacts):
    _, model, bounds = artifacts("shuffled")
    found = operators(to_tflite(model, bounds))
    assert found.count("DELEGATE") == 1
    assert (found.count("TRANSPOSE"), found.count("SLICE"), found.count("GATHER")) == (2, 2, 0)
    _, model, bounds = artifacts("reordered")
    found = operators(to_tflite(model, bounds))
    assert (found.count("TRANSPOSE"), found.count("SLICE"), found.count("GATHER")) == (0, 1, 1)


def test_branches_are_computed_on_the_grid_that_joins_them(artifacts):
    _, model, bounds = artifacts("joined")
    assert "QUANTIZE" not in operators(to_tflite(model, bounds))


def test_only_the_signature_names_its_ends(artifacts):
    _, model, bounds = artifacts("econet")
    interpreter = interpreter_of(to_tflite(model, bounds))
    assert interpreter.get_signature_list() == {"serving_default": {"inputs": ["image"], "outputs": ["logits"]}}
    run = interpreter.get_signature_runner()
    assert run(image=np.zeros((1, 28, 28, 1), np.int8))["logits"].shape == (1, 10)
    assert {each["name"] for each in interpreter.get_tensor_details()} <= {""}


@pytest.mark.parametrize("name", ["econet", "alexnet_small", "resnet_small"])
def test_a_file_is_hardly_larger_than_the_onnx_artifact(name, artifacts):
    model, small, bounds = artifacts(name)
    assert len(to_tflite(model)) < len(model.SerializeToString()) + 5000
    assert len(to_tflite(small, bounds)) < 1.1 * len(small.SerializeToString())


def test_scales_are_the_artifacts_own(artifacts):
    _, model, bounds = artifacts("econet")
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    scales = {
        float(constants[node.input[1]])
        for node in model.graph.node
        if node.op_type.endswith("uantizeLinear") and constants[node.input[1]].ndim == 0
    }
    graph = read_graph(to_tflite(model, bounds))
    found = {
        float(tensor.scales[0])
        for number, tensor in enumerate(graph.tensors)
        if tensor.type == "int8" and not tensor.constant and number != graph.output
    }
    assert found <= scales
    assert len(found) > 10


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 2, 1), (5, 2, 2), (3, 3, 1), (4, 2, 1), (5, 1, 2), (1, 2, 0)]
)
def test_windows_lie_where_torch_puts_them(kernel, stride, padding, unseen):
    model = strided(kernel, stride, padding)
    expected = onnx_logits(model, unseen[:40])
    found, _ = answers(to_tflite(model), unseen[:40])
    assert np.abs(found - expected).max() < 1e-5 * np.ptp(expected)


def test_a_strided_convolution_pads_the_near_side_alone_and_an_unstrided_one_not_at_all():
    content = to_tflite(strided(3, 2, 1))
    assert operators(content)[:3] == ["DEQUANTIZE", "PAD", "CONV_2D"]
    assert (1, 29, 29, 1) in {tensor.shape for tensor in read_graph(content).tensors}
    assert "PAD" not in operators(to_tflite(strided(5, 1, 2)))


def test_layers_across_channels_are_refused_by_name():
    layers = (Conv(channels=6, stride=4), Lrn(), Flatten(), Dense(channels=10, relu=False))
    model = of_network(Architecture(name="with-lrn", input=(1, 28, 28), classes=10, layers=layers))
    with pytest.raises(UserError, match="cannot become a LiteRT file") as refused:
        to_tflite(model)
    assert "Sqrt" in refused.value.why
    assert "ONNX" in refused.value.remedy


def cut_anew(net):
    x = net.conv(net.pixels, (4, 1, 1, 1))
    x = net.add("Reshape", x, net.writer.constant(np.array([0, 2, 56, 28], np.int64)))
    return net.add("Flatten", x), 4 * 784


def joined_flat(net):
    maps = [net.add("Flatten", net.conv(net.pixels, (1, 1, 1, 1))) for _ in range(2)]
    return net.add("Concat", *maps, axis=1), 2 * 784


def uncounted_padding(net):
    x = net.add("AveragePool", net.pixels, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    return net.add("Flatten", x), 14 * 14


def stepped_over(net):
    x = net.add("Slice", net.pixels, *(net.writer.constant(np.array([each], np.int64)) for each in (0, 28, 2, 2)))
    return net.add("Flatten", x), 14 * 28


def rows_in_another_order(net):
    x = net.add("Gather", net.pixels, net.writer.constant(np.arange(28)[::-1].copy()), axis=2)
    return net.add("Flatten", x), 784


@pytest.mark.parametrize(
    ("draw", "operator"),
    [
        (cut_anew, "Reshape"),
        (joined_flat, "Concat"),
        (uncounted_padding, "AveragePool"),
        (stepped_over, "Slice"),
        (rows_in_another_order, "Gather"),
    ],
)
def test_what_would_answer_otherwise_is_refused_by_name(draw, operator):
    net = Drawn()
    net.dense(*draw(net))
    with pytest.raises(UserError, match="cannot become a LiteRT file") as refused:
        to_tflite(net.artifact())
    assert f"'{operator}'" in refused.value.why


def test_a_mean_that_counts_its_padding_does_so(unseen):
    net = Drawn()
    x = net.add("AveragePool", net.pixels, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    net.dense(net.add("Flatten", x), 784)
    model = net.artifact()
    expected = onnx_logits(model, unseen[:20])
    assert np.abs(answers(to_tflite(model), unseen[:20])[0] - expected).max() < 1e-5 * np.ptp(expected)


def test_a_file_that_is_no_artifact_is_not_translated(artifacts):
    model = onnx.ModelProto()
    model.CopyFrom(artifacts("econet")[0])
    model.graph.node[1].CopyFrom(helper.make_node("Add", model.graph.node[1].input, model.graph.node[1].output))
    with pytest.raises(ValueError, match="not an artifact"):
        to_tflite(model)
