"""A made file and what must come of it, and writers of formats that owe nothing to the decoder under test."""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

SHAPES = ((5, 7), (16, 16), (33, 20), (48, 64))


@dataclass(frozen=True)
class Odd:
    """A file: `pixels` [H, W, 3] come out, each within `tolerance`, or it is set aside and `reason` is part of why."""

    content: bytes
    pixels: np.ndarray | None = None
    tolerance: int = 0
    reason: str = ""
    ending: str = "png"


Maker = Callable[[int], Odd]


def shape(variant: int) -> tuple[int, int]:
    return SHAPES[variant % len(SHAPES)]


def random(variant: int, channels: int = 3, high: int = 256) -> np.ndarray:
    """Samples [H, W, `channels`] below `high`, others for each variant."""
    return np.random.default_rng(variant).integers(0, high, (*shape(variant), channels))


def smooth(variant: int) -> np.ndarray:
    """A picture [H, W, 3] that JPEG hardly changes, different at every corner."""
    height, width = shape(variant)
    y, x = np.mgrid[0:height, 0:width]
    planes = 40 + 170 * x / width, 30 + 190 * y / height, 200 - 60 * x / width - 50 * y / height
    return np.stack(planes, 2).round().astype(np.uint8)


def gray(levels: np.ndarray) -> np.ndarray:
    """[H, W] or [H, W, 1] as [H, W, 3]."""
    return np.repeat(levels.reshape(*levels.shape[:2], 1), 3, 2)


