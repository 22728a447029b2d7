"""The sizes that photo files state in their headers, and which of them are odd; no picture is decoded."""

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from econet.images.decode import FORMATS

# From here a picture is squeezed, or loses more than half of itself, on its way to a square.
MOST_ASPECT = 2.5

Size = tuple[int, int]


def picture_sizes(files: Iterable[Path]) -> list[Size | None]:
    """(width, height) of each file in pixels as its header has it; None where it cannot be told."""
    return [_size(file) for file in files]


def oddity(size: Size, side: int) -> str | None:
    """Why a picture of this size makes a poor input of `side` x `side` pixels; None where it makes a fair one."""
    width, height = size
    if min(size) < side:
        return f"{width} x {height} is smaller than the {side} x {side} it is enlarged to"
    if max(size) > MOST_ASPECT * min(size):
        return f"{width} x {height} is a strip, {max(size) / min(size):.1f} times as long as wide"
    return None


def spread(sizes: Iterable[Size]) -> tuple[Size, Size, Size]:
    """The smallest, the median and the largest by area. Raises ValueError where there is none."""
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    if not ordered:
        raise ValueError("no sizes to order")
    return ordered[0], ordered[int(np.ceil(len(ordered) / 2)) - 1], ordered[-1]


def _size(file: Path) -> Size | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as picture:
                return picture.size
    # Pillow raises whatever the damage led to, and what cannot be read was set aside before.
    except Exception:
        return None
