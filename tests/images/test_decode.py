"""Every odd picture has one rule; what is broken is refused with its reason."""

import contextlib
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from econet.images.decode import MAX_PIXELS, DecodeError, decode, decode_bytes

FIXTURES = Path(__file__).parents[1] / "fixtures" / "clothing"
PHOTO = sorted((FIXTURES / "train" / "hat").iterdir())[0]


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def gradient() -> np.ndarray:
    """A 3 x 4 picture of which every pixel and channel differs."""
    return np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7


def header_only_png(width: int, height: int) -> bytes:
    """A PNG that ends where its pixels should begin."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 1000) + b"IDAT"


def test_a_photo_decodes_to_the_pixels_pillow_shows():
    with Image.open(PHOTO) as picture:
        expected = np.asarray(picture.convert("RGB"))
    found = decode(PHOTO, 3)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_give_back_the_very_pixels(kind):
    content = saved(Image.fromarray(gradient()), kind, **({"lossless": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(decode_bytes(content, 3), gradient())


def test_the_format_is_told_by_content_and_not_by_name(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(Image.fromarray(gradient()), "PNG"))
    np.testing.assert_array_equal(decode(path, 3), gradient())


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a)),
    ],
)
def test_exif_orientation_is_applied(orientation, turned):
    exif = Image.Exif()
    exif[274] = orientation
    content = saved(Image.fromarray(gradient()), "PNG", exif=exif.tobytes())
    np.testing.assert_array_equal(decode_bytes(content, 3), turned(gradient()))


def test_broken_exif_does_not_cost_the_picture():
    content = saved(Image.fromarray(gradient()), "PNG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    np.testing.assert_array_equal(decode_bytes(content, 3), gradient())


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_gray_keeps_its_levels(kind):
    wide = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    content = saved(Image.fromarray(wide), kind)
    np.testing.assert_array_equal(decode_bytes(content, 1)[:, :, 0], np.arange(256).reshape(16, 16))
    np.testing.assert_array_equal(decode_bytes(content, 3)[:, :, 2], np.arange(256).reshape(16, 16))


def test_sixteen_bits_are_rounded_to_the_nearest_level():
    wide = np.array([[0, 128, 129, 65535, 65406]], np.uint16)
    assert decode_bytes(saved(Image.fromarray(wide), "PNG"), 1)[0, :, 0].tolist() == [0, 0, 1, 255, 254]


def test_transparency_is_laid_over_white():
    pixels = np.array([[[255, 0, 0, 0], [255, 0, 0, 255], [0, 0, 0, 51]]], np.uint8)
    found = decode_bytes(saved(Image.fromarray(pixels), "PNG"), 3)
    # 51 / 255 is a fifth: black at a fifth over white is 204.
    assert found.tolist() == [[[255, 255, 255], [255, 0, 0], [204, 204, 204]]]


def test_a_transparent_palette_entry_becomes_white():
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 0, 0])
    picture.putdata([0, 1])
    found = decode_bytes(saved(picture, "PNG", transparency=1), 3)
    assert found.tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_cmyk_becomes_rgb():
    content = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF")
    assert decode_bytes(content, 3)[4, 4].tolist() == [255, 0, 0]


def test_one_bit_pictures_are_black_and_white():
    content = saved(Image.fromarray(np.array([[True, False]])), "PNG")
    assert decode_bytes(content, 1)[0, :, 0].tolist() == [255, 0]


def test_the_first_frame_of_an_animation_counts():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_bytes(content, 3)[0, 0].tolist() == [255, 0, 0]


def test_colour_becomes_gray_by_the_luma_of_itu_r_601():
    content = saved(Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)), "PNG")
    assert decode_bytes(content, 1)[0, :, 0].tolist() == [round(255 * w) for w in (0.299, 0.587, 0.114)]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_cut_file_is_refused(kind, share):
    with Image.open(PHOTO) as picture:
        content = saved(picture, kind)
    with pytest.raises(DecodeError) as caught:
        decode_bytes(content[: int(len(content) * share)], 3)
    assert caught.value.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"these are words, no picture", "not one of JPEG, PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not one of JPEG, PNG"),
        (header_only_png(9000, 9000), f"over the limit of {MAX_PIXELS:,} pixels"),
        (header_only_png(12000, 12000), f"over the limit of {MAX_PIXELS:,} pixels"),
        (header_only_png(30000, 30000), f"over the limit of {MAX_PIXELS:,} pixels"),
        (header_only_png(20000, 1), "20000 x 1 is a strip"),
    ],
)
def test_what_is_no_usable_picture_is_refused_with_its_reason(content, reason):
    with pytest.raises(DecodeError, match=reason):
        decode_bytes(content, 3)


def test_pixels_without_a_stated_range_are_refused():
    content = saved(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF")
    with pytest.raises(DecodeError, match="32-bit"):
        decode_bytes(content, 1)


def test_a_pipe_is_refused_without_being_opened(tmp_path):
    os.mkfifo(tmp_path / "photo.jpg")
    with pytest.raises(DecodeError, match="not a regular file"):
        decode(tmp_path / "photo.jpg", 3)


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(DecodeError, match="No such file"):
        decode(tmp_path / "absent.jpg", 3)


SMALL = {kind: saved(Image.open(PHOTO).resize((24, 24)), kind) for kind in ("JPEG", "PNG", "GIF", "TIFF", "BMP")}


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(SMALL)), changes=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=8)
)
def test_mutated_bytes_decode_or_are_refused_and_nothing_else(kind, changes):
    content = bytearray(SMALL[kind])
    for position, value in changes:
        content[position % len(content)] = value
    with contextlib.suppress(DecodeError):
        found = decode_bytes(bytes(content), 3)
        assert found.dtype == np.uint8
        assert found.shape[2] == 3
