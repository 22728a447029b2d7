"""A map at another size."""

import numpy as np
from PIL import Image

from econet.explanation.question import Map


def enlarged(found: Map, height: int, width: int) -> Map:
    """The map brought to `height` x `width` by bilinear interpolation."""
    image = Image.fromarray(found.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR)).astype(np.float64)
