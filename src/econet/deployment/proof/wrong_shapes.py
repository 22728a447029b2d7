"""Resizes, crops and inputs as they are met in apps, each wrong in one thing."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
from PIL import Image

from econet.images.preprocess import Pixels, Preprocess, centre, cropped, resized

Shape = Callable[[Pixels, Preprocess], Pixels]
Change = Callable[[Pixels], Pixels]


@dataclass(frozen=True, slots=True)
class WrongShape:
    """A way to resize or to crop, a word for what is wrong with it, the sentence that says so, and what to do."""

    cause: str
    what: str
    remedy: str
    shape: Shape


def wrong_resizes(preprocess: Preprocess) -> list[WrongShape]:
    """Other ways to bring a picture [H, W, C] to the store's size; none where the network resizes none."""
    if preprocess.resize == "none":
        return []
    right = "resize by antialiased bilinear interpolation (Pillow: Image.Resampling.BILINEAR)"
    found = [
        WrongShape("resize", f"pictures are resized by {name}, not by antialiased bilinear interpolation", right, shape)
        for name, shape in _KERNELS.items()
    ]
    stretches = preprocess.resize == "stretch"
    kept = "stretched to the input's size" if stretches else "scaled until the shorter side fits, then cut"
    other = msgspec.structs.replace(preprocess, resize="shorter-side" if stretches else "stretch")
    made = "scaled until the shorter side fits, then cut" if stretches else "stretched to the input's size"
    remedy = f"each picture is to be {kept}"
    return [
        *found,
        WrongShape(
            "resize",
            f"pictures are {made}; in training they were {kept}",
            remedy,
            lambda image, _: resized(image, other),
        ),
        WrongShape("resize", f"pictures get black bars; in training they were {kept}", remedy, _letterboxed),
    ]


def wrong_crops(preprocess: Preprocess) -> list[WrongShape]:
    """Other ways to cut the input out of stored images [..., H, W, C]; none where the network crops none."""
    if preprocess.crop == "none":
        return []
    right = "the top is (height - input height) // 2, the left likewise"
    found = [
        WrongShape("crop", f"the crop lies {_words(down, across)} of the centre", right, _shifted(down, across))
        for down in (-1, 0, 1)
        for across in (-1, 0, 1)
        if (down, across) != (0, 0)
    ]
    return [
        *found,
        WrongShape("crop", "the crop is taken from the upper left corner, not from the centre", right, _corner),
        WrongShape("crop", "the whole picture is squeezed into the input; it is to be cropped", right, _squeezed),
    ]


