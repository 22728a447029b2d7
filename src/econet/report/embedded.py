"""Pictures inside a page: reduced where they are large, as PNG in the page's own text."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from econet.images.preprocess import Pixels

LONGEST_SIDE = 112
CRISP_BELOW = 64


@dataclass(frozen=True, slots=True)
class Embedded:
    """A picture as the `src` of an image, and its size in pixels."""

    source: str
    width: int
    height: int

    @property
    def crisp(self) -> bool:
        """Whether it is small enough to be shown in whole pixels."""
        return max(self.width, self.height) < CRISP_BELOW


def embedded(pixels: Pixels) -> Embedded:
    """The picture uint8 [H, W, C] as it is, losslessly."""
    source = f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"
    return Embedded(source, width=int(pixels.shape[1]), height=int(pixels.shape[0]))


def png(pixels: Pixels) -> bytes:
    """The picture uint8 [H, W, C] as a PNG file."""
    stream = io.BytesIO()
    _image(pixels).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def reduced(pixels: Pixels) -> Pixels:
    """The picture uint8 [H, W, C], its longer side at most 112 pixels."""
    height, width, channels = pixels.shape
    longest = max(height, width)
    if longest <= LONGEST_SIDE:
        return pixels
    size = (max(1, width * LONGEST_SIDE // longest), max(1, height * LONGEST_SIDE // longest))
    small = np.asarray(_image(pixels).resize(size, Image.Resampling.BILINEAR))
    return small.reshape(size[1], size[0], channels)


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
