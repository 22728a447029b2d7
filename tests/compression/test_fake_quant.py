"""The network that trains with fake quantization and the file that ships are one plan, executed twice."""

import json

import msgspec
import numpy as np
import pytest
import torch
from onnx import helper
from torch import nn

from econet.compression.fake_quant import FakeQuantNetwork, Part, on_grid
from econet.compression.qdq_plan import Grid, grid_of
from econet.compression.quantization import activation_ranges, float_islands, quantize
from econet.compression.quantized_graph import from_data, graph_of, to_data
from econet.deployment.metadata import read_metadata
from econet.deployment.parity import check_quantized_parity
from econet.deployment.session import open_session, run_session
from econet.errors import UserError
from econet.models.architecture import Architecture, Conv, Dense, Flatten, MaxPool
from econet.models.network import Network


def file_logits(model, images):
    return run_session(open_session(model.SerializeToString()), ["logits"], images)[0]


def as_input(images, gray):
    return torch.from_numpy((images.astype(np.float32) - gray.offset) * np.float32(gray.scale))


@pytest.fixture
def fake(fp32_file, calibration, gray, tmp_path):
    """The fake-quantized network of a network's fp32 file, made from its record and its constants, and that file."""

    def build(network, observe=0):
        model = fp32_file(network)
        ranges = activation_ranges(model, calibration)
        graph, constants = graph_of(model, gray, ranges)
        made = FakeQuantNetwork(from_data(msgspec.json.decode(msgspec.json.encode(to_data(graph)))))
        made.take(constants, ranges, observe)
        return made.eval(), model, read_metadata(model, tmp_path)

    return build


@pytest.mark.parametrize("name", ["econet", "alexnet_small", "resnet_small", "alexnet_small-lrn"])
def test_the_network_answers_as_its_file_but_where_a_value_lies_between_two_codes(name, fake, gray, unseen):
    network, _, metadata = fake(name)
    file = network.file(metadata)
    with torch.no_grad():
        expected = network(as_input(unseen, gray)).numpy()
    found = file_logits(file, unseen)
    assert np.median(np.abs(expected - found)) < 1e-5 * np.ptp(expected)
    same = np.abs(expected - found).max(axis=1) < 1e-4 * np.ptp(expected)
    assert same.mean() > 0.8  # these networks are untrained: a code that falls the other way is seen in the logits
    assert ("Sqrt" in float_islands(file)) == ("lrn" in name)


@pytest.mark.parametrize("name", ["econet", "alexnet_small", "alexnet_small-lrn"])
def test_without_grids_it_is_the_fp32_file(name, fake, gray, unseen):
    network, model, _ = fake(name)
    network.part = Part(frozenset(), frozenset())
    with torch.no_grad():
        found = network(as_input(unseen, gray)).numpy()
    expected = file_logits(model, unseen)
    assert np.abs(found - expected).max() < 1e-4 * np.ptp(expected)


def test_untrained_it_gives_the_static_int8_file_where_nothing_is_added_up(fake, calibration):
    network, model, metadata = fake("alexnet_small")
    static = quantize(model, activation_ranges(model, calibration))
    assert network.file(metadata).SerializeToString() == static.SerializeToString()


def test_a_convolution_is_kept_apart_from_the_sum_that_alone_reads_it(fake, calibration):
    network, model, metadata = fake("resnet_small")
    kinds = [node.op_type for node in network.file(metadata).graph.node]
    static = [node.op_type for node in quantize(model, activation_ranges(model, calibration)).graph.node]
    sums = static.count("Add")
    assert kinds.count("Add") == sums > 0
    assert sums <= kinds.count("MaxPool") - static.count("MaxPool") <= 2 * sums
    assert float_islands(network.file(metadata)) == []


def test_a_grid_rounds_halves_to_even_and_passes_gradients_inside_alone():
    values = torch.tensor([-1.0, -0.26, 0.25, 0.75, 1.25, 126.0, 128.0], requires_grad=True)
    grid = Grid(np.float32(0.5), np.uint8(1))  # from -0.5 to 127
    found = on_grid(values, grid)
    assert found.tolist() == [-0.5, -0.5, 0.0, 1.0, 1.0, 126.0, 127.0]
    found.sum().backward()
    assert values.grad.tolist() == [0, 1, 1, 1, 1, 1, 0]


