"""The Predictor on ten views: probabilities averaged, in batches, whichever way round a picture is."""

import msgspec
import numpy as np
import pytest
import torch

from econet.deployment.onnx_export import export_network
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.models.architecture import Architecture, Dense, Flatten
from econet.models.network import Network

SIDE, KEPT = 28, 32
OFFSETS = ((0, 0), (0, 4), (2, 2), (4, 0), (4, 4))


@pytest.fixture
def cropping(slim, gray, classes, tmp_path):
    """The slim network behind a crop of 28 pixels out of 32."""
    record = msgspec.structs.replace(gray, resize_size=(KEPT, KEPT), crop="centre")
    path = tmp_path / "crop.onnx"
    path.write_bytes(export_network(slim, record, classes, "slim").SerializeToString())
    return Predictor(path)


@pytest.fixture
def larger(clothes):
    """The 64 real pictures with their borders repeated: uint8 [64, 32, 32, 1]."""
    return np.pad(clothes, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")


def softmax(logits):
    powers = np.exp(logits.astype(np.float64))
    return powers / powers.sum(1, keepdims=True)


def windows(pixels):
    for top, left in OFFSETS:
        yield pixels[:, top : top + SIDE, left : left + SIDE]
    for top, left in OFFSETS:
        yield np.ascontiguousarray(pixels[:, top : top + SIDE, left : left + SIDE][:, :, ::-1])


def test_ten_views_are_the_mean_of_ten_softmaxes(cropping, artifact, larger):
    plain = Predictor(artifact)  # the same network, fed whole pictures of 28 pixels
    expected = np.mean([softmax(plain.logits(window)) for window in windows(larger)], axis=0)
    found = cropping.probabilities(larger, "ten")
    assert (found.dtype, found.shape) == (np.float32, (64, 10))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found - cropping.probabilities(larger)).max() > 1e-3


def test_the_centre_is_what_was_asked_for_unless_said_otherwise(cropping, larger):
    np.testing.assert_array_equal(cropping.probabilities(larger), cropping.probabilities(larger, "centre"))
    np.testing.assert_allclose(cropping.probabilities(larger), softmax(cropping.logits(larger)), atol=1e-6)


def test_a_mirrored_picture_gets_the_same_answer(cropping, larger):
    mirrored = larger[:, :, ::-1]
    np.testing.assert_allclose(
        cropping.probabilities(mirrored, "ten"), cropping.probabilities(larger, "ten"), atol=1e-6
    )
    assert np.abs(cropping.probabilities(mirrored) - cropping.probabilities(larger)).max() > 1e-3


def test_many_pictures_get_the_same_answers_as_one_by_one(cropping, larger):
    many = cropping.probabilities(np.concatenate([larger] * 5), "ten")
    single = np.concatenate([cropping.probabilities(picture[None], "ten") for picture in larger])
    np.testing.assert_allclose(many, np.concatenate([single] * 5), atol=1e-5)


def test_no_picture_gives_no_answer(cropping, larger):
    assert cropping.probabilities(larger[:0], "ten").shape == (0, 10)


@pytest.fixture
def one_sided(tmp_path):
    """A network of two logits for 2 x 2 pixels of 4 x 4: a tenth of the pixel above left, and always 2."""
    layers = (Flatten(), Dense(channels=2, relu=False))
    network = Network(Architecture(name="n", input=(1, 2, 2), classes=2, layers=layers)).eval()
    with torch.no_grad():
        network.layers[1].linear.weight.copy_(torch.tensor([[0.1, 0, 0, 0], [0.0, 0, 0, 0]]))
        network.layers[1].linear.bias.copy_(torch.tensor([0.0, 2.0]))
    record = Preprocess(image_size=(2, 2), channels=1, resize_size=(4, 4), crop="centre", offset=0, scale=1.0)
    path = tmp_path / "one-sided.onnx"
    path.write_bytes(export_network(network, record, ("seen", "unseen"), "n").SerializeToString())
    return Predictor(path)


def test_probabilities_are_averaged_and_not_logits(one_sided):
    picture = np.zeros((1, 4, 4, 1), np.uint8)
    picture[0, 0, 0] = 250  # above left in the first of the ten views, in no other
    # Logits 25 and 2 once, 0 and 2 nine times: on average 2.5 against 2, and the first would win.
    sure, other = 1 / (1 + np.exp(2 - 25)), 1 / (1 + np.exp(2))
    mean = (sure + 9 * other) / 10
    np.testing.assert_allclose(one_sided.probabilities(picture, "ten"), [[mean, 1 - mean]], atol=1e-6)
    assert mean < 0.5


def test_a_file_without_room_around_its_crop_is_refused(artifact, clothes):
    with pytest.raises(UserError, match="kept at 28x28 pixels have no ten views for an input of 28x28"):
        Predictor(artifact).probabilities(clothes, "ten")


def test_pictures_of_another_size_are_refused(cropping, clothes):
    with pytest.raises(ValueError, match="expected uint8 images"):
        cropping.probabilities(clothes, "ten")
