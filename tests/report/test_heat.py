"""A map's colours grow lighter with every step, for every reader, and colour nothing where it says nothing."""

import numpy as np
import pytest

from econet.report.heat import coloured, legend, overlay


def test_lightness_grows_evenly_so_that_gray_print_and_colour_blind_readers_see_it():
    luma = legend()[0].astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(luma) > -0.6).all()
    halves = luma[64] - luma[0], luma[-1] - luma[64]
    assert min(halves) > 60
    # What red-green blindness leaves of a colour is blue against yellow, and its lightness: both grow.
    yellow = legend()[0].astype(float) @ [0.5, 0.5, -1.0]
    assert yellow[-1] - yellow[0] > 150


def test_the_strongest_place_is_the_brightest_and_what_speaks_against_is_dark():
    picture = np.full((4, 4, 3), 100, np.uint8)
    found = np.zeros((4, 4))
    found[0, 0], found[3, 3] = 2.0, -5.0
    laid = overlay(picture, found).astype(float) @ [0.299, 0.587, 0.114]
    assert laid.argmax() == 0
    assert laid[3, 3] == laid[1, 1]
    np.testing.assert_array_equal(overlay(picture, found)[0, 0], np.rint(0.4 * 100 + 0.6 * np.array([254, 232, 56])))


@pytest.mark.parametrize("found", [np.zeros((3, 3)), np.full((3, 3), 7.0), -np.arange(9.0).reshape(3, 3)])
def test_a_map_that_says_nothing_colours_nothing(found):
    picture = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    laid = overlay(picture, found)
    assert (laid[..., 0] == laid[..., 2]).all()


def test_gray_pictures_are_laid_under_too_and_levels_beyond_are_cut():
    assert overlay(np.full((2, 2, 1), 50, np.uint8), np.eye(2)).shape == (2, 2, 3)
    np.testing.assert_array_equal(coloured(np.array([[-1.0, 2.0]]))[0], [(0, 34, 78), (254, 232, 56)])
