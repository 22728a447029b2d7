"""The Preprocess record: how a picture becomes the network's input. One definition, three users."""

import math
from typing import Annotated, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
# Pixels a side. A larger one is asked for by a damaged or hostile record alone: a strip of a picture would be scaled up
# to gigabytes.
Side = Annotated[int, msgspec.Meta(ge=1, le=1024)]


class Preprocess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Resize, crop and scale: `x = (pixel - offset) * scale`.

    `image_size` (height, width) and `channels` are those of the network's input. `resize` brings a picture to
    `resize_size`, which is also what the store keeps; `crop` cuts `image_size` out of that.
    `offset` is a whole number of gray levels, so that it can serve as the zero point of an 8-bit input.
    """

    image_size: tuple[Side, Side]
    channels: Literal[1, 3]
    resize: Literal["none", "stretch", "shorter-side"] = "none"
    resize_size: tuple[Side, Side]
    crop: Literal["none", "centre"] = "none"
    offset: Annotated[int, msgspec.Meta(ge=-1024, le=1024)]
    scale: Annotated[float, msgspec.Meta(gt=0)]


def misfit(preprocess: Preprocess) -> str | None:
    """What is wrong with a record that was read, in words; None where it can be carried out."""
    if not math.isfinite(preprocess.scale):
        return f"`scale` {preprocess.scale} is no number to compute with"
    cut = preprocess.crop == "centre"
    pairs = zip(preprocess.image_size, preprocess.resize_size, strict=True)
    if not any(side > kept if cut else side != kept for side, kept in pairs):
        return None
    return (
        f"`image_size` {list(preprocess.image_size)} is not cut out of `resize_size` {list(preprocess.resize_size)} "
        f"by crop {preprocess.crop}"
    )


def resized(image: Pixels, preprocess: Preprocess) -> Pixels:
    """Bring `image` [H, W, C] to `resize_size` by antialiased bilinear interpolation: what the store keeps.

    `shorter-side` scales until the shorter side fits and cuts the centre out of the longer one.
    """
    height, width = preprocess.resize_size
    if image.shape[:2] == (height, width):
        return image
    if preprocess.resize == "none":
        raise ValueError(f"an image of {image.shape[:2]} needs a resize to become {height}x{width}")
    if preprocess.resize == "stretch":
        return _bilinear(image, height, width)
    factor = max(height / image.shape[0], width / image.shape[1])
    tall, wide = (max(height, round(image.shape[0] * factor)), max(width, round(image.shape[1] * factor)))
    return centre(_bilinear(image, tall, wide), height, width)


def cropped(images: Pixels, preprocess: Preprocess) -> Pixels:
    """Cut the network's view out of stored images [..., H, W, C]: the centre, or the whole."""
    return centre(images, *preprocess.image_size) if preprocess.crop == "centre" else images


def centre(images: Pixels, height: int, width: int) -> Pixels:
    """The central `height` x `width` of [..., H, W, C]."""
    top = (images.shape[-3] - height) // 2
    left = (images.shape[-2] - width) // 2
    return images[..., top : top + height, left : left + width, :]


def scaled(images: Pixels, preprocess: Preprocess) -> NDArray[np.float32]:
    """`(pixel - offset) * scale` as float32, the shape unchanged."""
    return (images.astype(np.float32) - np.float32(preprocess.offset)) * np.float32(preprocess.scale)


def _bilinear(image: Pixels, height: int, width: int) -> Pixels:
    gray = image.shape[2] == 1
    picture = Image.fromarray(image[:, :, 0] if gray else image)
    result = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
    return result[:, :, None] if gray else result
