"""Where a map points, in words."""

import numpy as np
import pytest

from econet.explanation.places import grid_of, is_flat, place_of


def bright(rows: slice, columns: slice) -> np.ndarray:
    found = np.random.default_rng(0).random((30, 30)) / 100
    found[rows, columns] += 1
    return found


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        (slice(0, 10), slice(0, 18), "upper left"),
        (slice(8, 22), slice(8, 22), "centre"),
        (slice(21, 30), slice(10, 20), "lower centre"),
        (slice(10, 20), slice(20, 30), "middle right"),
        (slice(0, 6), slice(0, 30), "upper part"),
        (slice(12, 18), slice(0, 30), "across the middle"),
        (slice(0, 30), slice(12, 18), "down the middle"),
        (slice(0, 30, 4), slice(0, 30), "all over the picture"),
    ],
)
def test_the_place_is_named_where_at_least_half_of_the_strongest_fifth_lies(rows, columns, said):
    assert place_of(bright(rows, columns)) == said


def test_the_grid_holds_the_means_of_equal_parts():
    found = np.arange(64.0).reshape(8, 8).repeat(3, 0).repeat(2, 1)
    np.testing.assert_allclose(grid_of(found), np.arange(64.0).reshape(8, 8))


def test_rounding_is_not_looking():
    found = np.full((4, 4), 0.5)
    found[0, 0] += 5e-5
    assert is_flat(found)
    found[0, 0] += 1e-3
    assert not is_flat(found)
