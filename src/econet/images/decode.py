"""Any picture file becomes a uint8 array: the one decoder that training and the shipped model share.

Every oddity has one rule: the format is told by content, not by name; EXIF orientation is applied; 16-bit gray
is scaled to 8; transparency is laid over white; CMYK and palettes become RGB; of an animation the first frame
counts. What cannot be decoded wholly raises DecodeError with a reason fit to print.
"""

import contextlib
import io
import logging
import stat
import threading
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from econet.images.preprocess import Pixels

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
# Below the 89 million pixels at which Pillow itself begins to warn; as RGB this takes 240 MB.
MAX_PIXELS = 80_000_000
# A strip longer than this is no photograph, and scaling its shorter side up would take gigabytes.
MAX_ASPECT = 100
MAX_BYTES = 512_000_000

# Pillow logs some damage besides raising for it; without a handler Python would print that on stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())
# `warnings.catch_warnings` changes the whole process, so that two threads must not be inside at once.
_quiet_lock = threading.Lock()


class DecodeError(Exception):
    """A file that does not become pixels; `reason` says why, without naming the file."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(path: Path, channels: Literal[1, 3]) -> Pixels:
    """The picture in the file `path` as uint8 [H, W, `channels`]. Raises DecodeError."""
    return decode_bytes(read_picture(path), channels)


def read_picture(path: Path) -> bytes:
    """The bytes of a regular file of at most `MAX_BYTES`; anything else is never opened. Raises DecodeError."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DecodeError("not a regular file")
        if status.st_size > MAX_BYTES:
            raise DecodeError(f"{status.st_size:,} bytes are over the limit of {MAX_BYTES:,}")
        return path.read_bytes()
    except OSError as error:
        raise DecodeError(error.strerror or str(error)) from error


def decode_bytes(content: bytes, channels: Literal[1, 3]) -> Pixels:
    """The picture in `content` (a whole file) as uint8 [H, W, `channels`]. Raises DecodeError."""
    if not content:
        raise DecodeError("the file is empty")
    with _pillow_quiet():
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                _check_size(*picture.size)
                picture.load()
                return _pixels(_upright(picture), channels)
        except (DecodeError, MemoryError):
            raise
        except Image.UnidentifiedImageError as error:
            raise DecodeError(f"not one of {', '.join(FORMATS)}") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise DecodeError(f"over the limit of {MAX_PIXELS:,} pixels") from error
        # Pillow's decoders raise whatever the damage led to: OSError, SyntaxError, ValueError, struct.error, ...
        except Exception as error:
            raise DecodeError(f"damaged: {error}") from error


@contextlib.contextmanager
def _pillow_quiet() -> Generator[None]:
    """No line on stderr about odd metadata; the pixel limit alone stays an error."""
    with _quiet_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _check_size(width: int, height: int) -> None:
    """Refuse by the header alone, before memory is taken."""
    if width * height > MAX_PIXELS:
        raise DecodeError(f"{width} x {height} is over the limit of {MAX_PIXELS:,} pixels")
    if max(width, height) > MAX_ASPECT * max(1, min(width, height)):
        raise DecodeError(f"{width} x {height} is a strip, longer than {MAX_ASPECT} times its width")


def _upright(picture: Image.Image) -> Image.Image:
    """Turned as EXIF says; a picture whose EXIF is broken is taken as it lies, as viewers do."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:
        return picture


def _pixels(picture: Image.Image, channels: Literal[1, 3]) -> Pixels:
    """The loaded picture as a fresh uint8 [H, W, C] array."""
    if picture.mode.startswith("I;16"):
        # convert() would clip at 255; 65535 / 257 is 255 exactly.
        wide = np.asarray(picture).astype(np.uint32)
        picture = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    if picture.mode in {"I", "F"}:
        raise DecodeError(f"32-bit pixels (mode {picture.mode}) have no stated range; save it with 8 or 16 bits")
    if picture.has_transparency_data:
        above = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    if channels == 3:
        return np.array(picture.convert("RGB"))
    # By way of RGB, so that palettes, CMYK and colour all follow one luma rule (ITU-R 601).
    gray = picture if picture.mode == "L" else picture.convert("RGB").convert("L")
    return np.array(gray)[:, :, None]
