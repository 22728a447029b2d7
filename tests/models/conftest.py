from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from econet.data.load import load_data

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


@pytest.fixture(scope="session")
def photos() -> Callable[[int], np.ndarray]:
    """Four real photographs at a side of so many pixels, as raw values: float32 [4, 3, side, side]."""

    @cache
    def of(side: int) -> np.ndarray:
        pixels = load_data(str(PHOTOS), image_size=side).test.pixels[:4]
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32)

    return of
