"""Colour noise along the principal axes of the pixels: its axes, its readings, and where it acts."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from econet.data.augmentation import Augmenter, colour
from econet.data.colour_noise import ColourAxes, colour_axes, noise_deviations
from econet.data.load import load_data
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.runs.choices import ColourNoise

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
CPU = torch.device("cpu")
# Of ImageNet, as the code's own data file of 2014 has them: standard deviations in grey levels, vectors (R, G, B).
PUBLISHED = ColourAxes(
    axes=np.array(
        [
            [-0.56351045, -0.57618440, -0.59200296],
            [-0.71257945, -0.02354167, 0.70119634],
            [0.41795513, -0.81698062, 0.39731118],
        ]
    ),
    deviations=np.array([121.78006099, 37.09388853, 19.72083305]),
)
# Per channel R, G, B, in grey levels.
SPREAD = (7.400, 7.200, 7.704)
SPREAD_DIVIDED = (6.727, 6.545, 7.004)


def preprocess_of(side: int, store: int, offset: int = 0, scale: float = 1.0) -> Preprocess:
    """A store larger than the crops is padded nowhere, so that every pixel is the picture's own."""
    crop = "none" if side == store else "centre"
    return Preprocess(
        image_size=(side, side), channels=3, resize_size=(store, store), crop=crop, offset=offset, scale=scale
    )


def augmenter(colour: ColourNoise, policy: str = "light") -> Augmenter:
    """Of one picture that is all grey 100."""
    record = preprocess_of(2, 4)
    images = torch.full((1, 4, 4, 3), 100, dtype=torch.uint8)
    return Augmenter(images, record, policy, CPU, colour=colour)


def repeated(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.int64)


@pytest.fixture
def published(monkeypatch):
    """Let every picture have ImageNet's axes."""
    monkeypatch.setattr(colour, "colour_axes", lambda pixels: PUBLISHED)


@pytest.fixture(scope="module")
def photos():
    return load_data(str(PHOTOS), image_size=32).train.pixels


# The axes


def test_the_published_vectors_stand_at_right_angles_and_the_longest_is_nearly_grey():
    np.testing.assert_allclose(PUBLISHED.axes @ PUBLISHED.axes.T, np.eye(3), atol=1e-6)
    assert abs(PUBLISHED.axes[0] @ np.full(3, 1 / math.sqrt(3))) > 0.99
    assert PUBLISHED.deviations.argmax() == 0


