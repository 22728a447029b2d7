import msgspec
import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from onnxruntime import quantization as library
from torch import nn

from econet.compression.qdq_plan import grid_of
from econet.compression.qdq_writer import weight_scales
from econet.compression.quantization import activation_ranges, float_islands, quantize
from econet.deployment import graph
from econet.deployment.metadata import read_metadata
from econet.deployment.session import open_session, run_session
from econet.errors import UserError


def logits(model, images):
    return run_session(open_session(model.SerializeToString()), ["logits"], images)[0]


def int8_of(model, calibration):
    return quantize(model, activation_ranges(model, calibration))


def operators(model):
    return [node.op_type for node in model.graph.node if "Linear" not in node.op_type]


@pytest.mark.parametrize("name", ["econet", "resnet_small", "alexnet_small"])
def test_int8_answers_like_fp32_on_unseen_pictures_in_integer_kernels_only(name, fp32_file, calibration, unseen):
    model = fp32_file(name)
    small = int8_of(model, calibration)
    exact, found = logits(model, unseen), logits(small, unseen)
    first, second = np.sort(exact, axis=1)[:, [-1, -2]].T
    sure = first - second > 0.05 * np.ptp(exact)
    assert sure.sum() > 50
    assert (exact.argmax(1) == found.argmax(1))[sure].mean() >= 0.98
    assert np.abs(exact - found).mean() < 0.02 * np.ptp(exact)
    assert float_islands(small) == []


class LibraryReader(library.CalibrationDataReader):
    def __init__(self, images):
        self.images = iter(images)

    def get_next(self):
        image = next(self.images, None)
        return None if image is None else {"image": image[None]}


@pytest.mark.parametrize("name", ["econet", "resnet_small"])
def test_int8_is_as_close_to_fp32_as_the_runtimes_own_quantizer(name, fp32_file, calibration, unseen, tmp_path):
    model = fp32_file(name)
    onnx.save(model, tmp_path / "fp32.onnx")
    library.quantize_static(
        tmp_path / "fp32.onnx",
        tmp_path / "library.onnx",
        LibraryReader(calibration),
        quant_format=library.QuantFormat.QDQ,
        per_channel=True,
        weight_type=library.QuantType.QInt8,
        activation_type=library.QuantType.QUInt8,
    )
    theirs_path = tmp_path / "library.onnx"
    ours = int8_of(model, calibration)
    exact, theirs = logits(model, unseen), logits(onnx.load(theirs_path), unseen)
    mine = logits(ours, unseen)
    assert np.abs(mine - exact).mean() <= 1.2 * np.abs(theirs - exact).mean()
    assert (mine.argmax(1) == exact.argmax(1)).mean() >= (theirs.argmax(1) == exact.argmax(1)).mean() - 0.02
    assert len(ours.SerializeToString()) < theirs_path.stat().st_size


def test_the_int8_file_is_small_and_says_what_it_is(fp32_file, calibration):
    model = fp32_file("econet")
    small = int8_of(model, calibration)
    assert len(small.SerializeToString()) < 1.25 * graph.parameters(model)
    before, after = read_metadata(model, None), read_metadata(small, None)
    assert after == msgspec.structs.replace(before, precision="int8")
    assert not {"Relu", "Clip", "Cast", "Sub", "Mul"} & set(operators(small))
    assert small.opset_import[0].version == 17


def test_the_pixels_are_scaled_by_the_first_dequantizer_exactly(fp32_file, calibration):
    small = int8_of(fp32_file("econet"), calibration)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in small.graph.initializer}
    first = small.graph.node[0]
    assert (first.op_type, first.input[0]) == ("DequantizeLinear", "image")
    assert constants[first.input[1]] == np.float32(1 / 90)
    assert constants[first.input[2]] == 73
    assert constants[first.input[2]].dtype == np.uint8


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=3)
        self.last = nn.Linear(4, 10)

    def forward(self, x):
        return self.last(torch.relu(self.conv(x)).mean((2, 3)))


