"""Kinds of files that are set aside, each with words of the reason that must be given."""

import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

from odd_pictures.made import LONG, SHORT, Maker, Odd, chunk, exif, gif, png, png_of, random, smooth, tiff, tiff_picture
from odd_pictures.readable_photos import saved, segment


def fixed(content: bytes, reason: str, ending: str = "jpg") -> Maker:
    """A file that is no picture; variants differ by bytes behind it."""
    return lambda variant: Odd(content + bytes(variant) if content else content, reason=reason, ending=ending)


def cut(kind: str, **options: object) -> Maker:
    """A file of which a share is there: an eighth to seven eighths."""

    def make(variant: int) -> Odd:
        pixels = smooth(3) if kind == "JPEG" else random(3)
        whole = saved(pixels, kind, **options)
        return Odd(whole[: len(whole) * (1 + 2 * variant) // 8], reason="", ending=kind.lower())

    return make


def overwritten(kind: str, why: str) -> Maker:
    """One byte of the pixels' data is another."""

    def make(variant: int) -> Odd:
        whole = bytearray(saved(random(3), kind))
        whole[len(whole) * (2 + variant) // 8] ^= 0x55
        return Odd(bytes(whole), reason=why, ending=kind.lower())

    return make


def png_header(width: int, height: int, reason: str) -> Maker:
    return lambda variant: Odd(png_of((height, width + variant), 8, 2, chunk(b"IDAT", bytes(1000))), reason=reason)


def png_text_bomb(variant: int) -> Odd:
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2_000_000 + variant)))
    return Odd(png(random(variant), 8, 2, text), reason="too large")


def png_of_many_chunks(variant: int) -> Odd:
    return Odd(png(random(variant), 8, 2, chunk(b"tEXt", b"k\0v") * 100_001), reason="more than 100,000 chunks")


def png_wrong_checksum(variant: int) -> Odd:
    content = bytearray(png(random(variant), 8, 2, chunk(b"tEXt", b"Comment\0hello")))
    content[content.index(b"hello")] ^= 1
    return Odd(bytes(content), reason="chunk tEXt fails its checksum")


def png_without_pixels(variant: int) -> Odd:
    return Odd(png(random(variant), 8, 2, data=zlib.compress(bytes(3))), reason="damaged")


def png_tag_bomb(variant: int) -> Odd:
    return Odd(png(random(variant), 8, 2, chunk(b"eXIf", tag_bomb(variant))), reason="its tags claim")


def tag_bomb(variant: int) -> bytes:
    """900 tags that all name the same bytes as their own."""
    entries = [struct.pack("<HHII", number + 1000, 7, 20_000 + variant, 8) for number in range(900)]
    return b"II*\0" + struct.pack("<I", 30_008) + bytes(30_000) + struct.pack("<H", 900) + b"".join(entries) + bytes(4)


def jpeg_changed(old: bytes, new: bytes, reason: str, **options: object) -> Maker:
    def make(variant: int) -> Odd:
        whole = saved(smooth(variant), "JPEG", **options)
        assert old in whole
        return Odd(whole.replace(old, new, 1), reason=reason, ending="jpg")

    return make


def jpeg_frame(width: int, height: int, reason: str) -> Maker:
    """The header of a JPEG announces this size."""

    def make(variant: int) -> Odd:
        whole = bytearray(saved(smooth(variant), "JPEG"))
        place = whole.index(b"\xff\xc0")
        whole[place + 5 : place + 9] = struct.pack(">HH", height, width + variant)
        return Odd(bytes(whole), reason=reason, ending="jpg")

    return make


