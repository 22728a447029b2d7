"""Kinds of TIFF, JPEG and WebP that are read. TIFFs are written by hand; lossy ones come near a smooth picture."""

import io
import struct

import numpy as np
from PIL import Image

from odd_pictures.made import SHORT, Maker, Odd, exif, gray, over_white, random, smooth, tiff_picture, upright

# What quality 95 leaves of a smooth picture, at full and at half resolution of its colours.
NEAR, NEARER = 26, 6
_XMP = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"></x:xmpmeta>'


def saved(pixels: np.ndarray, kind: str, mode: str | None = None, **options: object) -> bytes:
    stream = io.BytesIO()
    picture = Image.fromarray(pixels.astype(np.uint8))
    (picture if mode is None else picture.convert(mode)).save(stream, kind, **options)
    return stream.getvalue()


# TIFF


def tiff_colour(depth: int, order: str) -> Maker:
    def make(variant: int) -> Odd:
        colours = random(variant, 3, 2**depth)
        return Odd(tiff_picture(colours, depth, 2, order), colours >> (depth - 8), ending="tif")

    return make


def tiff_gray(depth: int, order: str = "<", *, white_zero: bool = False) -> Maker:
    def make(variant: int) -> Odd:
        levels = random(variant, 1, 2**depth)
        seen = 2**depth - 1 - levels if white_zero else levels
        shown = (seen + 128) // 257 if depth == 16 else seen * 255 // (2**depth - 1)
        return Odd(tiff_picture(levels, depth, 0 if white_zero else 1, order), gray(shown), ending="tif")

    return make


def tiff_palette(variant: int) -> Odd:
    palette = np.random.default_rng(variant).integers(0, 256, (256, 3))
    codes = random(variant, 1)
    colours = {"t320": (SHORT, (palette.T.reshape(-1) * 257).tolist())}
    return Odd(tiff_picture(codes, 8, 3, **colours), palette[codes[..., 0]], ending="tif")


def tiff_cmyk(variant: int) -> Odd:
    inks = random(variant, 4)
    shown = (255 - inks[..., :3]) * (255 - inks[..., 3:]) / 255
    return Odd(tiff_picture(inks, 8, 5), np.rint(shown), tolerance=1, ending="tif")


def tiff_ycbcr(variant: int) -> Odd:
    """Luma and two differences of colour, none of them halved. Source: JFIF 1.02, conversion to RGB."""
    samples = random(variant).astype(float)
    samples[..., 1:] = 96 + samples[..., 1:] / 4
    samples = samples.round()
    y, cb, cr = samples[..., 0], samples[..., 1] - 128, samples[..., 2] - 128
    shown = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], 2).clip(0, 255).round()
    whole = {"t530": (SHORT, [1, 1])}
    return Odd(tiff_picture(samples.astype(int), 8, 6, **whole), shown, tolerance=1, ending="tif")


def tiff_lab(variant: int) -> Odd:
    """Grays in CIE LAB. Source: CIE 15, section 8.2.1, and IEC 61966-2-1 for sRGB."""
    light = random(variant, 1)
    lightness = light * 100 / 255
    part = (lightness + 16) / 116
    linear = np.where(lightness > 8, part**3, lightness * 27 / 24389)
    shown = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear) * 255
    samples = np.concatenate([light, np.zeros_like(light), np.zeros_like(light)], 2)
    return Odd(tiff_picture(samples, 8, 8), gray(shown.round()), tolerance=2, ending="tif")


def tiff_alpha(*, premultiplied: bool) -> Maker:
    def make(variant: int) -> Odd:
        colours, alpha = random(variant), np.maximum(random(variant + 7, 1)[: len(random(variant))], 128)
        alpha = np.resize(alpha, (*colours.shape[:2], 1))
        stored = np.rint(colours * alpha / 255).astype(int) if premultiplied else colours
        samples = np.concatenate([stored, alpha], 2)
        content = tiff_picture(samples, 8, 2, t338=(SHORT, [1 if premultiplied else 2]))
        return Odd(content, over_white(colours, alpha), tolerance=3 if premultiplied else 1, ending="tif")

    return make


def tiff_turned(variant: int) -> Odd:
    colours, orientation = random(variant), 3 + variant % 6
    content = tiff_picture(colours, 8, 2, t274=(SHORT, [orientation]))
    return Odd(content, upright(colours, orientation), ending="tif")


def tiff_compressed(compression: str) -> Maker:
    def make(variant: int) -> Odd:
        colours = random(variant)
        return Odd(saved(colours, "TIFF", compression=compression), colours, ending="tif")

    return make


def tiff_fax(variant: int) -> Odd:
    levels = random(variant, 1, 2) * 255
    return Odd(saved(gray(levels), "TIFF", "1", compression="group4"), gray(levels), ending="tif")


def tiff_jpeg(variant: int) -> Odd:
    content = saved(smooth(variant), "TIFF", compression="jpeg", quality=95)
    return Odd(content, smooth(variant), NEAR, ending="tif")


def tiff_pages(variant: int) -> Odd:
    colours = random(variant)
    second = Image.new("RGB", (9, 9), "red")
    return Odd(saved(colours, "TIFF", save_all=True, append_images=[second]), colours, ending="tif")


def tiff_big(variant: int) -> Odd:
    colours = random(variant)
    return Odd(saved(colours, "TIFF", big_tiff=True), colours, ending="tif")


# JPEG


def jpeg(tolerance: int = NEARER, behind: bytes = b"", **options: object) -> Maker:
    def make(variant: int) -> Odd:
        options_ = {"quality": 95, "subsampling": 0, **options}
        return Odd(saved(smooth(variant), "JPEG", **options_) + behind, smooth(variant), tolerance, ending="jpg")

    return make


