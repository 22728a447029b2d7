"""A layer that was sabotaged on purpose is the one that costs most."""

import copy
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from econet.compression.fake_quant import FakeQuantNetwork
from econet.compression.layer_names import layer_names
from econet.compression.quantization import activation_ranges
from econet.compression.quantized_graph import graph_of
from econet.compression.sensitivity import layer_costs, whole_costs
from econet.deployment.onnx_export import export_network
from econet.models.architecture import Architecture, Conv, Dense, GlobalMean, Separable
from econet.models.network import Network
from econet.report.charts.sensitivity import sensitivity_chart
from econet.report.sensitivity import as_csv, by_loss, sentence, table_rows
from econet.runs.sensitivity_records import Cost, LayerSensitivity, PrunedCost, Sensitivity, SensitivityData

LAYERS = (
    Conv(channels=16, stride=2),
    Conv(channels=16, stride=2),
    Separable(channels=24),
    Conv(channels=24, stride=2),
    GlobalMean(),
    Dense(channels=10, relu=False),
)


@pytest.fixture(scope="module")
def taught(some_clothes, gray):
    """A small network that learned something from 600 real pictures, its batch norm far from the identity."""
    images, labels, _, _ = some_clothes
    torch.manual_seed(0)
    network = Network(Architecture(name="small", input=(1, 28, 28), classes=10, layers=LAYERS))
    pixels = torch.from_numpy((images.astype(np.float32) - gray.offset) * np.float32(gray.scale))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(60):
        batch = torch.randint(len(pixels), (64,))
        F.cross_entropy(network(pixels[batch]), labels[batch]).backward()
        optimizer.step()
        optimizer.zero_grad()
    return network.eval()


def quantized(network, gray, calibration):
    model = export_network(network, gray, tuple("abcdefghij"), "small")
    ranges = activation_ranges(model, calibration)
    graph, constants = graph_of(model, gray, ranges)
    made = FakeQuantNetwork(graph).eval()
    made.take(constants, ranges)
    return made


@pytest.fixture
def score(some_clothes, gray):
    _, _, images, labels = some_clothes
    pixels = torch.from_numpy((images.astype(np.float32) - gray.offset) * np.float32(gray.scale))

    def measure(network):
        with torch.no_grad():
            logits = network(pixels)
        right = float((logits.argmax(1).numpy() == labels).mean())
        return Cost(accuracy=right, cross_entropy=F.cross_entropy(logits, torch.from_numpy(labels)).item())

    return measure


def measured(network, score, module):
    names = layer_names(network.graph, network.constants(), module)
    layers = []
    for name, operation in zip(names, network.graph.weighted, strict=True):
        costs = layer_costs(network, operation, score)
        layers.append(
            LayerSensitivity(
                layer=name,
                operator=operation.operator,
                shape=network.graph.floats[operation.inputs[1]],
                only_int8=costs.only_int8,
                all_but_int8=costs.all_but_int8,
                pruned=costs.pruned,
            )
        )
    return layers


def an_outlier_among_the_weights(network):
    """Channel 0 of the first layer is always silent; every filter of the second reads it with a huge weight."""
    with torch.no_grad():
        first, second = network.layers[0], network.layers[1]
        first.norm.weight[0] = first.norm.bias[0] = 0.0
        second.conv.weight[:, 0, 0, 0] = 1000.0 * second.conv.weight.abs().max()
    return {"layers.1.conv"}


def an_outlier_among_the_activations(network):
    """A channel of the second layer gives huge values that nothing reads: the others lose their codes."""
    with torch.no_grad():
        network.layers[1].norm.bias[3] = 20_000.0
        network.layers[2].depthwise.weight[3] = 0.0
    return {"layers.1.conv", "layers.2.depthwise"}  # the tensor between them is the one layer's and the other's


@pytest.mark.parametrize("sabotage", [an_outlier_among_the_weights, an_outlier_among_the_activations])
def test_a_sabotaged_layer_is_found_first(sabotage, taught, gray, calibration, score):
    network = copy.deepcopy(taught)
    guilty = sabotage(network)
    fake = quantized(network, gray, calibration)
    unchanged, int8 = whole_costs(fake, score)
    layers = measured(fake, score, network)
    worst, said = sentence(layers, unchanged, int8, "REMEDY")
    suspects = [layer.layer for layer in by_loss(layers, unchanged)]
    assert set(suspects[: len(guilty)]) == guilty
    assert worst == suspects[0]
    assert said.startswith(f"{worst} costs most in 8 bits")
    assert said.endswith("; REMEDY")
    found = {layer.layer: layer for layer in layers}[worst]
    assert unchanged.accuracy - found.only_int8.accuracy > 0.1
    assert unchanged.accuracy - int8.accuracy > 0.1
    assert found.all_but_int8.accuracy > int8.accuracy + 0.05