def wrong_inputs(preprocess: Preprocess) -> list[WrongShape]:
    """Other things that may become of inputs [N, h, w, C] on their way into the network."""
    offset, scale = preprocess.offset, preprocess.scale
    twice = "give the network gray levels 0..255: it scales them itself"

    def scaled_twice(inputs: Pixels) -> Pixels:
        return np.rint((inputs.astype(np.float64) - offset) * scale).clip(0, 255).astype(np.uint8)

    changes: list[tuple[str, str, str, Change]] = [
        ("channel order", "blue and red have changed places", "give red, green, blue", lambda x: x[..., ::-1]),
        ("mirrored", "pictures are mirrored", "give them as they are", lambda x: x[:, :, ::-1]),
        ("upside down", "pictures stand on their heads", "the first row is the upper one", lambda x: x[:, ::-1]),
        ("inverted", "light and dark are exchanged", "0 is black and 255 is white", lambda x: 255 - x),
        ("normalisation", "pixels are scaled before the network, which scales them itself: twice", twice, scaled_twice),
        ("normalisation", "pixels are divided by 255 before the network scales them", twice, lambda x: x // 255),
        ("layout", "interleaved colours are read as planes", "turn [H, W, C] into [C, H, W] for an ONNX file", _reread),
    ]
    if preprocess.image_size[0] == preprocess.image_size[1]:
        changes.append(("transposed", "rows and columns are exchanged", "rows come first", lambda x: x.swapaxes(1, 2)))
    if preprocess.channels == 1:
        changes = [each for each in changes if each[0] not in ("channel order", "layout")]
    return [WrongShape(cause, what, remedy, _after_crop(change)) for cause, what, remedy, change in changes]


def _after_crop(change: Change) -> Shape:
    return lambda images, preprocess: np.ascontiguousarray(change(cropped(images, preprocess)))


def _reread(inputs: Pixels) -> Pixels:
    """[N, h, w, C] as it looks where its bytes are taken for [N, C, h, w]."""
    count, height, width, channels = inputs.shape
    return np.ascontiguousarray(inputs).reshape(count, channels, height, width).transpose(0, 2, 3, 1)


def _shifted(down: int, across: int) -> Shape:
    def shape(images: Pixels, preprocess: Preprocess) -> Pixels:
        height, width = preprocess.image_size
        top = min(max((images.shape[-3] - height) // 2 + down, 0), images.shape[-3] - height)
        left = min(max((images.shape[-2] - width) // 2 + across, 0), images.shape[-2] - width)
        return images[..., top : top + height, left : left + width, :]

    return shape


def _words(down: int, across: int) -> str:
    parts = [
        f"a pixel {word}"
        for word, there in (("above", down < 0), ("below", down > 0), ("left", across < 0), ("right", across > 0))
        if there
    ]
    return " and ".join(parts)


def _corner(images: Pixels, preprocess: Preprocess) -> Pixels:
    height, width = preprocess.image_size
    return images[..., :height, :width, :]


def _squeezed(images: Pixels, preprocess: Preprocess) -> Pixels:
    height, width = preprocess.image_size
    return np.stack([_filtered(Image.Resampling.BILINEAR)(each, height, width) for each in images])


Kernel = Callable[[Pixels, int, int], Pixels]


def _filtered(kernel: Image.Resampling) -> Kernel:
    def resize(image: Pixels, height: int, width: int) -> Pixels:
        gray = image.shape[2] == 1
        picture = Image.fromarray(image[:, :, 0] if gray else image)
        result = np.asarray(picture.resize((width, height), kernel))
        return result[:, :, None] if gray else result

    return resize


def _sampled(image: Pixels, height: int, width: int, *, corners: bool = False) -> Pixels:
    """Bilinear from the four nearest pixels alone, as of OpenCV, TensorFlow and torch without antialias.

    With `corners` the outermost pixel centres of both pictures fall together (align_corners).
    """
    result = image.astype(np.float64)
    for axis, side in ((0, height), (1, width)):
        have = image.shape[axis]
        steps = np.arange(side)
        place = steps * ((have - 1) / max(side - 1, 1)) if corners else (steps + 0.5) * have / side - 0.5
        place = place.clip(0, have - 1)
        low = np.floor(place).astype(int)
        share = (place - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        high = np.minimum(low + 1, have - 1)
        result = result.take(low, axis) * (1 - share) + result.take(high, axis) * share
    return np.rint(result).astype(np.uint8)


def _as_recorded(kernel: Kernel) -> Shape:
    """`kernel` in the geometry of the record: stretched, or the shorter side fitted and the longer one cut."""

    def shape(image: Pixels, preprocess: Preprocess) -> Pixels:
        height, width = preprocess.resize_size
        if preprocess.resize == "stretch":
            return kernel(image, height, width)
        factor = max(height / image.shape[0], width / image.shape[1])
        tall, wide = max(height, round(image.shape[0] * factor)), max(width, round(image.shape[1] * factor))
        return centre(kernel(image, tall, wide), height, width)

    return shape


def _letterboxed(image: Pixels, preprocess: Preprocess) -> Pixels:
    height, width = preprocess.resize_size
    factor = min(height / image.shape[0], width / image.shape[1])
    tall, wide = (max(1, round(side * factor)) for side in image.shape[:2])
    result = np.zeros((height, width, image.shape[2]), np.uint8)
    top, left = (height - tall) // 2, (width - wide) // 2
    result[top : top + tall, left : left + wide] = _filtered(Image.Resampling.BILINEAR)(image, tall, wide)
    return result


_KERNELS = {
    "the nearest pixel": _as_recorded(_filtered(Image.Resampling.NEAREST)),
    "bilinear interpolation without antialiasing": _as_recorded(_sampled),
    "bilinear interpolation from corner to corner": _as_recorded(
        lambda image, height, width: _sampled(image, height, width, corners=True)
    ),
    "the mean over areas": _as_recorded(_filtered(Image.Resampling.BOX)),
    "bicubic interpolation": _as_recorded(_filtered(Image.Resampling.BICUBIC)),
    "Lanczos interpolation": _as_recorded(_filtered(Image.Resampling.LANCZOS)),
}