TINY = Architecture(
    name="tiny",
    input=(1, 28, 28),
    classes=10,
    layers=(
        Conv(channels=4, stride=2, norm=False),
        MaxPool(kernel=2, stride=2),
        Flatten(),
        Dense(channels=10, relu=False),
    ),
)


def test_answers_are_those_of_plain_integer_arithmetic(fake, gray, unseen):
    network, _, _ = fake(Network(TINY))
    plan = network.plan()
    conv, pool, _, dense = plan.nodes
    weight, bias = (plan.constants[name].astype(np.float64) for name in conv.input[1:])
    scale = np.abs(weight).max(axis=(1, 2, 3)) / 127
    codes = np.rint(weight / scale[:, None, None, None])
    first = np.rint(bias / (scale * gray.scale))
    pixels = np.pad(unseen[:8, 0].astype(np.int64) - gray.offset, ((0, 0), (1, 1), (1, 1)))
    sums = np.zeros((8, 4, 14, 14))
    for row in range(3):
        for column in range(3):
            window = pixels[:, row : row + 27 : 2, column : column + 27 : 2]
            sums += codes[:, 0, row, column][None, :, None, None] * window[:, None]
    maps = (sums + first[None, :, None, None]) * (scale * gray.scale)[None, :, None, None]
    grid = plan.grids[conv.output[0]]
    assert plan.grids[pool.output[0]] == grid
    maps = np.clip(np.rint(maps / float(grid.scale)) + int(grid.zero_point), 0, 255) - int(grid.zero_point)
    pooled = maps.reshape(8, 4, 7, 2, 7, 2).max(axis=(3, 5)).reshape(8, -1)
    weight, bias = (plan.constants[name].astype(np.float64) for name in dense.input[1:])
    scale = np.abs(weight).max(axis=1) / 127
    product = pooled @ np.rint(weight / scale[:, None]).T + np.rint(bias / (scale * float(grid.scale)))
    expected = product * scale * float(grid.scale)
    with torch.no_grad():
        found = network(as_input(unseen[:8], gray)).numpy()
    assert np.abs(found - expected).max() < 1e-4 * np.ptp(expected)


def test_weights_learn_through_the_rounding_and_other_constants_do_not(fake, gray, unseen):
    network, _, _ = fake("alexnet_small-lrn")
    network.train()
    network(as_input(unseen[:16], gray)).logsumexp(1).sum().backward()
    gradients = {name: value.grad for name, value in network.named_parameters()}
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients.values())
    assert sum(name.startswith("weight") for name in gradients) == 8
    assert {name.split("_")[0] for name, _ in network.named_buffers()} == {
        "constant",
        "indices",
        "ranges",
        "observations",
    }


def test_ranges_move_for_so_many_batches_and_are_frozen_then(fake, gray, unseen):
    network, _, _ = fake("econet", observe=2)
    before = network.ranges.clone()
    brighter = as_input(unseen[:16], gray) * 3
    network.eval()(brighter)
    assert torch.equal(network.ranges, before)
    network.train()
    network(brighter)
    once = network.ranges.clone()
    widest = grid_of(tuple(once[0].tolist())).scale / grid_of(tuple(before[0].tolist())).scale
    assert 1.0 < widest < 1.05  # a hundredth of the way
    network(brighter)
    frozen = network.ranges.clone()
    assert not torch.equal(frozen, once)
    network(brighter)
    assert torch.equal(network.ranges, frozen)
    assert "ranges" in network.state_dict()


def test_values_that_are_not_finite_move_no_range(fake, gray, unseen):
    network, _, _ = fake("econet", observe=5)
    before = network.ranges.clone()
    network.train()(torch.full_like(as_input(unseen[:2], gray), torch.nan))
    assert torch.equal(network.ranges, before)


def test_autocast_does_not_change_an_answer(fake, gray, unseen):
    network, _, _ = fake("econet")
    plain = network(as_input(unseen[:8], gray))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(network(as_input(unseen[:8], gray)), plain)