def test_a_sound_network_loses_next_to_nothing_and_is_left_as_it_was(taught, gray, calibration, score):
    fake = quantized(taught, gray, calibration)
    before = {name: value.clone() for name, value in fake.state_dict().items()}
    unchanged, int8 = whole_costs(fake, score)
    assert unchanged.accuracy > 0.5
    assert abs(unchanged.accuracy - int8.accuracy) < 0.02
    layers = measured(fake, score, taught)
    assert all(abs(unchanged.accuracy - layer.only_int8.accuracy) < 0.02 for layer in layers)
    assert all(torch.equal(value, before[name]) for name, value in fake.state_dict().items())
    assert whole_costs(fake, score) == (unchanged, int8)
    worst, said = sentence(layers, unchanged, int8, "REMEDY")
    assert "no layer stands out" in said
    assert "prune there first" in said
    assert worst in {layer.layer for layer in layers}


def test_pruned_figures_are_those_of_a_network_whose_weakest_filters_are_zero(taught, gray, calibration, score):
    fake = quantized(taught, gray, calibration)
    operation = fake.graph.weighted[0]
    found = layer_costs(fake, operation, score).pruned[1]
    assert (found.removed_fraction, found.removed_channels) == (0.5, 8)
    network = copy.deepcopy(taught)
    first = network.layers[0]
    factor = first.norm.weight / torch.sqrt(first.norm.running_var + first.norm.eps)
    weakest = (first.conv.weight * factor[:, None, None, None]).flatten(1).norm(dim=1).argsort()[:8]
    with torch.no_grad():
        first.norm.weight[weakest] = 0.0
        first.norm.bias[weakest] = 0.0
    expected = score(network)
    assert found.accuracy == pytest.approx(expected.accuracy, abs=0.003)
    assert found.cross_entropy == pytest.approx(expected.cross_entropy, abs=1e-3)


def test_layers_bear_the_names_of_their_modules(taught, gray, calibration):
    fake = quantized(taught, gray, calibration)
    expected = [
        "layers.0.conv",
        "layers.1.conv",
        "layers.2.depthwise",
        "layers.2.pointwise",
        "layers.3.conv",
        "layers.5.linear",
    ]
    assert layer_names(fake.graph, fake.constants(), taught) == expected
    assert layer_names(fake.graph, fake.constants(), None)[:2] == ["Conv 1", "Conv 2"]


def test_the_classifier_keeps_its_classes(taught, gray, calibration, score):
    fake = quantized(taught, gray, calibration)
    assert layer_costs(fake, fake.graph.weighted[-1], score).pruned == ()


def some_record():
    def layer(name, alone, pruned):
        return LayerSensitivity(
            layer=name,
            operator="Conv",
            shape=(8, 4, 3, 3),
            only_int8=None if alone is None else Cost(accuracy=alone, cross_entropy=1 - alone),
            all_but_int8=None if alone is None else Cost(accuracy=0.9, cross_entropy=0.1),
            pruned=tuple(
                PrunedCost(removed_fraction=share, removed_channels=2, accuracy=value, cross_entropy=1 - value)
                for share, value in pruned
            ),
        )

    layers = (
        layer("first", 0.9, ((0.25, 0.88), (0.5, 0.7), (0.75, 0.3))),
        layer("<second>", 0.8, ((0.25, 0.9), (0.5, 0.85), (0.75, 0.6))),
        layer("odd", None, ()),
    )
    cost = Cost(accuracy=0.9, cross_entropy=0.1)
    return Sensitivity(
        model="small",
        data=SensitivityData(name="clothes", fingerprint="f", split="validation", images=400, calibration_images=100),
        unchanged=cost,
        int8=Cost(accuracy=0.8, cross_entropy=0.2),
        layers=layers,
        worst="<second>",
        sentence="the second costs most",
    )


def test_table_and_file_tell_the_same_figures_the_costliest_layer_first():
    record = some_record()
    headings, rows = table_rows(record)
    assert headings[-1] == "-75 % channels"
    assert [row[0] for row in rows] == ["<second>", "first", "odd"]
    assert rows[0] == ["<second>", "Conv 8 x 4 x 3 x 3", "-10.00", "+0.100", "0.00", "0.00", "-5.00", "-30.00"]
    assert rows[2][2:] == [""] * 6
    lines = as_csv(record).splitlines()
    assert lines[0].startswith("layer,operator,shape,only_int8_accuracy,only_int8_nats,all_but_int8_accuracy")
    assert lines[1] == "(network in float),,,0.9,0.1"
    assert lines[4].startswith("<second>,Conv,8x4x3x3,0.8,")
    assert {len(line.split(",")) for line in (lines[0], *lines[3:])} == {13}


def test_the_figure_shows_every_layer_and_escapes_its_name():
    drawn = ElementTree.fromstring(str(sensitivity_chart(some_record())))
    texts = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"first", "<second>", "odd", "stays float"} <= set(texts)
    bars = [each for each in drawn.iter("{http://www.w3.org/2000/svg}rect") if each.get("fill") == "#bc4c00"]
    assert [bar[0].text for bar in bars] == ["<second>: 10.00 points"]
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == 6
