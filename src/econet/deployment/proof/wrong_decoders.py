"""Decoders as they are met in apps, each wrong in one thing: what a proof's photos would become in them."""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageChops, ImageOps

from econet.images.preprocess import Pixels

Decode = Callable[[bytes, Literal[1, 3]], Pixels]

# Shares of red, green and blue in gray. 601 is this project's rule.
_BT_601 = (0.299, 0.587, 0.114)
_BT_709 = (0.2126, 0.7152, 0.0722)
_GREEN = (0.0, 1.0, 0.0)
_MEAN = (1 / 3, 1 / 3, 1 / 3)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a decoder does with the oddities of pictures; as it stands, what EcoNet does."""

    upright: bool = True
    below: tuple[int, int, int] | None = (255, 255, 255)
    clips_16_bit: bool = False
    gray: tuple[float, float, float] = _BT_601
    blue_first: bool = False
    inverts_cmyk: bool = False
    last_frame: bool = False

    def decode(self, content: bytes, channels: Literal[1, 3]) -> Pixels:
        """The picture in `content` as uint8 [H, W, C] by these rules."""
        with warnings.catch_warnings(), Image.open(io.BytesIO(content)) as picture:
            warnings.simplefilter("ignore")
            if self.last_frame:
                picture.seek(getattr(picture, "n_frames", 1) - 1)
            picture.load()
            colours = np.asarray(self._opaque(ImageOps.exif_transpose(picture) if self.upright else picture))
        if self.blue_first:
            colours = colours[:, :, ::-1]
        if channels == 3:
            return colours
        gray = colours.astype(np.float64) @ np.array(self.gray)
        return np.rint(gray).clip(0, 255).astype(np.uint8)[:, :, None]

    def _opaque(self, picture: Image.Image) -> Image.Image:
        """The loaded picture in RGB."""
        if picture.mode.startswith("I;16"):
            wide = np.asarray(picture).astype(np.uint32)
            levels = np.minimum(wide, 255) if self.clips_16_bit else (wide + 128) // 257
            picture = Image.fromarray(levels.astype(np.uint8))
        if picture.mode == "CMYK" and self.inverts_cmyk:
            picture = ImageChops.invert(picture)
        if not picture.has_transparency_data:
            return picture.convert("RGB")
        if self.below is None:
            return picture.convert("RGBA").convert("RGB")
        above = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", above.size, (*self.below, 255)), above).convert("RGB")


@dataclass(frozen=True, slots=True)
class WrongDecoder:
    """A decoder, a word for what is wrong with it, the sentence that says so, and what to do."""

    cause: str
    what: str
    remedy: str
    decode: Decode


def _wrong(cause: str, what: str, remedy: str, rules: Rules) -> WrongDecoder:
    return WrongDecoder(cause, what, remedy, rules.decode)


_WHITE = "lay transparent pictures over white before the alpha channel is dropped"
_LUMA = "gray = 0.299 red + 0.587 green + 0.114 blue"

WRONG_DECODERS = (
    _wrong(
        "orientation",
        "the decoder leaves photos lying as they were taken: it does not apply their EXIF orientation",
        "turn each picture as its EXIF orientation says (Pillow: ImageOps.exif_transpose)",
        Rules(upright=False),
    ),
    _wrong(
        "channel order",
        "the decoder gives blue first and red last",
        "give the channels as red, green, blue (OpenCV: cv2.COLOR_BGR2RGB)",
        Rules(blue_first=True),
    ),
    _wrong("alpha", "the decoder lays transparent pictures over black", _WHITE, Rules(below=(0, 0, 0))),
    _wrong("alpha", "the decoder lays transparent pictures over gray", _WHITE, Rules(below=(128, 128, 128))),
    _wrong("alpha", "the decoder drops the alpha channel and shows what was hidden", _WHITE, Rules(below=None)),
    _wrong(
        "16 bits",
        "the decoder clips 16-bit pictures at 255 where it should scale them",
        "divide 16-bit values by 257 (65535 becomes 255)",
        Rules(clips_16_bit=True),
    ),
    _wrong("gray", "the decoder weighs colours by ITU-R 709 to get gray", _LUMA, Rules(gray=_BT_709)),
    _wrong("gray", "the decoder takes the mean of the colours as gray", _LUMA, Rules(gray=_MEAN)),
    _wrong("gray", "the decoder takes green alone as gray", _LUMA, Rules(gray=_GREEN)),
    _wrong(
        "cmyk",
        "the decoder takes CMYK pictures for inverted",
        "convert CMYK as their files say it is meant",
        Rules(inverts_cmyk=True),
    ),
    _wrong(
        "animation",
        "the decoder takes another frame of an animation than the first",
        "take the first frame",
        Rules(last_frame=True),
    ),
)
