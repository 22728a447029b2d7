"""Filters whose colour is known by hand."""

import numpy as np
import pytest

from econet.claims.colourfulness import colourfulness


def filters(*channels: tuple[float, float, float]) -> np.ndarray:
    """One filter each, every pixel of it reading the channels so: [F, 3, 5, 5]."""
    pattern = np.random.default_rng(0).normal(size=(5, 5))
    return np.stack([np.stack([weight * pattern for weight in each]) for each in channels]).astype(np.float32)


def test_gray_is_nothing_opposites_are_all_and_one_channel_is_two_thirds():
    made = filters((1, 1, 1), (-2, -2, -2), (1, -1, 0), (1, 1, -2), (0, 5, 0), (1, 1, 0), (0, 0, 0))
    # 1 - (r + g + b)^2 / (3 (r^2 + g^2 + b^2)): of red and green alone 1 - 4 / 6.
    assert colourfulness(made) == pytest.approx([0, 0, 1, 1, 2 / 3, 1 / 3, 0], abs=1e-6)


def test_a_pixel_of_colour_counts_by_its_share():
    made = np.zeros((1, 3, 2, 2), np.float32)
    made[0, :, 0, 0] = 3  # gray, 27 of the squares
    made[0, 0, 1, 1], made[0, 1, 1, 1] = 3, -3  # colour, 18 of them
    assert colourfulness(made) == pytest.approx([18 / 45])