def jpeg_of_many_scans(variant: int) -> Odd:
    whole = saved(smooth(variant), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return Odd(whole[:-2] + whole[last:-2] * 120 + whole[-2:], reason="progressive JPEG of 101 scans", ending="jpg")


def jpeg_of_many_segments(variant: int) -> Odd:
    whole = saved(smooth(variant), "JPEG")
    return Odd(whole[:2] + segment(0xFE, b"") * 10_001 + whole[2:], reason="more than 10,000 segments", ending="jpg")


def jpeg_of_filling(variant: int) -> Odd:
    whole = saved(smooth(variant), "JPEG")
    return Odd(whole[:2] + b"\xff" * 20_000 + whole[2:], reason="more than 10,000 segments", ending="jpg")


def jpeg_tag_bomb(variant: int) -> Odd:
    whole = saved(smooth(variant), "JPEG")
    block = segment(0xE1, b"Exif\0\0" + tag_bomb(variant))
    return Odd(whole[:2] + block + whole[2:], reason="its tags claim", ending="jpg")


def gif_canvas(variant: int) -> Odd:
    content = gif(random(variant, 1)[..., 0], random(variant + 5, 3)[:1].repeat(256, 0)[:, 0], canvas=(65_000, 65_535))
    return Odd(content, reason="65535 x 65000 is over the limit", ending="gif")


def gif_of_many_blocks(variant: int) -> Odd:
    palette = np.zeros((256, 3))
    comments = (b"!\xfe" + b"\1x" + b"\0") * 4000
    return Odd(gif(random(variant, 1)[..., 0], palette, comments), reason="more than 10,000 blocks", ending="gif")


def gif_without_picture(variant: int) -> Odd:
    return Odd(gif(random(variant, 1)[..., 0], np.zeros((256, 3)))[: 13 + 768] + b";", reason="damaged", ending="gif")


def webp_canvas(variant: int) -> Odd:
    whole = bytearray(saved(random(variant), "WEBP", lossless=True, exif=exif(1)))
    assert whole[12:16] == b"VP8X"
    whole[24:30] = b"\xff\x3f\x00\xff\x3f\x00"
    return Odd(bytes(whole), reason="16384 x 16384 is over the limit", ending="webp")


def bmp_size(variant: int) -> Odd:
    whole = bytearray(saved(random(variant), "BMP"))
    whole[18:26] = struct.pack("<ii", 40_000, 40_000)
    return Odd(bytes(whole), reason="40000 x 40000 is over the limit", ending="bmp")


def bmp_runs(variant: int) -> Odd:
    """Run-length coded and beyond what is decoded in Python."""
    whole = bytearray(saved(random(variant, 1)[..., 0], "BMP"))
    whole[30:34] = struct.pack("<I", 1)
    return Odd(bytes(whole) + bytes(4_000_000), reason="run-length coded BMP", ending="bmp")


def tiff_changed(reason: str, depth: int = 8, **tags: object) -> Maker:
    return lambda variant: Odd(tiff_picture(random(variant), depth, 2, **tags), reason=reason, ending="tif")


def tiff_numbers(mode: str) -> Maker:
    def make(variant: int) -> Odd:
        stream = io.BytesIO()
        kind = np.float32 if mode == "F" else np.int32
        Image.fromarray(random(variant, 1)[..., 0].astype(kind)).save(stream, "TIFF")
        return Odd(stream.getvalue(), reason="32-bit or signed pixels", ending="tif")

    return make


def tiff_tag_bomb(variant: int) -> Odd:
    return Odd(tag_bomb(variant), reason="its tags claim", ending="tif")


def tiff_of_many_tags(variant: int) -> Odd:
    tags = {number: (SHORT, [1]) for number in range(1000, 2001 + variant)}
    return Odd(tiff(tags), reason="tags is over the limit", ending="tif")


def zipped(variant: int) -> Odd:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("photo.jpg", saved(smooth(variant), "JPEG"))
    return Odd(stream.getvalue(), reason="not one of", ending="jpg")


def other(kind: str, ending: str) -> Maker:
    """A picture in a format that is not read."""
    return lambda variant: Odd(saved(random(variant), kind), reason="not one of", ending=ending)


KINDS: dict[str, Maker] = {
    "empty": fixed(b"", "the file is empty"),
    "zeros": fixed(bytes(5000), "not one of"),
    "words": fixed(b"a note, no picture\n", "not one of"),
    "a web page": fixed(b"<!doctype html><title>504</title><script>alert(1)</script>", "not one of"),
    "svg": fixed(b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "not one of"),
    "postscript": fixed(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not one of", "eps"),
    "pdf": fixed(b"%PDF-1.7\n1 0 obj\n", "not one of", "pdf"),
    "gzip": fixed(gzip.compress(bytes(1_000_000)), "not one of"),
    "zip": zipped,
    "jpeg 2000": other("JPEG2000", "jp2"),
    "avif": other("AVIF", "avif"),
    "ppm": other("PPM", "ppm"),
    "ico": other("ICO", "ico"),
    "tga": other("TGA", "tga"),
    **{f"{kind} cut off".lower(): cut(kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")},
    "jpeg progressive cut off": cut("JPEG", progressive=True),
    "tiff compressed, cut off": cut("TIFF", compression="tiff_lzw"),
    "png overwritten": overwritten("PNG", "IDAT fails its checksum"),
    "png of 30000 x 30000": png_header(30_000, 30_000, "over the limit of"),
    "png of a strip": png_header(20_000, 1, "is a strip"),
    "png without height": png_header(9, 0, ""),
    "png text bomb": png_text_bomb,
    "png of many chunks": png_of_many_chunks,
    "png wrong checksum": png_wrong_checksum,
    "png without pixels": png_without_pixels,
    "png tag bomb": png_tag_bomb,
    "jpeg of 60000 x 60000": jpeg_frame(60_000, 60_000, "over the limit of"),
    "jpeg arithmetic": jpeg_changed(b"\xff\xc0", b"\xff\xc9", "unusual kind SOF9"),
    "jpeg lossless": jpeg_changed(b"\xff\xc0", b"\xff\xc3", "unusual kind SOF3"),
    "jpeg of 12 bits": jpeg_changed(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c", "a JPEG of 12 bits"),
    "jpeg without tables": jpeg_changed(b"\xff\xdb", b"\xff\xfe", "damaged"),
    "jpeg of many scans": jpeg_of_many_scans,
    "jpeg of many segments": jpeg_of_many_segments,
    "jpeg of filling": jpeg_of_filling,
    "jpeg tag bomb": jpeg_tag_bomb,
    "gif of a huge canvas": gif_canvas,
    "gif of many blocks": gif_of_many_blocks,
    "gif without a picture": gif_without_picture,
    "webp of a huge canvas": webp_canvas,
    "bmp of 40000 x 40000": bmp_size,
    "bmp of long runs": bmp_runs,
    "tiff compressed by lzma": tiff_changed("unusual way 34925", t259=(SHORT, [34925])),
    "tiff compressed by zstd": tiff_changed("unusual way 50000", t259=(SHORT, [50000])),
    "tiff of huge tiles": tiff_changed("tiles of 60000 x 60000", t322=(LONG, [60_000]), t323=(LONG, [60_000])),
    "tiff of 60000 x 60000": tiff_changed("over the limit of", t256=(LONG, [60_000]), t257=(LONG, [60_000])),
    "tiff of floats": tiff_numbers("F"),
    "tiff of 32 bits": tiff_numbers("I"),
    "tiff tag bomb": tiff_tag_bomb,
    "tiff of many tags": tiff_of_many_tags,
}