def test_the_axes_of_photographs_are_those_of_the_covariance(photos):
    found = colour_axes(photos)
    flat = photos.reshape(-1, 3).astype(np.float64)
    covariance = np.cov(flat.T, bias=True)
    np.testing.assert_allclose(found.axes @ found.axes.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose((flat @ found.axes.T).std(0), found.deviations, rtol=1e-6)
    np.testing.assert_allclose(
        found.axes.T @ np.diag(found.deviations**2) @ found.axes, covariance, atol=1e-6 * covariance.max()
    )
    assert list(found.deviations) == sorted(found.deviations, reverse=True)
    assert abs(found.axes[0].sum()) / math.sqrt(3) > 0.9  # light and dark, as in every set of photographs


def test_the_axes_do_not_depend_on_how_many_pictures_are_taken_at_once(photos, monkeypatch):
    whole = colour_axes(photos)
    monkeypatch.setattr("econet.data.colour_noise._CHUNK", 7)
    parts = colour_axes(photos)
    np.testing.assert_allclose(parts.deviations, whole.deviations, rtol=1e-9)


def test_axes_that_pixels_were_made_from_are_found_again():
    """A quarter of ImageNet's spread, so that nothing is cut off at 0 or 255."""
    rng = np.random.default_rng(0)
    made = 128 + rng.normal(size=(200_000, 3)) * PUBLISHED.deviations / 4 @ PUBLISHED.axes
    found = colour_axes(made.round().clip(0, 255).astype(np.uint8).reshape(200, 1000, 1, 3))
    np.testing.assert_allclose(found.deviations, PUBLISHED.deviations / 4, rtol=0.02)
    np.testing.assert_allclose(np.abs((found.axes * PUBLISHED.axes).sum(1)), 1, atol=1e-3)


def test_gray_pictures_have_no_colour_noise():
    with pytest.raises(UserError, match="gray pictures have no colour noise") as caught:
        colour_axes(np.zeros((2, 4, 4, 1), np.uint8))
    assert "--colour-noise" in caught.value.remedy


# The readings


def test_the_readings_of_the_formula_on_the_worked_example():
    """Alphas of 0.1, -0.05 and 0.02 are 1, -0.5 and 0.2 standard deviations."""
    drawn = np.array([0.1, -0.05, 0.02]) / 0.1
    code = drawn * noise_deviations(PUBLISHED, "std") @ PUBLISHED.axes
    np.testing.assert_allclose(code, [-5.376, -7.295, -8.353], atol=1e-3)
    np.testing.assert_allclose(code / 1.1, [-4.887, -6.632, -7.594], atol=1e-3)
    unit = drawn * noise_deviations(PUBLISHED, "eig01") @ PUBLISHED.axes
    np.testing.assert_allclose(unit, [-3.072, -3.370, -3.620], atol=1e-3)


def test_the_noise_along_each_axis_is_that_of_its_reading():
    np.testing.assert_allclose(noise_deviations(PUBLISHED, "std"), [12.178, 3.709, 1.972], atol=1e-3)
    np.testing.assert_allclose(noise_deviations(PUBLISHED, "eig01"), [5.816, 0.540, 0.153], atol=1e-3)


def test_the_formula_to_the_letter_is_refused_with_how_large_its_noise_would_be():
    with pytest.raises(UserError, match="`eig255` cannot be used") as caught:
        noise_deviations(PUBLISHED, "eig255")
    assert "1483 grey levels" in caught.value.why
    assert "--colour-noise std" in caught.value.remedy


# On batches


@pytest.mark.parametrize(("divisor", "spread"), [(1.0, SPREAD), (1.1, SPREAD_DIVIDED)])
def test_twenty_thousand_draws_have_the_spread_that_the_net_of_2012_saw(published, divisor, spread):
    noisy = augmenter(ColourNoise(reading="std", divisor=divisor))
    batch = noisy.batch(repeated(20_000), torch.Generator().manual_seed(0))
    assert (batch == batch[:, :, :1, :1]).all()  # one shift for the whole picture
    shift = batch[:, :, 0, 0].double().numpy() - 100  # the mean image is grey 100 too
    np.testing.assert_allclose(shift.std(0), spread, rtol=0.02)
    np.testing.assert_allclose(shift.mean(0), 0, atol=0.2)
    assert len(np.unique(shift[:, 0])) > 19_000


def test_a_batch_is_the_picture_and_the_draws_along_the_axes(photos):
    images, record = torch.from_numpy(photos[:8]), preprocess_of(24, 32, offset=120, scale=0.02)
    colour = ColourNoise(reading="std", divisor=1.1)
    batch = Augmenter(images, record, "light", CPU, colour=colour).batch(
        torch.arange(8), torch.Generator().manual_seed(4)
    )
    generator = torch.Generator().manual_seed(4)
    without = Augmenter(images, record, "light", CPU).batch(torch.arange(8), generator)
    draws = torch.randn((8, 3), generator=generator).double().numpy()
    axes = colour_axes(photos[:8])
    shift = 0.1 * (draws * axes.deviations) @ axes.axes
    pixels = without.double().numpy().transpose(0, 2, 3, 1) / 0.02 + 120
    mean = photos[:8, 4:28, 4:28].mean(0)
    expected = (mean + (pixels + shift[:, None, None, :] - mean) / 1.1 - 120) * 0.02
    np.testing.assert_allclose(batch.numpy().transpose(0, 2, 3, 1), expected, atol=1e-4)


def test_noise_is_drawn_anew_for_every_use_and_again_from_the_same_state(published):
    noisy = augmenter(ColourNoise(reading="std"))
    generator = torch.Generator().manual_seed(1)
    state = generator.get_state()
    first, second = noisy.batch(repeated(3), generator), noisy.batch(repeated(3), generator)
    generator.set_state(state)
    assert torch.equal(first, noisy.batch(repeated(3), generator))
    assert not torch.equal(first, second)
    assert len(first[:, 0, 0, 0].unique()) == 3


def test_evaluation_sees_neither_noise_nor_divisor(published):
    noisy = augmenter(ColourNoise(reading="std", divisor=1.1))
    assert (noisy.plain(repeated(4)) == 100).all()


def test_noise_ends_at_its_share_of_the_training(published):
    """In net 145 at epoch 67 of 91: from then on neither noise nor divisor."""
    noisy = augmenter(ColourNoise(reading="std", divisor=1.1, until=67 / 91))
    generator = torch.Generator().manual_seed(0)
    assert not (noisy.batch(repeated(4), generator, 66.9 / 91) == 100).any()
    assert (noisy.batch(repeated(4), generator, 67 / 91) == 100).all()
    assert (noisy.batch(repeated(4), generator, 1.0) == 100).all()


def test_noise_acts_on_pictures_that_are_not_moved_too(published):
    noisy = augmenter(ColourNoise(reading="std"), policy="none")
    assert not (noisy.batch(repeated(4), torch.Generator().manual_seed(0)) == 100).any()


def test_noise_on_gray_pictures_is_refused_before_training():
    record = Preprocess(image_size=(2, 2), channels=1, resize_size=(2, 2), offset=0, scale=1.0)
    with pytest.raises(UserError, match="gray pictures"):
        Augmenter(torch.zeros((1, 2, 2, 1), dtype=torch.uint8), record, "light", CPU, colour=ColourNoise(reading="std"))
