"""What a training can start from, and what becomes of the first layer and the strides where pictures are others."""

from pathlib import Path

import numpy as np
import pytest
import torch

from econet.errors import UserError
from econet.models import catalog
from econet.training.starts import architecture_like, find_start, start_from

SHIPPED = Path("fashion-mnist-econet-76k")
CLASSES = ("bag", "boot")


def like(start, shape, classes=2):
    torch.manual_seed(0)
    return catalog.network(architecture_like(start, shape, classes)).eval()


def answers(network, images):
    with torch.inference_mode():
        return network(images).numpy()


def test_the_first_layer_answers_about_gray_pictures_as_before_in_colours_too():
    start = find_start(SHIPPED)
    gray, colour = like(start, (1, 28, 28), 10), like(start, (3, 28, 28), 10)
    assert start_from(gray, start, start.classes) == []
    assert start_from(colour, start, start.classes) == []
    images = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(answers(colour, images.expand(-1, 3, -1, -1)), answers(gray, images), atol=1e-3)


def test_colours_become_one_gray():
    start = find_start(SHIPPED)
    colour, gray = like(start, (3, 28, 28)), like(start, (1, 28, 28))
    assert start_from(colour, start, CLASSES) == ["layers.9.linear.weight", "layers.9.linear.bias"]
    state = colour.state_dict()
    first = state["layers.0.conv.weight"]
    assert start_from(gray, start, CLASSES)
    torch.testing.assert_close(first.sum(1, keepdim=True), gray.state_dict()["layers.0.conv.weight"])


def test_larger_pictures_take_the_strides_that_the_model_has_for_them():
    start = find_start(SHIPPED)
    made = architecture_like(start, (3, 64, 64), 2)
    assert made == catalog.architecture("econet:fine", (3, 64, 64), 2)
    assert made["layers"][0]["stride"] == 2
    assert start.architecture["layers"][0]["stride"] == 1
    start_from(catalog.network(made), start, CLASSES)


def test_another_size_is_refused_where_layers_are_bound_to_it(trained):
    parent = trained("parent", model="lenet5", epochs=1)
    start = find_start(parent.folder)
    with pytest.raises(UserError, match="it took pictures of 28 x 28, these are 40 x 40") as caught:
        start_from(like(start, (1, 40, 40)), start, CLASSES)
    assert caught.value.remedy == "--image-size 28"


def test_a_changed_file_is_refused(trained):
    parent = trained("parent", epochs=1)
    start = find_start(parent.folder)
    content = bytearray(parent.weights_path.read_bytes())
    content[-1] ^= 1
    parent.weights_path.write_bytes(content)
    with pytest.raises(UserError, match="another SHA-256"):
        start_from(like(start, (1, 28, 28)), start, CLASSES)