def integer_reference(model, small, ranges, images):
    """The int8 answers of `Tiny` in plain numpy integers, from the fp32 weights and ranges alone."""
    constants = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    conv, conv_bias = (
        next(each for each in constants if each.ndim == 4),
        next(c for c in constants if c.shape == (4,)),
    )
    dense, bias = (
        next(each for each in constants if each.ndim == 2),
        next(c for c in constants if c.shape == (10,)),
    )
    outputs = [node.output[0] for node in model.graph.node]
    kinds = [node.op_type for node in model.graph.node]
    relu_high = ranges[outputs[kinds.index("Relu")]][1]
    mean_high = ranges[outputs[kinds.index("GlobalAveragePool")]][1]

    def codes_of(weight, axes):
        scale = (np.abs(weight).max(axis=axes) / 127).astype(np.float32)
        shape = (-1, *[1] * (weight.ndim - 1))
        return np.rint(weight / scale.reshape(shape)).astype(int), scale.astype(float)

    pixel_scale, relu_scale, mean_scale = float(np.float32(1 / 90)), relu_high / 255, mean_high / 255
    weights, scales = codes_of(conv, (1, 2, 3))
    biases = np.rint(conv_bias / (scales * pixel_scale))
    result = []
    for image in images[:, 0].astype(int) - 73:
        sums = np.empty((4, 9, 9))
        for row in range(9):
            for column in range(9):
                patch = image[3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
                sums[:, row, column] = (weights[:, 0] * patch).sum((1, 2)) + biases
        codes = np.clip(np.rint(sums * (scales * pixel_scale / relu_scale)[:, None, None]), 0, 255)
        mean = np.clip(np.rint(codes.mean((1, 2)) * relu_scale / mean_scale), 0, 255)
        dense_codes, dense_scales = codes_of(dense, 1)
        dense_bias = np.rint(bias / (dense_scales * mean_scale))
        result.append((dense_codes @ mean + dense_bias) * dense_scales * mean_scale)
    return np.array(result)


def test_the_file_computes_what_plain_integers_compute(fp32_file, calibration, unseen):
    model = fp32_file(Tiny())
    ranges = activation_ranges(model, calibration)
    small = quantize(model, ranges)
    expected = integer_reference(model, small, ranges, unseen[:32])
    found = logits(small, unseen[:32])
    step = np.abs(expected).max() / 255
    assert np.abs(found - expected).max() <= step
    assert np.abs(found - expected).mean() <= 0.02 * step


def test_ranges_are_those_of_every_image(fp32_file, calibration):
    model = fp32_file("econet")
    ranges = activation_ranges(model, calibration)
    scaled = (calibration.astype(np.float32) - 73) / 90
    low, high = ranges[model.graph.node[2].output[0]]
    assert (low, high) == pytest.approx((scaled.min(), scaled.max()))
    last = logits(model, calibration)
    assert ranges["logits"] == pytest.approx((last.min(), last.max()), rel=1e-4)
    halves = [activation_ranges(model, part) for part in (calibration[:50], calibration[50:])]
    for name, (low, high) in ranges.items():
        parts = [half[name] for half in halves]
        assert (low, high) == (min(part[0] for part in parts), max(part[1] for part in parts))


def test_without_images_or_with_infinite_values_quantizing_is_refused(fp32_file, calibration):
    model = fp32_file("econet")
    with pytest.raises(UserError, match="no calibration images"):
        activation_ranges(model, calibration[:0])
    broken = onnx.ModelProto()
    broken.CopyFrom(model)
    tensor = next(each for each in broken.graph.initializer if len(each.dims) == 4)
    values = numpy_helper.to_array(tensor).copy()
    values[0] = np.inf
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    with pytest.raises(UserError, match="not finite"):
        activation_ranges(broken, calibration)


def test_normalisation_across_channels_stays_float_and_is_named(fp32_file, calibration, unseen):
    model = fp32_file("alexnet_small-lrn")
    small = int8_of(model, calibration)
    assert {"AveragePool", "Sqrt", "Div"} <= set(float_islands(small))
    exact, found = logits(model, unseen), logits(small, unseen)
    assert np.abs(exact - found).mean() < 0.02 * np.ptp(exact)


class Odd(nn.Module):
    """Joined branches, ReLU6, sigmoid gates, two readers of one tensor, a pooling before its ReLU."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, 2, 1)
        self.left = nn.Conv2d(8, 8, 1)
        self.right = nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False)
        self.after = nn.Conv2d(16, 16, 3, 1, 1)
        self.last = nn.Linear(16, 10)

    def forward(self, x):
        x = self.stem(x)
        joined = torch.cat([nn.functional.relu6(self.left(x)), torch.relu(self.right(x))], 1)
        x = torch.relu(nn.functional.max_pool2d(self.after(joined), 2))
        return self.last((x * torch.sigmoid(x)).mean((2, 3)))


def test_a_users_own_network_is_quantized_where_it_can_be(fp32_file, calibration, unseen):
    model = fp32_file(Odd())
    small = int8_of(model, calibration)
    assert "Clip" not in operators(small)
    islands = set(float_islands(small))
    assert {"Sigmoid", "QuickGelu"} & islands
    assert not {"Conv", "Gemm", "Concat", "MaxPool", "GlobalAveragePool"} & islands
    exact, found = logits(model, unseen), logits(small, unseen)
    assert np.abs(exact - found).mean() < 0.02 * np.ptp(exact)


def test_the_same_file_runs_with_optimisations_off_to_within_a_step(fp32_file, calibration, unseen):
    import onnxruntime as ort

    small = int8_of(fp32_file("resnet_small"), calibration)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    plain = ort.InferenceSession(small.SerializeToString(), options, providers=["CPUExecutionProvider"])
    literal = plain.run(["logits"], {"image": unseen})[0]
    assert np.abs(literal - logits(small, unseen)).mean() < 0.01 * np.ptp(literal)


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_a_grid_covers_its_range_and_holds_zero_exactly(a, b):
    low, high = min(a, b, 0.0), max(a, b, 0.0)
    grid = grid_of((min(a, b), max(a, b)))
    scale, zero = float(grid.scale), int(grid.zero_point)
    assert 0 <= zero <= 255
    assert (0 - zero) * scale <= low + scale * 0.51
    assert (255 - zero) * scale >= high - scale * 0.51


def test_weight_scales_serve_the_largest_weight_zeros_and_wide_biases():
    weight = np.array([[0.5, -1.27], [0, 0], [1e-9, 0]], np.float32)
    bias = np.array([1.0, 0.0, 10.0], np.float32)
    scales = weight_scales(weight, 0, bias, np.float32(0.01))
    assert scales[0] == pytest.approx(0.01)
    assert scales[1] == 1
    assert abs(round(10.0 / (float(scales[2]) * 0.01))) <= 2**30
    faint = weight_scales(np.full((1, 2), 1e-30, np.float32), 0, np.zeros(1), np.float32(1e-20))
    assert faint[0] == 1


def test_an_int8_file_is_not_quantized_twice(fp32_file, calibration):
    small = int8_of(fp32_file("econet"), calibration)
    with pytest.raises(ValueError, match="not an fp32 artifact"):
        quantize(small, {})


def test_islands_of_a_plain_float_tail_are_found():
    nodes = [
        helper.make_node("DequantizeLinear", ["image", "scale"], ["x"]),
        helper.make_node("Sin", ["x"], ["y"]),
        helper.make_node("Cos", ["y"], ["logits"]),
    ]
    scale = numpy_helper.from_array(np.float32(0.1), "scale")
    image = helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["N", 3])
    output = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["N", 3])
    graph = helper.make_graph(nodes, "g", [image], [output], [scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert float_islands(model) == ["Sin", "Cos"]