def jpeg_gray(variant: int) -> Odd:
    levels = smooth(variant)[..., :1]
    return Odd(saved(gray(levels), "JPEG", "L", quality=95), gray(levels), NEARER, ending="jpg")


def jpeg_cmyk(variant: int) -> Odd:
    """Inks are stored inverted, as Adobe's programs do: 255 is no ink."""
    inks = np.concatenate([smooth(variant), smooth(variant)[..., 2:] // 2], 2)
    shown = np.rint((255 - inks[..., :3].astype(int)) * (255 - inks[..., 3:].astype(int)) / 255)
    stream = io.BytesIO()
    Image.fromarray(inks, "CMYK").save(stream, "JPEG", quality=95, subsampling=0)
    return Odd(stream.getvalue(), shown, NEARER, ending="jpg")


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg_with(*segments: bytes, orientation: int = 1) -> Maker:
    """Segments set in behind the first two bytes; the file says that the camera was held so."""

    def make(variant: int) -> Odd:
        plain = saved(smooth(variant), "JPEG", quality=95, subsampling=0)
        content = plain[:2] + b"".join(segments) + plain[2:]
        return Odd(content, upright(smooth(variant), orientation), NEARER, ending="jpg")

    return make


def jpeg_turned(orientation: int) -> Maker:
    order = "<" if orientation % 2 else ">"
    return jpeg_with(segment(0xE1, b"Exif\0\0" + exif(orientation, order)), orientation=orientation)


def jpeg_burst(variant: int) -> Odd:
    """Two pictures in one file, as telephones write them."""
    stream = io.BytesIO()
    second = Image.new("RGB", smooth(variant).shape[1::-1], "red")
    options = {"quality": 95, "subsampling": 0}
    Image.fromarray(smooth(variant)).save(stream, "MPO", save_all=True, append_images=[second], **options)
    return Odd(stream.getvalue(), smooth(variant), NEARER, ending="jpg")


# WebP


def webp(variant: int) -> Odd:
    return Odd(saved(random(variant), "WEBP", lossless=True), random(variant), ending="webp")


def webp_alpha(variant: int) -> Odd:
    samples = random(variant, 4)
    content = saved(samples, "WEBP", lossless=True, exact=True)
    return Odd(content, over_white(samples[..., :3], samples[..., 3:]), tolerance=1, ending="webp")


def webp_lossy(variant: int) -> Odd:
    return Odd(saved(smooth(variant), "WEBP", quality=95), smooth(variant), NEAR, ending="webp")


def webp_animated(variant: int) -> Odd:
    second = Image.new("RGB", random(variant).shape[1::-1], "red")
    options = {"lossless": True, "save_all": True, "append_images": [second], "duration": 100}
    return Odd(saved(random(variant), "WEBP", **options), random(variant), ending="webp")


def webp_turned(variant: int) -> Odd:
    content = saved(random(variant), "WEBP", lossless=True, exif=b"Exif\0\0" + exif(6))
    return Odd(content, upright(random(variant), 6), ending="webp")


KINDS: dict[str, Maker] = {
    **{f"tiff colour {depth} bits, {order} first": tiff_colour(depth, sign)
       for depth in (8, 16) for order, sign in (("low byte", "<"), ("high byte", ">"))},
    **{f"tiff gray {depth} bits": tiff_gray(depth) for depth in (1, 8, 16)},
    **{f"tiff gray {depth} bits, 0 is white": tiff_gray(depth, white_zero=True) for depth in (1, 8, 16)},
    "tiff gray 16 bits, high byte first": tiff_gray(16, ">"),
    "tiff palette": tiff_palette,
    "tiff cmyk": tiff_cmyk,
    "tiff ycbcr": tiff_ycbcr,
    "tiff lab": tiff_lab,
    "tiff alpha": tiff_alpha(premultiplied=False),
    "tiff alpha, premultiplied": tiff_alpha(premultiplied=True),
    "tiff turned": tiff_turned,
    **{f"tiff {way}": tiff_compressed(way) for way in ("tiff_lzw", "tiff_adobe_deflate", "packbits")},
    "tiff fax": tiff_fax,
    "tiff jpeg": tiff_jpeg,
    "tiff of two pages": tiff_pages,
    "tiff of 64 bits": tiff_big,
    "jpeg": jpeg(),
    "jpeg progressive": jpeg(progressive=True),
    "jpeg with colours halved": jpeg(NEAR, subsampling=2),
    "jpeg with restarts": jpeg(restart_marker_blocks=1),
    "jpeg stored as RGB": jpeg(keep_rgb=True),
    "jpeg with bytes behind its end": jpeg(behind=bytes(range(256)) * 4),
    "jpeg gray": jpeg_gray,
    "jpeg cmyk": jpeg_cmyk,
    **{f"jpeg orientation {number}": jpeg_turned(number) for number in range(1, 9)},
    "jpeg orientation 9": jpeg_with(segment(0xE1, b"Exif\0\0" + exif(9))),
    "jpeg orientation in XMP": jpeg_with(segment(0xE1, _XMP), orientation=6),
    "jpeg with broken EXIF": jpeg_with(segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff")),
    "jpeg with a profile that is none": jpeg_with(segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(300))),
    "jpeg with filling": jpeg_with(b"\xff" * 50, segment(0xFE, b"comment\x1b]0;title\x07")),
    "jpeg burst": jpeg_burst,
    "webp": webp,
    "webp alpha": webp_alpha,
    "webp lossy": webp_lossy,
    "webp animated": webp_animated,
    "webp turned": webp_turned,
}  # fmt: skip
