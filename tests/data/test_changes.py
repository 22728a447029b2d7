"""One change more of every picture under `--augment rich`, each kind against plain numpy or a figure that shows it."""

import math

import numpy as np
import pytest
import torch

from econet.data.augmentation import Augmenter, changes
from econet.data.augmentation.changes import ChangeDraws, changed, drawn_changes
from econet.data.sources.idx import fashion_mnist
from econet.images.preprocess import Preprocess

BEYOND = 7
COLOURED = np.random.default_rng(2).integers(40, 200, (1, 16, 16, 3), np.uint8)


def change(kind: int, strength: float, pixels: np.ndarray = COLOURED) -> np.ndarray:
    draws = ChangeDraws(torch.tensor([kind]), torch.tensor([strength]))
    return changed(torch.from_numpy(pixels), draws, BEYOND).numpy()


def gray_of(pixels: np.ndarray) -> np.ndarray:
    return (pixels @ np.array([0.299, 0.587, 0.114]))[..., None]


def test_nothing_is_nothing():
    np.testing.assert_array_equal(change(changes.NOTHING, 0.8), COLOURED)


@pytest.mark.parametrize("strength", [-0.6, 0.9])
def test_light_and_colours_are_blends_with_black_mean_gray_and_own_gray(strength):
    bases = {
        changes.BRIGHTNESS: np.zeros(1),
        changes.CONTRAST: gray_of(COLOURED).mean(),
        changes.SATURATION: gray_of(COLOURED),
    }
    for kind, base in bases.items():
        expected = np.clip(base + (1 + 0.5 * strength) * (COLOURED - base), 0, 255)
        np.testing.assert_allclose(change(kind, strength), expected, rtol=1e-4)


def test_a_turn_moves_a_point_by_its_angle_around_the_middle():
    picture = np.full((1, 65, 65, 1), BEYOND, np.uint8)
    picture[0, 31:34, 55:58, 0] = 250  # right of the middle
    turned = change(changes.TURN, 1.0, picture)[0, :, :, 0] - BEYOND
    rows, columns = np.mgrid[0:65, 0:65] - 32
    mean = (rows * turned).sum() / turned.sum(), (columns * turned).sum() / turned.sum()
    angle = math.degrees(math.atan2(*mean))
    assert abs(angle) == pytest.approx(15, abs=0.5)
    assert math.hypot(*mean) == pytest.approx(24, abs=0.3)


@pytest.mark.parametrize(("kind", "axis"), [(changes.SHEAR_ROWS, 1), (changes.SHEAR_COLUMNS, 0)])
def test_a_shear_moves_a_point_along_one_axis_by_a_fifth_of_its_distance(kind, axis):
    picture = np.full((1, 65, 65, 1), BEYOND, np.uint8)
    middle = slice(31, 34)
    picture[(0, slice(51, 54), middle) if axis == 1 else (0, middle, slice(51, 54))] = 250
    sheared = change(kind, 1.0, picture)[0, :, :, 0] - BEYOND
    place = np.mgrid[0:65, 0:65] - 32
    mean = (place * sheared).sum((1, 2)) / sheared.sum()
    assert abs(mean[axis]) == pytest.approx(0.2 * 20, abs=0.2)
    assert mean[1 - axis] == pytest.approx(20, abs=0.2)


def test_what_comes_in_from_outside_is_the_level_beyond():
    corner = change(changes.TURN, 1.0, np.full((1, 32, 32, 1), 200, np.uint8))[0, 0, 0, 0]
    assert corner < 120
    flat = change(changes.TURN, 1.0, np.full((1, 32, 32, 1), BEYOND, np.uint8))
    np.testing.assert_allclose(flat, BEYOND, atol=1e-4)


@pytest.mark.parametrize(("channels", "kinds"), [(1, 5), (3, 6)])
def test_half_of_the_pictures_are_changed_each_way_as_often_and_gray_ones_keep_their_colour(channels, kinds):
    draws = drawn_changes(4000, channels, torch.Generator().manual_seed(0))
    counts = np.bincount(draws.kind) / 4000
    assert counts == pytest.approx([0.5, *[0.5 / kinds] * kinds], abs=0.03)
    assert draws.strength.min() < -0.99
    assert draws.strength.max() > 0.99


def test_rich_is_strong_with_one_change_more():
    """The draws of `strong` come first, so the pictures that get no change are those of `strong`."""
    images = torch.from_numpy(fashion_mnist().test.pixels[:64])
    record = Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=73, scale=1 / 90)
    strong, rich = (
        Augmenter(images, record, policy, torch.device("cpu")).batch(torch.arange(64), torch.Generator().manual_seed(4))
        for policy in ("strong", "rich")
    )
    same = (strong - rich).abs().flatten(1).amax(1) < 1e-6
    assert 15 <= same.sum() <= 49  # about half
    assert rich.is_contiguous(memory_format=torch.channels_last)
    assert rich.min() >= (0 - 73) / 90 - 1e-6
    assert rich.max() <= (255 - 73) / 90 + 1e-6
