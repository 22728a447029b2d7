"""What is read back from an exported file is the network that was exported."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from econet.deployment import zoo
from econet.deployment.onnx_export import export_network
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.models import catalog
from econet.models.architecture import from_data
from econet.models.network import Network
from econet.training.file_weights import _floats, read_back, settle_norms

SIDE = 32
SHIPPED = "fashion-mnist-econet-76k"
KINDS = (
    "econet",
    "econet:fine",
    "alexnet:mini",
    "alexnet_small",
    "resnet8",
    "mobilenet_v2:x0.5",
    "shufflenet_v2:x0.5",
    "squeezenet",
)


def used_network(model: str) -> Network:
    """A network whose batch norms are no longer what they start as."""
    torch.manual_seed(1)
    network = catalog.build(model, input_shape=(3, SIDE, SIDE), classes=4)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(std=0.1)
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.1)
    return network.eval()


def answers(network: nn.Module, images: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return network.eval()(images).numpy()


def pictures(count: int = 8) -> torch.Tensor:
    return torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("model", KINDS)
def test_every_kind_of_layer_comes_back_from_its_file(model, tmp_path):
    network = used_network(model)
    preprocess = Preprocess(
        image_size=(SIDE, SIDE),
        channels=3,
        resize="none",
        resize_size=(SIDE, SIDE),
        crop="none",
        offset=120,
        scale=0.01,
    )
    onnx.save(export_network(network, preprocess, tuple("abcd"), "m"), tmp_path / "model.onnx")
    again = catalog.build(model, input_shape=(3, SIDE, SIDE), classes=4)
    read_back(again, tmp_path / "model.onnx")
    expected = answers(network, pictures())
    np.testing.assert_allclose(answers(again, pictures()), expected, atol=1e-4 * np.abs(expected).max())


def test_a_file_of_another_network_is_refused(tmp_path):
    network = catalog.build("econet", input_shape=(1, 28, 28), classes=10)
    with pytest.raises(UserError, match="are not those of the architecture"):
        read_back(network, zoo.find(SHIPPED))


def test_codes_become_floats_with_their_scales_and_zero_points():
    codes = np.array([[1, -2], [3, 127]], np.int8)
    scale, zero = np.array([0.5, 2], np.float32), np.array([1, -1], np.int8)
    np.testing.assert_array_equal(_floats(codes, scale, axis=0), [[0.5, -1], [6, 254]])
    np.testing.assert_array_equal(_floats(codes, scale, zero, axis=1), [[0, -2], [1, 256]])
    np.testing.assert_array_equal(_floats(codes, np.float32(0.5), np.int8(1), axis=1), [[0, -1.5], [1, 63]])


@pytest.fixture(scope="module")
def shipped():
    """The shipped network read back, and its file."""
    network = Network(from_data(zoo.card(SHIPPED).architecture))
    read_back(network, zoo.find(SHIPPED))
    return network, Predictor(zoo.find(SHIPPED))


def test_the_floats_of_a_shipped_int8_file_answer_as_the_file_does(shipped, clothes_data):
    network, file = shipped
    pixels, truth = clothes_data.test.pixels, clothes_data.test.labels
    images = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - file.preprocess.offset) * file.preprocess.scale
    own, expected = answers(network, images), file.logits(pixels)
    # The file rounds its maps to 8 bits besides; on 400 pictures of the test split 97.8 % of the answers are the same.
    assert (own.argmax(1) == expected.argmax(1)).mean() >= 0.95
    assert np.abs(own - expected).mean() < 0.02 * np.ptp(expected)
    assert (own.argmax(1) == truth).mean() >= 0.9


def test_settled_norms_change_no_answer_and_little_in_training(shipped, clothes_data):
    network, file = shipped
    pixels = torch.from_numpy(clothes_data.train.pixels).permute(0, 3, 1, 2).float()
    images = (pixels - file.preprocess.offset) * file.preprocess.scale
    before = answers(network, images[:50])
    with torch.inference_mode():
        unsettled = network.train()(images[:50])
    read_back(network, zoo.find(SHIPPED))  # training moved the statistics
    settle_norms(network, images[:128])
    np.testing.assert_allclose(answers(network, images[:50]), before, atol=1e-3)
    with torch.inference_mode():
        settled = network.train()(images[:50]).numpy()
    spread = before.std()
    assert np.abs(settled - before).mean() < 0.2 * spread
    assert np.abs(unsettled.numpy() - before).mean() > 0.4 * spread
