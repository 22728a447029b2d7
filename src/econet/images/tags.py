"""The directories of tags that TIFF files and EXIF blocks are made of: measured before Pillow reads them.

A tag says where its values lie and how many there are; nothing keeps a thousand tags from pointing at the same
megabyte, which a reader then holds a thousand times. Source of the layout: TIFF 6.0, section 2.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from econet.images.limits import MAX_PIXELS, MAX_TAG_VALUES, MAX_TAGS, DecodeError, check_size

# Bytes of one value by the number of its type (BYTE 1, ASCII 2, SHORT 3, ... IFD8 18).
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
# Pointers to the directories that Pillow reads with the first: EXIF, GPS, interoperability.
_FURTHER = (34665, 34853, 40965)
_WIDTH, _LENGTH, _COMPRESSION, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 259, 322, 323
# Of TIFF's ways to compress: none, CCITT (three), LZW, JPEG (two), Deflate (two), PackBits.
_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946})


@dataclass(frozen=True, slots=True)
class Tag:
    """One entry: its number, the bytes of a value, how many there are, and the first where it lies in the entry."""

    number: int
    size: int
    count: int
    first: int


def check_tiff(content: bytes) -> None:
    """Refuse a TIFF file that claims more than it holds or is compressed in an unusual way. Raises DecodeError."""
    tags = {tag.number: tag for tag in check_tags(content)}
    how = tags.get(_COMPRESSION)
    if how is not None and how.first not in _COMPRESSIONS:
        raise DecodeError(f"a TIFF compressed in the unusual way {how.first}; save it with LZW or Deflate")
    if _WIDTH in tags and _LENGTH in tags:
        check_size(tags[_WIDTH].first, tags[_LENGTH].first)
    if _TILE_WIDTH in tags and _TILE_LENGTH in tags:
        width, height = tags[_TILE_WIDTH].first, tags[_TILE_LENGTH].first
        if width * height > MAX_PIXELS:
            raise DecodeError(f"its tiles of {width} x {height} are over the limit of {MAX_PIXELS:,} pixels")


def check_tags(block: bytes) -> list[Tag]:
    """The tags of the first directory of `block`, which begins with TIFF's header; none where it has no such form.

    Raises DecodeError where its directories, those of EXIF and GPS too, claim more than a file of their size can mean.
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return []
    big = block[2:4] in (b"+\0", b"\0+")
    start = _number(block, 8 if big else 4, order + ("Q" if big else "I"))
    first = _measured(block, start, order, big=big)
    for pointer in [tag.first for tag in first if tag.number in _FURTHER]:
        for further in _measured(block, pointer, order, big=big):
            if further.number in _FURTHER:
                _measured(block, further.first, order, big=big)
    return first


def _measured(block: bytes, start: int, order: str, *, big: bool) -> list[Tag]:
    """The entries of the directory at `start`, none where it lies outside `block`. Raises DecodeError."""
    count = _number(block, start, order + ("Q" if big else "H"))
    if count > MAX_TAGS:
        raise DecodeError(f"a list of {count:,} tags is over the limit of {MAX_TAGS:,}")
    tags = list(_entries(block, start + (8 if big else 2), count, order, big=big))
    for tag in tags:
        if tag.size > 1 and tag.count > MAX_TAG_VALUES and tag.size * tag.count <= len(block):
            raise DecodeError(f"tag {tag.number} has {tag.count:,} values, over the limit of {MAX_TAG_VALUES:,}")
    claimed = sum(tag.size * tag.count for tag in tags if tag.size * tag.count <= len(block))
    if claimed > 2 * len(block) + 65536:
        raise DecodeError(f"its tags claim {claimed:,} bytes, and it has {len(block):,}")
    return tags


def _entries(block: bytes, start: int, count: int, order: str, *, big: bool) -> Iterator[Tag]:
    layout, length = (order + "HHQ", 20) if big else (order + "HHI", 12)
    for place in range(start, start + count * length, length):
        if place + length > len(block):
            return
        number, kind, values = struct.unpack_from(layout, block, place)
        size = _SIZES.get(kind, 0)
        yield Tag(number, size, values, _inline(block, place + length - (8 if big else 4), kind, order))


def _inline(block: bytes, place: int, kind: int, order: str) -> int:
    """A first value where it fits into its entry: SHORT (3) or LONG (4, 13), or 64 bits (16, 18); 0 for others."""
    letter = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(kind)
    return 0 if letter is None else _number(block, place, order + letter)


def _number(block: bytes, place: int, layout: str) -> int:
    """The number at `place`, 0 where that lies outside."""
    if place + struct.calcsize(layout) > len(block):
        return 0
    return int(struct.unpack_from(layout, block, place)[0])
