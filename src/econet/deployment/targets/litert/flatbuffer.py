"""A flatbuffer with equal parts kept once.

It is written from its end to its beginning, so that whatever a table points at is there before the table.
Source: the FlatBuffers binary format (flatbuffers.dev, "FlatBuffer Internals"): a table begins with the distance to its
vtable, which holds the place of each field; every other reference is an unsigned distance forward; all numbers are
little-endian.
"""

import struct
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

# The alignment of the whole file, and so the largest that a part can have.
_LARGEST_ALIGNMENT = 16


@dataclass(frozen=True, slots=True, order=True)
class Offset:
    """Where a part lies: the bytes from its first one to the end of the file."""

    from_end: int


# A scalar, packed, of 1 or 4 bytes; or a reference to a part.
Field = bytes | Offset


class FlatBuffer:
    """Collects vectors and tables, and joins them into a file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._placed: dict[Hashable, Offset] = {}

    def vector(self, content: bytes, count: int, alignment: int = 4) -> Offset:
        """A vector of `count` scalars whose first one lies at a multiple of `alignment` (4, 8 or 16)."""
        key = (count, alignment, content)
        if key not in self._placed:
            self._placed[key] = self._append(struct.pack("<I", count) + content, alignment, lead=4)
        return self._placed[key]

    def string(self, text: str) -> Offset:
        """Text in UTF-8 with the zero byte that ends it."""
        content = text.encode()
        return self.vector(content + b"\0", len(content))

    def references(self, targets: Sequence[Offset]) -> Offset:
        """A vector of tables."""
        key = tuple(targets)
        if key not in self._placed:
            length = 4 + 4 * len(targets)
            start = self._start(length, 4, 0)
            distances = [start - 4 * (number + 1) - target.from_end for number, target in enumerate(targets)]
            self._placed[key] = self._append(struct.pack(f"<{len(targets) + 1}I", len(targets), *distances), 4)
        return self._placed[key]

    def table(self, fields: Mapping[int, Field]) -> Offset:
        """A table; a field left out has the schema's default value."""
        key = ("table", tuple(sorted(fields.items())))
        if key not in self._placed:
            self._placed[key] = self._append_table(fields)
        return self._placed[key]

    def finish(self, root: Offset, identifier: bytes) -> bytes:
        """The file: distance to the root table, four bytes of `identifier`, then the parts."""
        padding = -(self._size + 8) % _LARGEST_ALIGNMENT
        head = struct.pack("<I4s", self._size + padding + 8 - root.from_end, identifier)
        return b"".join([head, bytes(padding), *reversed(self._parts)])

    def _append_table(self, fields: Mapping[int, Field]) -> Offset:
        places: dict[int, int] = {}
        length = 4
        # The wider fields first, so that each lies at a multiple of its own size.
        for number in sorted(fields, key=lambda each: (-_width(fields[each]), each)):
            places[number] = length
            length += _width(fields[number])
        slots = [places.get(number, 0) for number in range(max(fields, default=-1) + 1)]
        vtable = struct.pack(f"<{len(slots) + 2}H", 4 + 2 * len(slots), length, *slots)
        if vtable not in self._placed:
            self._placed[vtable] = self._append(vtable, 2)
        start = self._start(length, 4, 0)
        content = bytearray(struct.pack("<i", self._placed[vtable].from_end - start).ljust(length, b"\0"))
        for number, place in places.items():
            field = fields[number]
            packed = struct.pack("<I", start - place - field.from_end) if isinstance(field, Offset) else field
            content[place : place + len(packed)] = packed
        return self._append(bytes(content), 4)

    def _start(self, length: int, alignment: int, lead: int) -> int:
        """Where a part of `length` bytes will begin whose byte `lead` is to lie at a multiple of `alignment`."""
        end = self._size + length - lead
        return end + -end % alignment + lead

    def _append(self, content: bytes, alignment: int, lead: int = 0) -> Offset:
        start = self._start(len(content), alignment, lead)
        self._parts += [bytes(start - self._size - len(content)), content]
        self._size = start
        return Offset(start)


def _width(field: Field) -> int:
    return 4 if isinstance(field, Offset) else len(field)
