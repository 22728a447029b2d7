"""The photos of a proof: small pictures, encoded in the ways that decoders get wrong.

They are made of pictures of clothes that come with EcoNet, never of a person's own: a proof travels with its file.
"""

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from PIL import Image

from econet.images.preprocess import Pixels, Preprocess

_BUNDLED = "t10k-images-idx3-ubyte.gz"
_HEADER, _SIDE, _PICTURES = 16, 28, 24
# Photos of a network that resizes are about this large, so that a proof stays small; one is larger than the input.
_MOST_SIDE = 56
_ORIENTATION = 0x0112
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Photo:
    """One encoded picture. `exact`: every right decoder gives the very same pixels, as of formats without loss."""

    name: str
    content: bytes
    exact: bool


def proof_photos(preprocess: Preprocess) -> tuple[Photo, ...]:
    """The photos for a network with this `preprocess`, the most telling first; of its own size where it resizes none.

    Colour, gray, turned by EXIF, CMYK, 16 bits, transparent, palette, 1 bit, animated, subsampled; where the network
    resizes also one much larger than its input and one smaller.
    """
    clothes = _clothes()
    made = [_made(name, make, clothes, number, preprocess) for number, (name, make) in enumerate(_KINDS.items())]
    if preprocess.resize == "none":
        return tuple(made)
    return (made[0], _large(clothes, preprocess), _tiny(clothes, preprocess), *made[1:])


def _clothes() -> Pixels:
    """Real pictures, uint8 [24, 28, 28], of the bundled Fashion-MNIST test images."""
    packed = (resources.files("econet.data") / "fashion_mnist" / _BUNDLED).read_bytes()
    with gzip.open(io.BytesIO(packed)) as stream:
        content = stream.read(_HEADER + _PICTURES * _SIDE * _SIDE)
    return np.frombuffer(content, np.uint8, offset=_HEADER).reshape(_PICTURES, _SIDE, _SIDE)


def _made(
    name: str, make: "Callable[[Image.Image, Image.Image], bytes]", clothes: Pixels, number: int, preprocess: Preprocess
) -> Photo:
    size = _size(number, preprocess)
    if name == "oriented.jpg":
        size = (size[1], size[0])
    first, second = (_enlarged(_coloured(clothes, number + step), size) for step in (0, 5))
    return Photo(name, make(first, second), exact=not name.endswith(".jpg"))


def _size(number: int, preprocess: Preprocess) -> Size:
    """Height and width of photo `number`: the network's, or taller and wider ones in turn."""
    height, width = preprocess.resize_size
    if preprocess.resize == "none":
        return height, width
    side = min(height, width, _MOST_SIDE)
    return (side * 5 // 4, side) if number % 2 else (side, side * 4 // 3)


def _coloured(clothes: Pixels, number: int) -> Image.Image:
    """Three pieces of clothing as red, green and blue; green is inverted, so that the background has a colour."""
    red, green, blue = (clothes[(3 * number + step) % len(clothes)] for step in range(3))
    return Image.fromarray(np.stack([red, 255 - green, blue], axis=2))


def _enlarged(picture: Image.Image, size: Size) -> Image.Image:
    return picture.resize((size[1], size[0]), Image.Resampling.BICUBIC)


def _large(clothes: Pixels, preprocess: Preprocess) -> Photo:
    """A picture of over twice the input's size in squares and fine stripes, on which every resize differs."""
    height, width = (round(factor * side) for factor, side in zip((2.3, 2.7), preprocess.resize_size, strict=True))
    picture = np.array(_coloured(clothes, 3).resize((width, height), Image.Resampling.NEAREST))
    picture[height // 2 :, ::3] = 255 - picture[height // 2 :, ::3]
    return Photo("large.png", _png(Image.fromarray(picture)), exact=True)


def _tiny(clothes: Pixels, preprocess: Preprocess) -> Photo:
    """A picture smaller than the input, which has to be enlarged."""
    height, width = (max(2, side // 2) for side in preprocess.resize_size)
    picture = _enlarged(_coloured(clothes, 4), (min(height, _MOST_SIDE), min(width, _MOST_SIDE) * 3 // 4 + 1))
    return Photo("tiny.png", _png(picture), exact=True)


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _png(picture: Image.Image) -> bytes:
    return _saved(picture, "PNG", optimize=True)


def _oriented(picture: Image.Image, _: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    return _saved(picture, "JPEG", quality=92, subsampling=0, exif=exif)


def _alpha(picture: Image.Image, _: Image.Image) -> bytes:
    """Transparent on the left, opaque on the right."""
    row = np.linspace(0, 255, picture.width).round().astype(np.uint8)
    picture.putalpha(Image.fromarray(np.tile(row, (picture.height, 1))))
    return _png(picture)


def _sixteen_bit(picture: Image.Image, _: Image.Image) -> bytes:
    return _png(Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257))


def _palette(picture: Image.Image, _: Image.Image) -> bytes:
    """48 colours, one of them transparent."""
    return _saved(picture.quantize(48), "PNG", optimize=True, transparency=0)


def _animated(picture: Image.Image, second: Image.Image) -> bytes:
    frames = [frame.quantize(48) for frame in (picture, second)]
    return _saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)


_KINDS: dict[str, Callable[[Image.Image, Image.Image], bytes]] = {
    "colour.png": lambda picture, _: _png(picture),
    "oriented.jpg": _oriented,
    "alpha.png": _alpha,
    "sixteen-bit.png": _sixteen_bit,
    "cmyk.jpg": lambda picture, _: _saved(picture.convert("CMYK"), "JPEG", quality=92),
    "gray.png": lambda picture, _: _png(picture.convert("L")),
    "palette.png": _palette,
    "one-bit.png": lambda picture, _: _png(picture.convert("1", dither=Image.Dither.NONE)),
    "animated.gif": _animated,
    "subsampled.jpg": lambda picture, _: _saved(picture, "JPEG", quality=85, subsampling=2, progressive=True),
    "lossless.webp": lambda picture, _: _saved(picture, "WEBP", lossless=True),
    "second-colour.png": lambda picture, _: _png(picture),
}
