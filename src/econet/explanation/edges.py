"""Edges of a picture: the map that every test of an explanation must see through, because it never asks the network."""

import numpy as np

from econet.explanation.question import Map
from econet.images.preprocess import Pixels


def edge_map(picture: Pixels) -> Map:
    """The steepness of brightness at every pixel of uint8 [h, w, C]: [h, w], by differences of the neighbours.

    Source: Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 5.2, which warns of maps that look like it.
    """
    down, right = np.gradient(picture.astype(np.float64).mean(-1))
    return np.hypot(down, right)
