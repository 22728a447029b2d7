"""The ten views: where each window lies, in which order, and what they keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econet.errors import UserError
from econet.images.preprocess import Preprocess, cropped
from econet.images.views import offsets, ten_views


def cropping(kept, seen, channels=3):
    return Preprocess(
        image_size=seen, channels=channels, resize_size=kept, crop="centre", resize="stretch", offset=0, scale=1.0
    )


def places(height, width):
    """One picture [1, H, W, 3] whose pixels say where they stand: row, column, 0."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return np.stack([rows, columns, np.zeros_like(rows)], axis=-1)[None]


@pytest.mark.parametrize(
    ("kept", "seen", "expected"),
    [
        (256, 224, [(0, 0), (0, 32), (16, 16), (32, 0), (32, 32)]),
        (32, 24, [(0, 0), (0, 8), (4, 4), (8, 0), (8, 8)]),
    ],
)
def test_the_windows_lie_where_the_original_code_has_them(kept, seen, expected):
    record = cropping((kept, kept), (seen, seen))
    assert list(offsets(record)) == expected
    views = ten_views(places(kept, kept), record)
    assert [view.shape for view in views] == [(1, seen, seen, 3)] * 10
    first, last = [tuple(view[0, 0, 0, :2]) for view in views], [tuple(view[0, -1, -1, :2]) for view in views]
    end = seen - 1
    assert first[:5] == expected
    assert last[:5] == [(top + end, left + end) for top, left in expected]
    assert first[5:] == [(top, left + end) for top, left in expected]
    assert last[5:] == [(top + end, left) for top, left in expected]


def test_the_third_view_is_the_centre_that_evaluation_takes():
    picture, record = places(33, 29), cropping((33, 29), (24, 24))
    np.testing.assert_array_equal(ten_views(picture, record)[2], cropped(picture, record))


def test_a_mirrored_picture_has_the_same_ten_views():
    record = cropping((32, 32), (24, 24))
    pixels = np.random.default_rng(3).integers(0, 256, (4, 32, 32, 3), np.uint8)
    straight = {view.tobytes() for view in ten_views(pixels, record)}
    assert len(straight) == 10
    assert {view.tobytes() for view in ten_views(pixels[:, :, ::-1], record)} == straight


@given(st.tuples(*[st.integers(8, 40)] * 2), st.tuples(*[st.integers(1, 9)] * 2))
def test_any_size_gives_ten_whole_windows(seen, free):
    kept = (seen[0] + free[0], seen[1] + free[1])
    for view in ten_views(places(*kept), cropping(kept, seen)):
        rows, columns = view[0, :, 0, 0].astype(int), view[0, 0, :, 1].astype(int)
        assert view.shape == (1, *seen, 3)
        assert set(np.diff(rows)) == {1}
        assert set(np.diff(columns)) in ({1}, {-1})


@pytest.mark.parametrize(("kept", "seen"), [((28, 28), (28, 28)), ((32, 28), (28, 28)), ((24, 28), (28, 24))])
def test_pictures_no_larger_than_the_input_have_none(kept, seen):
    with pytest.raises(UserError, match="have no ten views for an input of 28x2") as caught:
        ten_views(places(*kept), cropping(kept, seen))
    assert f"kept at {kept[0]}x{kept[1]} pixels" in caught.value.what
    assert "--image-size 28 --crop-from 32" in caught.value.remedy
