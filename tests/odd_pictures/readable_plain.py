"""Kinds of PNG, BMP and GIF that are read, written bit by bit."""

import struct
import zlib

import numpy as np

from odd_pictures.made import (
    Maker,
    Odd,
    adam7,
    bmp,
    chunk,
    exif,
    gif,
    gray,
    over_white,
    packed,
    png,
    random,
    shape,
    upright,
)


def png_gray(depth: int) -> Maker:
    def make(variant: int) -> Odd:
        levels = random(variant, 1, 2**depth)
        shown = (levels + 128) // 257 if depth == 16 else levels * 255 // (2**depth - 1)
        return Odd(png(levels, depth, 0), gray(shown))

    return make


def png_gray_key(depth: int) -> Maker:
    """One gray level is transparent."""

    def make(variant: int) -> Odd:
        levels = random(variant, 1, 2**depth)
        key = int(levels[1, 1, 0])
        shown = (levels + 128) // 257 if depth == 16 else levels * 255 // (2**depth - 1)
        transparent = chunk(b"tRNS", struct.pack(">H", key))
        return Odd(png(levels, depth, 0, transparent), gray(np.where(levels == key, 255, shown)))

    return make


def png_colour(depth: int) -> Maker:
    def make(variant: int) -> Odd:
        colours = random(variant, 3, 2**depth)
        return Odd(png(colours, depth, 2), colours >> (depth - 8))

    return make


def png_colour_key(depth: int) -> Maker:
    def make(variant: int) -> Odd:
        colours = random(variant, 3, 2**depth)
        colours[2, :3] = colours[1, 1]
        key = colours[1, 1]
        transparent = chunk(b"tRNS", struct.pack(">3H", *key.tolist()))
        same = (colours == key).all(2, keepdims=True)
        return Odd(png(colours, depth, 2, transparent), np.where(same, 255, colours >> (depth - 8)))

    return make


def png_alpha(depth: int, kind: int) -> Maker:
    def make(variant: int) -> Odd:
        samples = random(variant, 2 if kind == 4 else 4, 2**depth)
        samples[0, :2, -1] = (0, 2**depth - 1)
        levels = samples >> (depth - 8)
        colours = gray(levels[..., :1]) if kind == 4 else levels[..., :3]
        return Odd(png(samples, depth, kind), over_white(colours, levels[..., -1:]), tolerance=1)

    return make


def png_palette(depth: int, *, transparent: bool = False) -> Maker:
    def make(variant: int) -> Odd:
        count = 2**depth
        palette = np.random.default_rng(variant + 50).integers(0, 256, (count, 3))
        codes = random(variant, 1, count)
        before = chunk(b"PLTE", palette.astype(np.uint8).tobytes())
        shown = palette[codes[..., 0]]
        if not transparent:
            return Odd(png(codes, depth, 3, before), shown)
        alpha = np.arange(count) * 255 // (count - 1)
        before += chunk(b"tRNS", alpha.astype(np.uint8).tobytes())
        return Odd(png(codes, depth, 3, before), over_white(shown, alpha[codes]), tolerance=1)

    return make


def png_with(before: bytes = b"", after: bytes = b"", behind: bytes = b"", ending: str = "png") -> Maker:
    """A plain picture with something beside its pixels that must not change them."""

    def make(variant: int) -> Odd:
        colours = random(variant)
        return Odd(png(colours, 8, 2, before, after) + behind, colours, ending=ending)

    return make


def png_interlaced(variant: int) -> Odd:
    colours = random(variant)
    return Odd(adam7(colours), colours)


def png_turned(variant: int) -> Odd:
    colours, orientation = random(variant), 3 + variant % 6
    return Odd(png(colours, 8, 2, chunk(b"eXIf", exif(orientation, ">"))), upright(colours, orientation))


def png_animated(variant: int) -> Odd:
    """Two frames: the second is of another colour."""
    colours = random(variant)
    height, width = shape(variant)

    def control(number: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0))

    lines = zlib.compress(bytes((1 + 3 * width) * height))
    after = control(1) + chunk(b"fdAT", struct.pack(">I", 2) + lines)
    return Odd(png(colours, 8, 2, chunk(b"acTL", struct.pack(">II", 2, 0)) + control(0), after), colours)


def png_of_one_pixel(variant: int) -> Odd:
    colours = np.array([[[variant * 60 % 256, 7, 250]]])
    return Odd(png(colours, 8, 2), colours)


def png_of_the_longest_shape(variant: int) -> Odd:
    colours = np.random.default_rng(variant).integers(0, 256, (1, 100, 3))
    colours = colours if variant % 2 else colours.transpose(1, 0, 2)
    return Odd(png(colours, 8, 2), colours)


def bmp_colour(depth: int, *, top_down: bool = False) -> Maker:
    def make(variant: int) -> Odd:
        colours = random(variant, 3, 32 if depth == 16 else 256)
        if depth == 16:
            words = (colours[..., 0] << 10) | (colours[..., 1] << 5) | colours[..., 2]
            lines, shown = [row.astype("<u2").tobytes() for row in words], np.rint(colours * 255 / 31)
        else:
            lines, shown = [row[:, ::-1].astype(np.uint8).tobytes() for row in colours], colours
        if depth == 32:
            padded = np.concatenate([colours[..., ::-1], np.full((*colours.shape[:2], 1), 77)], 2)
            lines = [row.astype(np.uint8).tobytes() for row in padded]
        height = -len(lines) if top_down else len(lines)
        content = bmp(lines if top_down else lines[::-1], colours.shape, depth, height=height)
        return Odd(content, shown, tolerance=1 if depth == 16 else 0, ending="bmp")

    return make


