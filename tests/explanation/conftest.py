"""The network made by hand, its file and its picture, in gray and in colour."""

import pytest

from econet.deployment.predictor import Predictor
from econet.explanation.hiding import blurred
from econet.explanation.question import Question
from patch_networks import patch_network, patched_picture, written


@pytest.fixture(params=[1, 3], ids=["gray", "colour"])
def channels(request):
    return request.param


@pytest.fixture
def network(channels):
    return patch_network(channels)


@pytest.fixture
def picture(channels):
    return patched_picture(channels)


@pytest.fixture
def network_file(network, channels, tmp_path):
    return written(network, channels, tmp_path / "by-hand.onnx")


@pytest.fixture
def question(network_file, picture):
    """What the file asks its picture, about class 0."""
    return Question(Predictor(network_file).input_logits, picture, blurred(picture), 0)
