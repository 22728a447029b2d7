"""From a word to a Dataset: defaults, statistics, fingerprint, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest

from econet.data import store
from econet.data.load import load_data
from econet.data.sources.idx import fashion_mnist
from econet.data.store import check_memory, normalisation
from econet.errors import UserError


@pytest.fixture(scope="module")
def fashion():
    return load_data("fashion-mnist")


def test_fashion_mnist_has_a_stratified_tenth_for_validation(fashion):
    assert np.bincount(fashion.train.labels).tolist() == [5_400] * 10
    assert np.bincount(fashion.validation.labels).tolist() == [600] * 10
    assert np.bincount(fashion.test.labels).tolist() == [1_000] * 10
    assert fashion.name == fashion.source == "fashion-mnist"
    assert fashion.validation_fraction == 0.1
    assert fashion.listing == ()


def test_train_and_validation_are_the_published_training_pictures(fashion):
    both = np.concatenate([fashion.train.pixels, fashion.validation.pixels]).reshape(60_000, -1)
    every = fashion_mnist().train.pixels.reshape(60_000, -1)
    np.testing.assert_array_equal(np.sort(both.sum(1)), np.sort(every.sum(1)))


def test_offset_and_scale_are_those_of_the_training_split(fashion):
    values = fashion.train.pixels.astype(np.float64)
    assert fashion.preprocess.offset == round(values.mean())
    assert fashion.preprocess.scale == pytest.approx(1 / values.std(), rel=1e-12)
    assert fashion.preprocess.image_size == (28, 28)
    assert (fashion.preprocess.resize, fashion.preprocess.crop, fashion.preprocess.channels) == ("none", "none", 1)


def test_the_fingerprint_is_the_data_s_and_the_split_s(fashion):
    assert load_data("fashion-mnist").fingerprint == fashion.fingerprint
    assert load_data("fashion-mnist", seed=1).fingerprint != fashion.fingerprint
    assert load_data("fashion-mnist", validation=0.2).fingerprint != fashion.fingerprint


def test_one_changed_pixel_changes_the_fingerprint(fashion):
    parts = (fashion.validation,)
    before = store.fingerprint(fashion.classes, parts)
    fashion.validation.pixels[17, 3, 3, 0] ^= 1
    after = store.fingerprint(fashion.classes, parts)
    fashion.validation.pixels[17, 3, 3, 0] ^= 1
    assert before != after
    assert store.fingerprint(fashion.classes, parts) == before
    assert store.fingerprint(fashion.classes[::-1], parts) != before


def test_another_image_size_resizes_the_store(fashion):
    data = load_data("fashion-mnist", image_size=14)
    assert data.test.pixels.shape == (10_000, 14, 14, 1)
    assert data.preprocess.resize == "stretch"
    assert data.preprocess.resize_size == (14, 14)
    # Halving by an antialiased triangle: a flat region keeps its value, and the mean stays nearly the same.
    assert abs(data.test.pixels.mean() - fashion.test.pixels.mean()) < 1


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"image_size": 7}, "image size 7 is out of range"),
        ({"image_size": 1025}, "image size 1025 is out of range"),
        ({"image_size": -28}, "image size -28 is out of range"),
        ({"validation": 0.0}, "validation share 0.0 is out of range"),
        ({"validation": 0.51}, "validation share 0.51 is out of range"),
        ({"validation": float("nan")}, "validation share nan is out of range"),
        ({"seed": -1}, "seed -1 is negative"),
        ({"resize": "strech"}, "unknown resize 'strech'"),
    ],
)
def test_absurd_values_are_refused(options, what):
    with pytest.raises(UserError, match=what):
        load_data("fashion-mnist", **options)


def test_a_misspelt_name_gets_the_nearest_ones():
    with pytest.raises(UserError) as caught:
        load_data("fashion-mnits")
    assert caught.value.what == "unknown data 'fashion-mnits'"
    assert caught.value.remedy == "did you mean fashion-mnist?"


def test_a_path_that_does_not_exist_is_told_in_full(tmp_path):
    with pytest.raises(UserError, match="there is no folder") as caught:
        load_data(str(tmp_path / "photos"))
    assert str(tmp_path / "photos") in caught.value.why


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "photos.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"photos\.zip is not a folder"):
        load_data(str(tmp_path / "photos.zip"))


def test_pictures_of_one_colour_cannot_be_scaled():
    with pytest.raises(UserError, match="one single colour"):
        normalisation(np.full((5, 8, 8, 3), 200, np.uint8))


def test_statistics_of_known_pixels():
    pixels = np.array([0, 0, 0, 255], np.uint8).reshape(1, 2, 2, 1)
    offset, scale = normalisation(pixels)
    assert offset == 64
    # Mean 63.75, variance (3 * 63.75^2 + 191.25^2) / 4.
    assert scale == pytest.approx(1 / 110.41824, rel=1e-6)


def test_more_pictures_than_memory_are_refused_beforehand():
    with pytest.raises(UserError, match=r"9,000,000 pictures of 1024 x 1024 need 84934\.7 GB"):
        check_memory(9_000_000, (1024, 1024), 3)


def test_data_is_loaded_without_torch():
    code = (
        "import sys; from econet.data.load import load_data; load_data('fashion-mnist'); import econet.data.listing; "
        "import econet.images.decode; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
