"""The outer form of a picture file, walked before Pillow sees it: what would cost it memory or time is refused.

Nothing is decoded here. A form that is merely broken is left to Pillow, which says what is wrong with it.
"""

import re
import struct
import zlib
from collections.abc import Callable

from econet.images.limits import (
    MAX_PNG_CHUNKS,
    MAX_RLE_BYTES,
    MAX_SCANNED_PIXELS,
    MAX_SCANS,
    MAX_SEGMENTS,
    MAX_WEBP_PIXELS,
    DecodeError,
    check_size,
)
from econet.images.tags import check_tags, check_tiff

_PNG = b"\x89PNG\r\n\x1a\n"
# In coded JPEG data 0xFF is followed by 0 or is a restart (D0 to D7); anything else begins the next segment.
_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
# Baseline, extended and progressive with Huffman codes; the others are lossless, hierarchical or arithmetic.
_USUAL_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_GIF_EXTENSION, _GIF_PICTURE = 0x21, 0x2C


def check_container(content: bytes) -> bool:
    """Whether a file begins as one of the formats does; one that is too large, of too many parts, or whose checksums do
    not hold is refused. Raises DecodeError.
    """
    kind = next((kind for kind, begins in _BEGINNINGS.items() if begins.match(content)), None)
    if kind is not None:
        _CHECKS[kind](content)
    return kind is not None


def _check_png(content: bytes) -> None:
    """Every chunk whole and with its checksum, up to the last."""
    view = memoryview(content)
    place = len(_PNG)
    for _ in range(MAX_PNG_CHUNKS):
        if place + 12 > len(content):
            raise DecodeError("damaged: the PNG is cut off")
        length = int.from_bytes(view[place : place + 4])
        kind, end = content[place + 4 : place + 8], place + 8 + length
        if end + 4 > len(content):
            raise DecodeError("damaged: the PNG is cut off")
        if kind == b"IHDR" and length >= 8:
            check_size(*struct.unpack_from(">II", content, place + 8))
        if zlib.crc32(view[place + 4 : end]) != int.from_bytes(view[end : end + 4]):
            name = kind.decode() if kind.isalpha() else kind.hex()
            raise DecodeError(f"damaged: the PNG's chunk {name} fails its checksum")
        if kind == b"eXIf":
            check_tags(content[place + 8 : end])
        if kind == b"IEND":
            return
        place = end + 4
    raise DecodeError(f"a PNG of more than {MAX_PNG_CHUNKS:,} chunks")


def _check_jpeg(content: bytes) -> None:
    """Segments up to the first picture's end: their number, its kind and size, its scans, its EXIF."""
    place, scans, pixels = 2, 0, 0
    exif = b""
    for _ in range(MAX_SEGMENTS):
        if place + 4 > len(content) or content[place] != 0xFF:
            return
        marker = content[place + 1]
        if marker == _END_OF_IMAGE:
            return
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD8:
            place += 1 if marker == 0xFF else 2
            continue
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4])
        if marker in _FRAMES:
            pixels = _check_frame(content[place : place + 10], marker)
        elif marker == 0xE1 and content[place + 4 : place + 10] == b"Exif\0\0":
            exif += content[place + 10 : end]
            check_tags(exif)
        elif marker == 0xE2 and content[place + 4 : place + 8] == b"MPF\0":
            check_tags(content[place + 8 : end])
        elif marker == _START_OF_SCAN:
            scans += 1
            if scans > MAX_SCANS or scans * pixels > MAX_SCANNED_PIXELS:
                raise DecodeError(f"a progressive JPEG of {scans} scans or more over {pixels:,} pixels")
            following = _NEXT_MARKER.search(content, end)
            if following is None:
                return
            end = following.start()
        place = end
    raise DecodeError(f"a JPEG of more than {MAX_SEGMENTS:,} segments")


def _check_frame(header: bytes, marker: int) -> int:
    """Pixels of the picture that a start-of-frame segment announces."""
    if marker not in _USUAL_FRAMES:
        raise DecodeError(f"a JPEG of the unusual kind SOF{marker - 0xC0}; save it as a baseline JPEG")
    if len(header) < 9:
        return 0
    if header[4] != 8:
        raise DecodeError(f"a JPEG of {header[4]} bits; save it with 8")
    height, width = struct.unpack_from(">HH", header, 5)
    check_size(width, height)
    return width * height


def _check_gif(content: bytes) -> None:
    """The canvas, and what stands before the first picture."""
    if len(content) < 13:
        return
    canvas = struct.unpack_from("<HH", content, 6)
    check_size(*canvas)
    flags = content[10]
    place = 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
    inside = False
    for _ in range(MAX_SEGMENTS):
        if place + 10 > len(content):
            return
        if inside:  # an extension: blocks behind their lengths, ended by an empty one
            inside = content[place] != 0
            place += 1 + content[place]
        elif content[place] == _GIF_PICTURE:
            left, top, width, height = struct.unpack_from("<HHHH", content, place + 1)
            check_size(max(canvas[0], left + width), max(canvas[1], top + height))
            return
        else:
            inside = content[place] == _GIF_EXTENSION
            place += 2 if inside else 1
    raise DecodeError(f"a GIF of more than {MAX_SEGMENTS:,} blocks before its first picture")


def _check_webp(content: bytes) -> None:
    """The canvas: the decoder takes memory for it as soon as it is opened."""
    kind = content[12:16]
    if len(content) < 30:
        return
    if kind == b"VP8X":
        width = 1 + int.from_bytes(content[24:27], "little")
        height = 1 + int.from_bytes(content[27:30], "little")
    elif kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (each & 0x3FFF for each in struct.unpack_from("<HH", content, 26))
    check_size(width, height, MAX_WEBP_PIXELS)


def _check_bmp(content: bytes) -> None:
    if len(content) < 34 or int.from_bytes(content[14:18], "little") < 40:
        return
    width, height = struct.unpack_from("<ii", content, 18)
    check_size(abs(width), abs(height))
    if int.from_bytes(content[30:34], "little") in (1, 2) and len(content) > MAX_RLE_BYTES:
        raise DecodeError(f"a run-length coded BMP of more than {MAX_RLE_BYTES:,} bytes")


_BEGINNINGS = {
    "PNG": re.compile(re.escape(_PNG)),
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "GIF": re.compile(rb"GIF8[79]a"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "BMP": re.compile(rb"BM"),
    "TIFF": re.compile(rb"(II|MM)(\0[*+]|[*+]\0)"),
}
_CHECKS: dict[str, Callable[[bytes], None]] = {
    "PNG": _check_png,
    "JPEG": _check_jpeg,
    "GIF": _check_gif,
    "WEBP": _check_webp,
    "BMP": _check_bmp,
    "TIFF": check_tiff,
}
