"""What a picture file may be at most, and the one error for a file that does not become pixels.

Together the limits keep the decoding of any file under a gigabyte of memory and a few seconds of one core.
"""

# The picture file itself: an uncompressed RGB picture of MAX_PIXELS.
MAX_BYTES = 210_000_000
# A 64-megapixel photo fits; Pillow warns at 89 million. As Pillow holds it, RGB takes four bytes a pixel.
MAX_PIXELS = 1 << 26
# libwebp's decoder of animations holds the canvas twice and hands out a copy.
MAX_WEBP_PIXELS = 1 << 25
# A strip longer than this is no photograph, and scaling its shorter side up would take gigabytes.
MAX_ASPECT = 100
# Chunks of a PNG, segments of a JPEG before its picture, blocks of a GIF before its first: Pillow walks them in Python.
MAX_PNG_CHUNKS = 100_000
MAX_SEGMENTS = 10_000
# Every scan of a progressive JPEG goes over the whole picture; ordinary files have ten, the most ambitious some sixty.
MAX_SCANS = 100
MAX_SCANNED_PIXELS = 1_500_000_000
# Run-length coded BMP is decoded in Python, some two million runs a second.
MAX_RLE_BYTES = 4_000_000
# Entries of a directory of tags (TIFF, EXIF), and values of one of them, each of which becomes a Python object.
MAX_TAGS = 1_000
MAX_TAG_VALUES = 200_000


class DecodeError(Exception):
    """A file that does not become pixels; `reason` says why in one line, without naming the file."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_size(width: int, height: int, most: int = MAX_PIXELS) -> None:
    """Refuse a picture by the size in its header, before memory is taken. Raises DecodeError."""
    if width * height > most:
        raise DecodeError(f"{width} x {height} is over the limit of {most:,} pixels")
    if max(width, height) > MAX_ASPECT * max(1, min(width, height)):
        raise DecodeError(f"{width} x {height} is a strip, longer than {MAX_ASPECT} times its width")
