"""Ways to an int8 file beside the plain one: each checked against plain numpy on real pictures."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from econet.compression.bias_correction import correct_biases
from econet.compression.fake_quant import IN_FLOAT, FakeQuantNetwork
from econet.compression.percentile_ranges import percentile_ranges
from econet.compression.quantization import activation_ranges
from econet.compression.quantized_graph import graph_of
from econet.compression.remedies import PLAIN, Calibration, static_ways, with_corrected_biases
from econet.deployment.intermediate import intermediate_values
from econet.deployment.metadata import read_metadata
from econet.deployment.session import open_session, run_session
from econet.errors import UserError


@pytest.fixture(scope="module")
def model(fp32_file):
    return fp32_file("econet")


@pytest.fixture(scope="module")
def ways(model, gray, calibration):
    return list(static_ways(model, gray, Calibration(calibration[:40], calibration)))


def scaled(images, record):
    return (torch.from_numpy(images.copy()).float() - record.offset) * record.scale


def test_percentile_ranges_are_numpys_percentiles_to_a_bin(model, calibration):
    ranges = activation_ranges(model, calibration)
    narrower = percentile_ranges(model, calibration, ranges, 0.01)
    values = list(intermediate_values(model, calibration))
    for name, (low, high) in narrower.items():
        whole = np.concatenate([batch[name].ravel() for batch in values])
        bin_width = float(whole.max() - whole.min()) / 2048
        assert low == pytest.approx(np.quantile(whole, 0.01), abs=1.5 * bin_width + 1e-9)
        assert high == pytest.approx(np.quantile(whole, 0.99), abs=1.5 * bin_width + 1e-9)
        assert ranges[name][0] <= low <= high <= ranges[name][1]


def test_no_value_outside_leaves_the_ranges_as_they_are(model, calibration):
    ranges = activation_ranges(model, calibration)
    for name, bounds in percentile_ranges(model, calibration, ranges, 0.0).items():
        assert bounds == pytest.approx(ranges[name], rel=1e-6)


@pytest.mark.parametrize("outside", [-0.1, 0.5, 1.0])
def test_a_share_that_cannot_lie_outside_is_refused(model, calibration, outside):
    with pytest.raises(ValueError, match="cannot lie beyond"):
        percentile_ranges(model, calibration, activation_ranges(model, calibration), outside)


def test_the_ways_are_the_plain_one_first_and_each_once(ways):
    names = [way.name for way in ways]
    assert names == [PLAIN, "one scale a layer", "100 images", "99.98 % ranges", "99.8 % ranges"]


def test_with_one_scale_a_layer_all_channels_of_the_file_share_theirs(ways, model, gray):
    metadata = read_metadata(model, "the model")
    file = next(way for way in ways if way.name == "one scale a layer").network.file(metadata)
    constants = {each.name: numpy_helper.to_array(each) for each in file.graph.initializer}
    scales = [
        constants[node.input[1]]
        for node in file.graph.node
        if node.op_type == "DequantizeLinear" and constants.get(node.input[0], np.zeros(0)).dtype == np.int8
    ]
    assert len(scales) >= 10
    assert all(len(np.unique(scale)) == 1 for scale in scales)


def test_every_way_answers_in_the_file_as_in_torch(ways, model, gray, unseen):
    metadata = read_metadata(model, "the model")
    for way in ways:
        session = open_session(way.network.file(metadata).SerializeToString())
        (answered,) = run_session(session, ["logits"], unseen[:50])
        with torch.no_grad():
            expected = way.network(scaled(unseen[:50], gray)).numpy()
        top = np.sort(expected, axis=1)
        clear = top[:, -1] - top[:, -2] > 1e-6
        assert (answered.argmax(1) == expected.argmax(1))[clear].mean() >= 0.94, way.name


def test_corrected_biases_give_each_channel_its_float_mean(gray, calibration):
    """One layer, its weights so coarse that the mean shifts; the mean is computed in numpy from the pixels."""
    torch.manual_seed(3)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        network[0].weight[:, :, 0, 0] = 40.0  # an outlier that leaves the other weights next to no codes
    from econet.deployment.onnx_export import export_network

    model = export_network(network.eval(), gray, tuple("abcd"), "n")
    ranges = activation_ranges(model, calibration)
    graph, constants = graph_of(model, gray, ranges)
    made = FakeQuantNetwork(graph).eval()
    made.take(constants, ranges)
    batches = [scaled(calibration[:50], gray), scaled(calibration[50:], gray)]
    windows = np.lib.stride_tricks.sliding_window_view(scaled(calibration, gray).double().numpy()[:, 0], (3, 3), (1, 2))
    weight, bias = network[0].weight.detach().double().numpy()[:, 0], network[0].bias.detach().numpy()
    wanted = np.einsum("nijkl,ckl->c", windows, weight) / windows[..., 0, 0].size + bias

    def means():
        seen = []
        made.watch = lambda operation, value: seen.append(value) if operation.operator == "Conv" else None
        with torch.no_grad():
            for batch in batches:
                made(batch)
        made.watch = None
        return torch.cat(seen).double().mean((0, 2, 3)).numpy()

    before = np.abs(means() - wanted).max()
    correct_biases(made, batches)
    after = np.abs(means() - wanted).max()
    bias_code = (40 / 127) / 90  # a bias lies on the product of the weight's and the pixels' scale
    assert before > 5 * bias_code
    assert after < bias_code


def test_correcting_leaves_the_way_itself_and_its_float_layers_alone(ways, gray, calibration):
    plain = ways[0]
    before = {name: value.clone() for name, value in plain.network.state_dict().items()}
    corrected = with_corrected_biases(plain, [scaled(calibration[:20], gray)])
    assert corrected.name == "biases corrected"
    assert all(torch.equal(before[name], value) for name, value in plain.network.state_dict().items())
    moved = [name for name, value in corrected.network.state_dict().items() if not torch.equal(before[name], value)]
    assert moved
    assert all(name.startswith("bias_") for name in moved)
    assert corrected.network.part is None
    assert corrected.network.watch is None
    corrected.network.part = IN_FLOAT


def test_without_images_nothing_is_corrected_or_calibrated(ways, model, gray, calibration):
    with pytest.raises(ValueError, match="there are none"):
        correct_biases(ways[0].network, [])
    with pytest.raises(UserError, match="cannot quantize"):
        next(static_ways(model, gray, Calibration(calibration[:0], calibration)))


def test_the_files_of_all_ways_have_the_same_operators(ways, model):
    metadata = read_metadata(model, "the model")
    kinds = [[node.op_type for node in way.network.file(metadata).graph.node] for way in ways]
    assert all(each == kinds[0] for each in kinds)
    assert isinstance(ways[0].network.file(metadata), onnx.ModelProto)