class Joined(nn.Module):
    """What users write: channel shuffle, Concat, groups, ReLU6, gates, uneven padding, a product inside."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, 2, 1)
        self.left = nn.Conv2d(8, 8, 3, padding="same", groups=2)
        self.right = nn.Conv2d(8, 8, 2)
        self.norm = nn.BatchNorm2d(8)
        self.after = nn.Conv2d(16, 16, 1)
        self.last = nn.Linear(16, 10)

    def forward(self, x):
        x = nn.functional.relu6(self.stem(x))
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        right = self.norm(self.right(nn.functional.pad(x, (0, 1, 0, 1))))
        x = torch.cat([nn.functional.hardswish(self.left(x)), torch.relu(right + x)], 1)
        x = self.after(nn.functional.max_pool2d(x, 3, 2, 1))
        x = x * torch.sigmoid(x.mean((2, 3), keepdim=True)) + nn.functional.gelu(x)
        return self.last(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


def test_a_users_own_network_answers_as_its_file(fake, gray, unseen):
    network, _, metadata = fake(Joined())
    with torch.no_grad():
        expected = network(as_input(unseen, gray)).numpy()
    found = file_logits(network.file(metadata), unseen)
    assert np.median(np.abs(expected - found)) < 1e-5 * np.ptp(expected)
    same = np.abs(expected - found).max(axis=1) < 1e-4 * np.ptp(expected)
    assert same.mean() > 0.9


def test_an_operator_that_is_not_known_is_refused_by_name(fp32_file, calibration, gray):
    model = fp32_file("econet")
    model.graph.node.insert(3, helper.make_node("Sin", [model.graph.node[2].output[0]], ["turned"]))
    graph, _ = graph_of(model, gray, activation_ranges(model, calibration))
    with pytest.raises(UserError, match="the operator Sin cannot be trained with fake quantization"):
        FakeQuantNetwork(graph)


def test_a_record_that_was_changed_by_hand_is_refused_with_its_field(fake):
    data = json.loads(json.dumps(to_data(fake("econet")[0].graph)))
    data["opset"] = "seventeen"
    with pytest.raises(UserError, match=r"\$\.opset"):
        from_data(data)


def test_parity_of_a_quantized_network_counts_steps():
    logits = np.zeros((100, 3), np.float32)
    logits[:, 0], logits[0] = 1.0, (255.0, 0.0, 0.0)  # the range is 255: a step is 1
    close = logits + np.float32(0.3)
    agreed = check_quantized_parity(logits, close)
    assert agreed.passed
    assert agreed.largest_steps == pytest.approx(0.3, abs=1e-5)
    assert (agreed.within_a_step, agreed.equal_steps) == (1, 1)
    tied = logits.copy()
    tied[5] = (0.5, 1.4, 0.0)  # another class is ahead, which lay one step behind
    assert check_quantized_parity(logits, tied, files=10).passed
    assert check_quantized_parity(logits, tied, files=10).images == 90
    far = logits.copy()
    far[:10, 2] = -4.0  # ten images of a hundred, four steps away
    assert check_quantized_parity(logits, far).passed
    assert check_quantized_parity(logits, far).largest_steps == 4
    assert check_quantized_parity(logits, far).within_a_step == 0.9
    far[:40, 2] = -4.0  # forty, but the other sixty are equal: computed alike
    assert check_quantized_parity(logits, far).passed
    far[0, 2] = -9.0
    assert not check_quantized_parity(logits, far).passed  # no chance goes so far
    everywhere = logits.copy()
    everywhere[:, 2] = -0.5
    assert check_quantized_parity(logits, everywhere).passed
    everywhere[:11, 2] = -4.0
    assert not check_quantized_parity(logits, everywhere).passed
    other = logits.copy()
    other[0] = (0.0, 255.0, 0.0)
    assert check_quantized_parity(logits, other).top1_agreement == 0.99
    assert not check_quantized_parity(logits, other).passed
    broken = logits.copy()
    broken[7] = np.nan
    assert not check_quantized_parity(logits, broken).passed
