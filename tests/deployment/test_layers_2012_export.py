"""The networks of 2012 as files: the same answers on real photographs, and what the files hold and compute."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import plain_layers as plain
from econet.compression.quantization import activation_ranges, quantize
from econet.data.load import load_data
from econet.deployment import graph
from econet.deployment.network_layers import layer_outputs
from econet.deployment.onnx_export import export_network
from econet.deployment.predictor import Predictor
from econet.images.preprocess import Preprocess
from econet.models import catalog, cost
from econet.models.network import Network

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
CLASSES = tuple("abcdefghij")
# Name, side of the pictures, switches.
NETWORKS = [
    ("alexnet:mini", 24, {"width": 0.25}),
    ("alexnet:mini", 33, {"width": 0.25, "activation": "tanh", "lrn_extent": "column"}),
    ("alexnet:mini", 24, {"width": 0.25, "batch_norm": True, "dense_layers": False}),
    ("alexnet:paper", 63, {"width": 0.05}),
    ("alexnet:original_code", 63, {"width": 0.05}),
    ("alexnet:original_code", 64, {"width": 0.05}),
    ("alexnet:original_code", 64, {"width": 0.05, "communicate": False}),
    ("cuda_convnet:26pct", 24, {}),
    ("cuda_convnet:26pct", 32, {"activation": "tanh"}),
    ("cuda_convnet:19pct", 24, {}),
    ("cuda_convnet:18pct", 24, {}),
    ("cuda_convnet:13pct", 24, {}),
    ("cuda_convnet:11pct", 24, {}),
]


def named(value: object) -> str | None:
    return value if isinstance(value, str) else None


def raw(side: int) -> Preprocess:
    return Preprocess(image_size=(side, side), channels=3, resize_size=(side, side), offset=0, scale=1.0)


@pytest.fixture(scope="module")
def photos():
    """Ten real photographs at a side of so many pixels, uint8 [10, side, side, 3]."""
    return lambda side: load_data(str(PHOTOS), image_size=side).test.pixels


def busy(name: str, side: int, switches: dict) -> Network:
    made = catalog.build(name, input_shape=(3, side, side), **switches)
    assert isinstance(made, Network)
    # tanh saturates and batch norm gives values around 1, so their responses are kept of that size.
    plain.spread_out(made, level=0.02 if {"activation", "batch_norm"} & switches.keys() else 1.0)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # what a training leaves: the mean and spread of its maps
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
    return made


def answers(network: Network, pixels: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32))).numpy()


@pytest.mark.parametrize(("name", "side", "switches"), NETWORKS, ids=named)
def test_the_file_answers_as_the_network_and_costs_what_the_record_says(name, side, switches, photos, tmp_path):
    network, pixels = busy(name, side, switches), photos(side)
    model = export_network(network, raw(side), CLASSES, name)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    expected, found = answers(network, pixels), Predictor(path).logits(pixels)
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)
    assert (found.argmax(1) == expected.argmax(1)).all()
    assert np.ptp(expected, axis=0).min() > 1e-3 * np.ptp(expected)  # every logit tells the photographs apart
    assert graph.macs(model) == cost.macs(network.architecture)
    assert graph.parameters(model) == cost.parameters(network.architecture)


def test_the_mean_image_is_in_the_file_and_is_no_parameter(photos):
    network = busy("cuda_convnet:18pct", 24, {})
    model = export_network(network, raw(24), CLASSES, "n")
    images = [numpy_helper.to_array(each) for each in model.graph.initializer if list(each.dims) == [1, 3, 24, 24]]
    assert len(images) == 1
    np.testing.assert_array_equal(images[0][0], network.layers[0].mean.numpy())
    assert graph.parameters(model) == 85_098
    held = sum(int(np.prod(each.dims)) for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT)
    assert held >= 85_098 + 3 * 24 * 24


def test_an_int8_file_holds_the_same_and_answers_nearly_so(photos, tmp_path):
    network, pixels = busy("alexnet:mini", 24, {"width": 0.25, "lrn": False}), photos(24)
    model = export_network(network, raw(24), CLASSES, "n")
    small = quantize(model, activation_ranges(model, pixels.transpose(0, 3, 1, 2)))
    assert graph.parameters(small) == graph.parameters(model) == cost.parameters(network.architecture)
    assert graph.macs(small) == graph.macs(model)
    path = tmp_path / "model.int8.onnx"
    path.write_bytes(small.SerializeToString())
    expected = answers(network, pixels)
    assert np.abs(Predictor(path).logits(pixels) - expected).max() < 0.1 * np.ptp(expected)


def test_dropout_is_a_half_in_the_file_and_no_chance(photos, tmp_path):
    """The file of a network left in training mode answers as evaluation does."""
    network, pixels = busy("alexnet:mini", 24, {"width": 0.25, "lrn": False}), photos(24)
    expected = answers(network, pixels)
    path = tmp_path / "model.onnx"
    path.write_bytes(export_network(network.train(), raw(24), CLASSES, "n").SerializeToString())
    assert np.abs(Predictor(path).logits(pixels) - expected).max() <= 1e-5 * np.ptp(expected)
    assert not {"Dropout", "Mul"} & {node.op_type for node in onnx.load(path).graph.node[3:]}  # behind the scaling


def test_a_layer_of_every_kind_is_found_in_the_file(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(export_network(busy("cuda_convnet:11pct", 24, {}), raw(24), CLASSES, "n").SerializeToString())
    layers = graph.layers(path)
    assert Counter(layer.kind for layer in layers) == {"conv": 2, "pool": 2, "dense": 3}
    assert sum(layer.macs for layer in layers) == 19_512_576


def test_what_a_layer_gives_is_seen_before_the_next_one_rectifies_it(photos):
    network = busy("cuda_convnet:18pct", 24, {})
    found = layer_outputs(network, photos(24)[:2], raw(24))
    pooled, rectified = found[2], found[3]
    assert (pooled.name, rectified.name) == ("2 (MaxPool2d)", "3 (ReLU)")
    assert pooled.values.min() < 0
    np.testing.assert_array_equal(rectified.values, np.maximum(pooled.values, 0))
