"""How any picture is brought to what a network takes, and how that is told."""

import numpy as np
import pytest

from econet.images.preprocess import Preprocess
from econet.serving.fitting import advice, described, fitted


def preprocess(channels=1, size=28, stored=None, **more):
    side = stored or size
    more = {"offset": 73, "scale": 0.01, **more}
    return Preprocess(image_size=(size, size), channels=channels, resize_size=(side, side), **more)


def test_a_picture_of_the_right_size_stays_as_it_is():
    picture = np.arange(784, dtype=np.uint8).reshape(28, 28, 1)
    assert fitted(picture, preprocess()) is picture
    assert described(picture, preprocess(), swapped=False) == "28 × 28 pixels, read as gray"


def test_a_network_without_a_resize_is_given_the_centre():
    # Three bands of equal height; the centre of the picture is the middle one.
    picture = np.repeat(np.array([10, 90, 200], np.uint8), 40).reshape(120, 1, 1) * np.ones((1, 40, 1), np.uint8)
    found = fitted(picture, preprocess())
    assert found.shape == (28, 28, 1)
    assert (found[4:24] == 90).all()


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (preprocess(3, resize="stretch"), "60 × 40 pixels, stretched to 28 × 28"),
        (preprocess(3, resize="shorter-side"), "60 × 40 pixels, scaled, and the centre cut to 28 × 28"),
        (
            preprocess(3, 24, 32, resize="stretch", crop="centre"),
            "60 × 40 pixels, stretched to 32 × 32, of that the central 24 × 24",
        ),
    ],
)
def test_what_is_done_is_told_in_order(record, told):
    assert described(np.zeros((40, 60, 3), np.uint8), record, swapped=False) == told


@pytest.mark.parametrize(
    ("offset", "edge", "hint"),
    [(73, 250, "light"), (73, 0, None), (73, 150, None), (190, 5, "dark"), (190, 250, None), (120, 130, None)],
)
def test_paper_is_told_from_blackboard(offset, edge, hint):
    picture = np.full((28, 28, 1), 128, np.uint8)
    picture[[0, -1]] = picture[:, [0, -1]] = edge
    found = advice(picture, preprocess(offset=offset))
    assert (found is None) == (hint is None)
    if hint is not None and found is not None:
        assert f"is {hint} (level {edge} of 255)" in found


def test_colour_networks_get_no_hint():
    assert advice(np.full((28, 28, 3), 250, np.uint8), preprocess(3)) is None
