"""Crops out of a larger store: which windows occur, what shares them, the mean image, and how they are asked for."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from econet.data.augmentation import Augmenter
from econet.data.load import load_data
from econet.data.store import mean_image
from econet.errors import UserError
from econet.images.preprocess import Preprocess

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
CPU = torch.device("cpu")
# Row and column of a crop's upper left corner in the store, and whether the crop is mirrored.
Corner = tuple[int, int, bool]


def preprocess_of(side: int, store: int) -> Preprocess:
    """Raw pixels, as the networks of 2012 take them."""
    return Preprocess(
        image_size=(side, side),
        channels=3,
        resize="stretch",
        resize_size=(store, store),
        crop="centre",
        offset=0,
        scale=1.0,
    )


def map_of(store: int) -> torch.Tensor:
    """One picture [1, store, store, 3] whose pixels say where they are: (row, column, 0)."""
    rows, columns = np.meshgrid(np.arange(store), np.arange(store), indexing="ij")
    return torch.from_numpy(np.stack([rows, columns, 0 * rows], axis=2)[None].astype(np.uint8))


def corners(batch: torch.Tensor) -> list[Corner]:
    """Where in the store each crop [B, 3, side, side] of the map begins, and whether it is mirrored."""
    found = []
    for picture in batch.numpy():
        mirrored = picture[1, 0, 0] > picture[1, 0, -1]
        found.append((int(picture[0, 0, 0]), int(picture[1, 0, -1 if mirrored else 0]), bool(mirrored)))
    return found


def drawn(side: int, store: int, count: int, seed: int = 0, *, chunk: int = 1) -> list[Corner]:
    augmenter = Augmenter(map_of(store), preprocess_of(side, store), "light", CPU, chunk=chunk)
    indices = torch.zeros(count, dtype=torch.int64)
    return corners(augmenter.batch(indices, torch.Generator().manual_seed(seed)))


def test_crops_of_224_begin_at_every_offset_from_0_to_32():
    found = [corner for seed in range(8) for corner in drawn(224, 256, 50, seed)]
    for axis in (0, 1):
        offsets = {corner[axis] for corner in found}
        assert min(offsets) == 0
        assert max(offsets) == 32
    assert {mirrored for *_, mirrored in found} == {False, True}


def test_33_offsets_both_ways_and_the_mirror_make_2178_views_all_alike_in_number():
    """The paper counts 2048, the code draws offsets 0 to 32: 33 x 33 x 2. A small crop has as many."""
    counts = Counter(drawn(8, 40, 40_000))
    assert len(counts) == 33 * 33 * 2 == 2178
    for axis in (0, 1):
        per_offset = Counter(corner[axis] for corner in counts.elements())
        assert all(abs(number / (40_000 / 33) - 1) < 0.15 for number in per_offset.values())
    mirrored = sum(number for corner, number in counts.items() if corner[2])
    assert mirrored / 40_000 == pytest.approx(0.5, abs=0.02)


def test_crops_of_24_out_of_32_begin_at_0_to_8():
    found = drawn(24, 32, 3000)
    assert len(set(found)) == 9 * 9 * 2
    assert {row for row, *_ in found} == set(range(9))


def test_32_images_in_a_row_share_offset_and_mirror_and_the_next_draw_anew():
    found = drawn(224, 256, 40, seed=1, chunk=32)
    assert len(set(found[:32])) == 1
    assert len(set(found[32:])) == 1
    assert found[0] != found[32]


def test_each_image_draws_for_itself_where_no_chunk_is_asked_for():
    assert len(set(drawn(24, 32, 32))) > 20


def test_a_crop_is_a_window_of_the_picture_and_evaluation_takes_the_centre():
    augmenter = Augmenter(map_of(256), preprocess_of(224, 256), "light", CPU)
    indices = torch.zeros(6, dtype=torch.int64)
    batch = augmenter.batch(indices, torch.Generator().manual_seed(3))
    for picture, (row, column, mirrored) in zip(batch, corners(batch), strict=True):
        window = map_of(256)[0, row : row + 224, column : column + 224].float()
        expected = window.flip(1) if mirrored else window
        assert torch.equal(picture.permute(1, 2, 0), expected)
    assert corners(augmenter.plain(indices)) == [(16, 16, False)] * 6


# The mean image


@pytest.fixture(scope="module")
def photos():
    return load_data(str(PHOTOS), image_size=24, crop_from=32)


def test_the_mean_image_is_that_of_the_centre_of_all_training_pictures(photos):
    mean = mean_image(photos.train.pixels, photos.preprocess)
    assert mean.shape == (24, 24, 3)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, photos.train.pixels[:, 4:28, 4:28].astype(np.float64).mean(0), rtol=1e-6)


def test_the_mean_image_does_not_depend_on_how_many_pictures_are_taken_at_once(photos, monkeypatch):
    whole = mean_image(photos.train.pixels, photos.preprocess)
    monkeypatch.setattr("econet.data.store._CHUNK", 7)
    np.testing.assert_array_equal(mean_image(photos.train.pixels, photos.preprocess), whole)


def test_the_mean_image_of_whole_pictures_is_whole():
    data = load_data(str(PHOTOS), image_size=32)
    mean = mean_image(data.train.pixels, data.preprocess)
    np.testing.assert_allclose(mean, data.train.pixels.astype(np.float64).mean(0), rtol=1e-6)


# How they are asked for


def test_the_store_keeps_the_larger_pictures_and_the_network_takes_the_smaller(photos):
    assert photos.train.pixels.shape[1:] == (32, 32, 3)
    record = photos.preprocess
    assert (record.image_size, record.resize_size, record.crop) == ((24, 24), (32, 32), "centre")


def test_a_store_of_the_crops_own_size_is_not_cropped():
    record = load_data(str(PHOTOS), image_size=32, crop_from=32).preprocess
    assert (record.image_size, record.resize_size, record.crop) == ((32, 32), (32, 32), "none")


def test_pictures_of_a_known_set_are_cropped_without_being_resized(clothes_folder):
    record = load_data("fashion-mnist", data_dir=clothes_folder, image_size=24, crop_from=28).preprocess
    assert (record.image_size, record.resize_size, record.resize, record.crop) == ((24, 24), (28, 28), "none", "centre")


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"image_size": 224, "crop_from": 200}, "pictures of 200 pixels cannot be cropped to 224"),
        ({"image_size": 224, "crop_from": 2000}, "pictures of 2000 pixels cannot be cropped to 224"),
        ({"crop_from": 256}, "--crop-from was given without --image-size"),
        ({"crop_from": 5000}, "--crop-from was given without --image-size"),
    ],
)
def test_crops_that_cannot_be_are_refused(asked, what):
    with pytest.raises(UserError) as caught:
        load_data(str(PHOTOS), **asked)
    assert caught.value.what == what
    assert "--image-size 224" in caught.value.remedy
