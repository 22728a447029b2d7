"""Duplicates: copies are found whatever was done to them, and strangers are left alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from econet.data.duplicates import find_duplicates
from econet.data.load import load_data
from econet.data.neighbours import nearest
from econet.data.sketches import area_means, described, sketched

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


def brighter(picture):
    return np.clip(picture * 0.75 + 40, 0, 255).astype(np.uint8)


def cropped(picture):
    inner = Image.fromarray(picture[2:-2, 2:-2].squeeze())
    back = np.asarray(inner.resize(picture.shape[1::-1], Image.Resampling.BILINEAR))
    return back.reshape(picture.shape)


def shifted(picture):
    return np.roll(picture, (1, -1), axis=(0, 1))


COPIES = {"mirrored": lambda picture: picture[:, ::-1], "brighter": brighter, "cropped": cropped, "shifted": shifted}


@pytest.fixture(scope="module")
def photos():
    """Sixty different photographs of clothes, uint8 [60, 64, 64, 3]."""
    data = load_data(str(PHOTOS))
    return np.concatenate([part.pixels for part in (data.train, data.validation, data.test)])


def found_in(pictures, queries=None, among=None):
    everything = np.ones(len(pictures), bool)
    sketches = sketched([pictures])
    return find_duplicates(sketches, everything if queries is None else queries, everything if among is None else among)


def ends(duplicates):
    return [(pair.first, pair.second) for pair in duplicates.pairs]


def test_distinct_pictures_have_no_duplicates(photos, clothes_data):
    assert ends(found_in(photos)) == []
    # Shirts cut out in gray resemble each other; pixel for pixel none of them is another.
    assert not any(pair.exact for pair in found_in(clothes_data.train.pixels).pairs)


@pytest.mark.parametrize("kind", COPIES)
def test_a_changed_copy_is_found_and_nothing_else(photos, kind):
    copies = np.stack([COPIES[kind](picture) for picture in photos[:10]])
    found = found_in(np.concatenate([photos, copies]))
    assert sorted(ends(found)) == [(place, len(photos) + place) for place in range(10)]
    assert {pair.mirrored for pair in found.pairs} == {kind == "mirrored"}
    assert not any(pair.exact for pair in found.pairs)
    assert found.all.tolist() == [*range(len(photos)), *range(10)]
    assert found.exact.tolist() == list(range(len(photos) + 10))


def test_equal_pixels_are_exact_and_each_is_paired_with_the_first(photos):
    pictures = np.concatenate([photos, photos[[7, 7, 20]]])
    found = found_in(pictures)
    count = len(photos)
    assert ends(found) == [(7, count), (7, count + 1), (20, count + 2)]
    assert all(pair.exact and pair.likeness == 1 for pair in found.pairs)
    assert found.exact[count:].tolist() == [7, 7, 20]


def test_only_the_pictures_asked_for_are_compared(photos):
    pictures = np.concatenate([photos, photos[:2, :, ::-1], photos[:1]])
    last = np.arange(len(pictures)) == len(photos) + 1
    found = found_in(pictures, last, ~last)
    assert sorted(ends(found)) == [(0, len(photos) + 2), (1, len(photos) + 1)]


def test_copies_of_copies_are_one_group(photos):
    pictures = np.concatenate([photos, brighter(photos[:1]), cropped(brighter(photos[0]))[None]])
    assert found_in(pictures).all[-2:].tolist() == [0, 0]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_handful_of_pictures_is_enough(photos, count):
    assert ends(found_in(photos[:count])) == []
    assert ends(found_in(np.concatenate([photos[:count], photos[:1, :, ::-1]]))) == [(0, count)]


def test_blank_pictures_are_like_nothing_but_themselves():
    blank = np.stack([np.full((28, 28, 1), level, np.uint8) for level in (0, 90, 90, 255)])
    assert ends(found_in(blank)) == [(1, 2)]


def test_the_search_is_exact():
    random = np.random.default_rng(3)
    among = random.normal(size=(5000, 12)).astype(np.float32)
    queries, turned = (random.normal(size=(1100, 12)).astype(np.float32) for _ in range(2))
    own = np.arange(1100) * 4
    found = nearest(queries, turned, among, 5, own)
    likeness = np.maximum(queries @ among.T, turned @ among.T)
    likeness[np.arange(1100), own] = -np.inf
    np.testing.assert_allclose(found.likeness, -np.sort(-likeness, axis=1)[:, :5], rtol=1e-5)
    np.testing.assert_array_equal(found.index[:, 0], likeness.argmax(1))
    best = found.index[:, 0]
    np.testing.assert_array_equal(found.mirrored[:, 0], (turned * among[best]).sum(1) > (queries * among[best]).sum(1))


def test_area_means_keep_the_mean_of_any_size():
    picture = np.random.default_rng(0).uniform(0, 255, (2, 37, 50, 3)).astype(np.float32)
    np.testing.assert_allclose(area_means(picture, 16).mean((1, 2)), picture.mean((1, 2)), rtol=1e-4)
    np.testing.assert_allclose(
        area_means(picture[:, :32, :32], 16)[0, 0, 0], picture[0, :2, :2].mean((0, 1)), rtol=1e-5
    )


def test_a_description_does_not_know_brightness_but_a_mirror_tells_sides(photos):
    coarse = sketched([photos[:5]]).coarse
    dimmer = (coarse // 2).astype(np.uint8)
    assert ((described(coarse) * described(dimmer)).sum(1) > 0.99).all()
    np.testing.assert_allclose(described(coarse[:, :, ::-1]), described(coarse, mirrored=True), atol=1e-6)
