"""Any picture file becomes a uint8 array: the one decoder that training and the shipped model share.

Every oddity has one rule, and `docs/images.md` lists them all: the format is told by content, not by name; limits are
held against the file's header before memory is taken; EXIF orientation is applied; 16 bits are scaled to 8;
transparency is laid over white; CMYK, YCbCr, LAB and palettes become RGB; colour profiles are left alone; of several
pictures in a file the first counts. What cannot be decoded wholly raises DecodeError with a reason fit to print.
"""

import contextlib
import io
import logging
import os
import threading
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageFile

from econet.errors import one_line
from econet.files import read_regular
from econet.images.containers import check_container
from econet.images.limits import MAX_BYTES, MAX_PIXELS, DecodeError, check_size
from econet.images.preprocess import Pixels
from econet.images.tags import check_tags

__all__ = ["FORMATS", "MAX_BYTES", "MAX_PIXELS", "DecodeError", "decode", "decode_bytes", "read_picture"]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
# Pixels converted at a time: whole copies of a large picture, one for each step, would need gigabytes.
_STRIP = 1 << 20
_ORIENTATION, _PHOTOMETRIC = 274, 262
# What a PNG of 2 or 4 bits multiplies its gray levels by; its transparent level is stored before that.
_GRAY_FACTOR = {2: 85, 4: 17}

# Pillow logs some damage besides raising for it; without a handler Python would print that on stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())
# What `_pillow_strict` sets belongs to the whole process, so that two threads must not be inside at once.
_strict_lock = threading.Lock()


def decode(path: Path, channels: Literal[1, 3]) -> Pixels:
    """The picture in the file `path` as uint8 [H, W, `channels`]. Raises DecodeError."""
    return decode_bytes(read_picture(path), channels)


def read_picture(path: Path) -> bytes:
    """The bytes of a regular file of at most `MAX_BYTES`; anything else is never opened. Raises DecodeError."""
    try:
        return read_regular(path, MAX_BYTES)
    except OSError as error:
        raise DecodeError(error.strerror or str(error)) from error


def decode_bytes(content: bytes, channels: Literal[1, 3]) -> Pixels:
    """The picture in `content` (a whole file) as uint8 [H, W, `channels`]. Raises DecodeError."""
    if not content:
        raise DecodeError("the file is empty")
    known = check_container(content)
    with _pillow_strict():
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                check_size(*picture.size)
                with _libtiff_silent(picture):
                    picture.load()
                check_size(*picture.size)
                _correct_colour_key(picture, content)
                orientation, pixels = _orientation(picture), _pixels(picture, channels)
        except (DecodeError, MemoryError):
            raise
        except Image.UnidentifiedImageError as error:
            why = "damaged: its header cannot be read" if known else f"not one of {', '.join(FORMATS)}"
            raise DecodeError(why) from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise DecodeError(f"over the limit of {MAX_PIXELS:,} pixels") from error
        # Pillow's decoders raise whatever the damage led to: OSError, SyntaxError, ValueError, struct.error, ...
        except Exception as error:
            raise DecodeError(f"damaged: {_said(error)}") from error
    return _turned(pixels, orientation)


@contextlib.contextmanager
def _pillow_strict() -> Generator[None]:
    """No line on stderr about odd metadata; too many pixels and a cut file are errors, whatever the process set."""
    with _strict_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = lenient


@contextlib.contextmanager
def _libtiff_silent(picture: Image.Image) -> Generator[None]:
    """While a TIFF is loaded, standard error leads nowhere: libtiff writes there itself, and Pillow raises besides."""
    try:
        kept = os.dup(2) if picture.format == "TIFF" else None
    except OSError:  # there is no standard error
        kept = None
    if kept is None:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _said(error: Exception) -> str:
    """What an exception says, in one line that can be printed."""
    said = one_line(error)
    # A KeyError says no more than its key.
    return said if len(said.split()) > 1 else f"{type(error).__name__} {said}"


def _correct_colour_key(picture: Image.Image, content: bytes) -> None:
    """Bring a PNG's transparent colour to the scale of its pixels; Pillow leaves it at the file's own depth."""
    key = picture.info.get("transparency")
    if picture.format != "PNG" or len(content) < 25:
        return
    depth = content[24]
    if picture.mode == "L" and isinstance(key, int):
        picture.info["transparency"] = key * _GRAY_FACTOR.get(depth, 1)
    elif picture.mode == "RGB" and isinstance(key, tuple) and depth == 16:
        picture.info["transparency"] = tuple(level >> 8 for level in key)


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; of a picture whose EXIF is broken 1, as viewers do. Raises DecodeError.

    TIFF files were turned while they were loaded, which leaves no orientation behind.
    """
    try:
        if "exif" in picture.info:
            check_tags(bytes(picture.info["exif"]).removeprefix(b"Exif\0\0"))
        else:
            picture.info.pop("Raw profile type exif", None)  # as text, unmeasured; the standard has a chunk for it
        found = picture.getexif().get(_ORIENTATION, 1)
    except DecodeError:
        raise
    except Exception:
        return 1
    return found if found in range(1, 9) else 1


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    """`pixels` [H, W, C] brought upright: 2 to 4 mirror, 5 to 8 swap the axes too. Source: EXIF 2.32, section 4.6.4."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _pixels(picture: Image.Image, channels: Literal[1, 3]) -> Pixels:
    """The loaded picture as a fresh uint8 [H, W, C] array."""
    if picture.mode in {"I", "F"}:
        raise DecodeError(f"32-bit or signed pixels (mode {picture.mode}) have no stated range; save it with 8 bits")
    width, height = picture.size
    found = np.empty((height, width, channels), np.uint8)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        found[top : top + rows] = _strip_pixels(_eight_bits(strip, _is_white_zero(picture)), channels)
    return found


def _is_white_zero(picture: Image.Image) -> bool:
    """Whether 0 means white in a TIFF, which Pillow heeds for 1 to 8 bits alone."""
    tags: Any = getattr(picture, "tag_v2", {})
    return tags.get(_PHOTOMETRIC) == 0


def _eight_bits(picture: Image.Image, white_zero: bool) -> Image.Image:
    """16-bit gray as 8-bit: convert() would clip at 255; 65535 / 257 is 255 exactly. Others as they are."""
    if not picture.mode.startswith("I;16"):
        return picture
    wide = np.asarray(picture).astype(np.uint32)
    levels = ((65535 - wide if white_zero else wide) + 128) // 257
    key = picture.info.get("transparency")
    if isinstance(key, int):
        levels[wide == key] = 255
    return Image.fromarray(levels.astype(np.uint8))


def _strip_pixels(picture: Image.Image, channels: Literal[1, 3]) -> Pixels:
    if picture.has_transparency_data:
        above = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    if picture.mode != "RGB" and (channels == 3 or picture.mode != "L"):
        picture = picture.convert("RGB")
    if channels == 3:
        return np.asarray(picture)
    # By way of RGB, so that palettes, CMYK and colour all follow one luma rule (ITU-R 601).
    return np.asarray(picture.convert("L"))[:, :, None]