def over_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours [H, W, 3] laid over white by alpha [H, W, 1], both 0 to 255."""
    share = alpha / 255
    return np.rint(colours * share + 255 * (1 - share)).astype(np.int64)


# PNG


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(samples: np.ndarray, depth: int, order: str = ">") -> list[bytes]:
    """The rows of samples [H, W, C] at 1, 2, 4, 8 or 16 bits, as PNG, TIFF and BMP pack them."""
    rows = samples.reshape(len(samples), -1)
    if depth == 16:
        return [row.astype(f"{order}u2").tobytes() for row in rows]
    if depth == 8:
        return [row.astype(np.uint8).tobytes() for row in rows]
    bits = (rows[:, :, None] >> np.arange(depth - 1, -1, -1)) & 1
    return [np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in bits]


def png(
    samples: np.ndarray, depth: int, kind: int, before: bytes = b"", after: bytes = b"", data: bytes = b""
) -> bytes:
    """A PNG of samples [H, W, C]; `kind` 0 gray, 2 RGB, 3 palette, 4 gray + alpha, 6 RGBA; `before` data: chunks."""
    lines = b"".join(b"\0" + row for row in packed(samples, depth))
    return png_of(samples.shape, depth, kind, before + chunk(b"IDAT", data or zlib.compress(lines)) + after)


def png_of(size: Sequence[int], depth: int, kind: int, chunks: bytes, interlaced: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", size[1], size[0], depth, kind, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks + chunk(b"IEND", b"")


def adam7(samples: np.ndarray) -> bytes:
    """An interlaced RGB PNG: seven passes over the picture. Source: PNG specification, section 8.2."""
    starts = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    passes = [samples[y::dy, x::dx] for y, x, dy, dx in starts]
    lines = b"".join(b"\0" + row for part in passes if part.size for row in packed(part, 8))
    return png_of(samples.shape, 8, 2, chunk(b"IDAT", zlib.compress(lines)), interlaced=1)


# TIFF and EXIF

SHORT, LONG = 3, 4
_WIDTHS = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 11: "f"}


def tiff(tags: dict[int, tuple[int, Sequence[int]]], strips: Sequence[bytes] = (), order: str = "<") -> bytes:
    """A TIFF (or EXIF block) of one directory: tag -> (type, values), and the strips of its picture."""
    tags = dict(tags)
    place = 8
    if strips:
        starts = [place + sum(map(len, strips[:number])) for number in range(len(strips))]
        tags |= {273: (LONG, starts), 279: (LONG, [len(strip) for strip in strips])}
    data = b"".join(strips)
    entries, extra = b"", b""
    after = place + len(data) + 2 + 12 * len(tags) + 4
    for number, (kind, values) in sorted(tags.items()):
        content = struct.pack(f"{order}{len(values)}{_WIDTHS[kind]}", *values)
        if len(content) > 4:
            content, extra = struct.pack(order + "I", after + len(extra)), extra + content
        entries += struct.pack(order + "HHI", number, kind, len(values)) + content.ljust(4, b"\0")
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", place + len(data))
    return header + data + struct.pack(order + "H", len(tags)) + entries + bytes(4) + extra


def tiff_picture(
    samples: np.ndarray, depth: int, photometric: int, order: str = "<", **more: tuple[int, Sequence[int]]
) -> bytes:
    """An uncompressed TIFF of samples [H, W, C] in one strip; `more` are tags as t258=(type, values)."""
    height, width, channels = samples.shape
    tags = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [depth] * channels),
        259: (SHORT, [1]),
        262: (SHORT, [photometric]),
        277: (SHORT, [channels]),
        278: (LONG, [height]),
    }
    tags |= {int(name[1:]): value for name, value in more.items()}
    return tiff(tags, [b"".join(packed(samples, depth, order))], order)


def exif(orientation: int, order: str = "<") -> bytes:
    """An EXIF block that says how the camera was held."""
    return tiff({274: (SHORT, [orientation])}, order=order)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """What a viewer shows of `pixels` as stored. Source: EXIF 2.32, section 4.6.4.A."""
    return {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: np.rot90,
    }[orientation](pixels)


# BMP and GIF


def bmp(lines: Sequence[bytes], size: Sequence[int], depth: int, palette: np.ndarray | None = None, **more) -> bytes:
    """A BMP of rows from the bottom up; `height` may be negative: from the top down."""
    colours = b"" if palette is None else b"".join(bytes([b, g, r, 0]) for r, g, b in palette.tolist())
    data = b"".join(line.ljust(-(-len(line) // 4) * 4, b"\0") for line in lines) if "data" not in more else more["data"]
    masks = more.get("masks", b"")
    start = 14 + 40 + len(masks) + len(colours)
    height, count = more.get("height", size[0]), 0 if palette is None else len(palette)
    way = more.get("compression", 0)
    header = struct.pack("<IiiHHIIiiII", 40, size[1], height, 1, depth, way, len(data), 0, 0, count, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + masks + colours + data


def lzw(codes: np.ndarray) -> bytes:
    """Eight-bit values as a GIF holds them: 9-bit codes, cleared before they would grow. Source: GIF89a, appendix F."""
    bits: list[str] = []
    for number, value in enumerate(codes.reshape(-1).tolist()):
        if number % 250 == 0:
            bits.append(f"{256:09b}"[::-1])
        bits.append(f"{value:09b}"[::-1])
    bits.append(f"{257:09b}"[::-1])
    whole = "".join(bits)
    coded = bytes(int(whole[at : at + 8].ljust(8, "0")[::-1], 2) for at in range(0, len(whole), 8))
    blocks = [coded[at : at + 255] for at in range(0, len(coded), 255)]
    return b"\x08" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def gif(codes: np.ndarray, palette: np.ndarray, before: bytes = b"", canvas: Sequence[int] = (), at=(0, 0)) -> bytes:
    """A GIF of one picture, codes [H, W] into `palette` [256, 3]; `before` it: extensions."""
    size = tuple(canvas) or codes.shape
    head = b"GIF89a" + struct.pack("<HHBBB", size[1], size[0], 0xF7, 0, 0) + palette.astype(np.uint8).tobytes()
    picture = b"," + struct.pack("<HHHHB", at[1], at[0], codes.shape[1], codes.shape[0], 0) + lzw(codes)
    return head + before + picture + b";"