def bmp_palette(depth: int) -> Maker:
    def make(variant: int) -> Odd:
        palette = np.random.default_rng(variant + 9).integers(0, 256, (2**depth, 3))
        codes = random(variant, 1, 2**depth)
        return Odd(bmp(packed(codes, depth)[::-1], codes.shape, depth, palette), palette[codes[..., 0]], ending="bmp")

    return make


def bmp_run_length(variant: int) -> Odd:
    palette = np.random.default_rng(variant + 9).integers(0, 256, (256, 3))
    codes = np.repeat(random(variant, 1)[:, ::2], 2, axis=1)[..., 0]
    runs = b"".join(b"".join(bytes([2, code]) for code in row[::2].tolist()) + b"\0\0" for row in codes[::-1])
    content = bmp((), codes.shape, 8, palette, compression=1, data=runs[:-2] + b"\0\1")
    return Odd(content, palette[codes], ending="bmp")


def _gif_parts(variant: int) -> tuple[np.ndarray, np.ndarray]:
    return random(variant, 1)[..., 0], np.random.default_rng(variant + 9).integers(0, 256, (256, 3))


def gif_plain(variant: int) -> Odd:
    codes, palette = _gif_parts(variant)
    return Odd(gif(codes, palette), palette[codes], ending="gif")


def gif_transparent(variant: int) -> Odd:
    codes, palette = _gif_parts(variant)
    key = int(codes[1, 1])
    control = b"!\xf9\x04\x01\0\0" + bytes([key]) + b"\0"
    shown = np.where(codes[..., None] == key, 255, palette[codes])
    return Odd(gif(codes, palette, control), shown, ending="gif")


def gif_animated(variant: int) -> Odd:
    codes, palette = _gif_parts(variant)
    first = gif(codes, palette, b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0!\xfe\x05hello\0")
    second = gif((codes + 100) % 256, palette)
    return Odd(first[:-1] + second[13 + 768 :], palette[codes], ending="gif")


def gif_in_a_larger_canvas(variant: int) -> Odd:
    """What the picture leaves of the canvas is of the background colour, entry 0."""
    codes, palette = _gif_parts(variant)
    height, width = codes.shape
    shown = np.broadcast_to(palette[0], (height + 3, width + 4, 3)).copy()
    shown[2 : 2 + height, 1 : 1 + width] = palette[codes]
    return Odd(gif(codes, palette, canvas=(height + 3, width + 4), at=(2, 1)), shown, ending="gif")


KINDS: dict[str, Maker] = {
    **{f"png gray {depth} bits": png_gray(depth) for depth in (1, 2, 4, 8, 16)},
    **{f"png gray {depth} bits, one level transparent": png_gray_key(depth) for depth in (1, 2, 4, 8, 16)},
    **{f"png colour {depth} bits": png_colour(depth) for depth in (8, 16)},
    **{f"png colour {depth} bits, one colour transparent": png_colour_key(depth) for depth in (8, 16)},
    **{f"png gray and alpha {depth} bits": png_alpha(depth, 4) for depth in (8, 16)},
    **{f"png colour and alpha {depth} bits": png_alpha(depth, 6) for depth in (8, 16)},
    **{f"png palette {depth} bits": png_palette(depth) for depth in (1, 2, 4, 8)},
    **{f"png palette {depth} bits, transparent": png_palette(depth, transparent=True) for depth in (1, 4, 8)},
    "png interlaced": png_interlaced,
    "png turned by EXIF": png_turned,
    "png animated": png_animated,
    "png of one pixel": png_of_one_pixel,
    "png of the longest shape": png_of_the_longest_shape,
    "png with a profile that is none": png_with(chunk(b"iCCP", b"profile\0\0" + zlib.compress(b"no profile"))),
    "png with gamma": png_with(chunk(b"gAMA", struct.pack(">I", 10_000))),
    "png with text": png_with(
        chunk(b"tEXt", b"Comment\0\xff\xfe\x1b[31m"), chunk(b"zTXt", b"k\0\0" + zlib.compress(b"t"))
    ),
    "png with an unknown chunk": png_with(chunk(b"eCoN", b"anything")),
    "png with bytes behind its end": png_with(behind=b"<script>alert(1)</script>" * 9),
    "png that is named jpg": png_with(ending="jpg"),
    "png with broken EXIF": png_with(chunk(b"eXIf", b"II*\0\xff\xff\xff\xff")),
    **{f"bmp {depth} bits": bmp_colour(depth) for depth in (16, 24, 32)},
    **{f"bmp palette {depth} bits": bmp_palette(depth) for depth in (1, 4, 8)},
    "bmp from the top down": bmp_colour(24, top_down=True),
    "bmp of runs": bmp_run_length,
    "gif": gif_plain,
    "gif transparent": gif_transparent,
    "gif animated": gif_animated,
    "gif in a larger canvas": gif_in_a_larger_canvas,
}
