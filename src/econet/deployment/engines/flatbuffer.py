"""Reading a FlatBuffer that may come from a stranger: no offset, count or field is followed before it is checked.

Layout: https://flatbuffers.dev/internals/ - little-endian; a table begins with the distance back to its vtable, which
lists where in the table each field lies (0: absent); strings and vectors begin with their length.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Damaged(Exception):
    """The bytes are no whole FlatBuffer of the expected kind; the message says where."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table at `place` of `content`; `fields` are the places of its fields in it, 0 for an absent one."""

    content: bytes
    place: int
    fields: tuple[int, ...]

    @classmethod
    def root(cls, content: bytes, identifier: bytes) -> "Table":
        """The table a file begins with. Raises Damaged where the file does not bear `identifier`."""
        if len(content) < 8 or content[4:8] != identifier:
            raise Damaged(f"it does not bear the identifier {identifier.decode()}")
        return cls.at(content, _number(content, 0, "<I"))

    @classmethod
    def at(cls, content: bytes, place: int) -> "Table":
        """The table at `place`, its vtable checked."""
        vtable = place - _number(content, place, "<i")
        size, reach = _number(content, vtable, "<H"), _number(content, vtable + 2, "<H")
        if size < 4 or size % 2 or reach < 4:
            raise Damaged(f"the table at byte {place} has no usable layout")
        _within(content, vtable, size)
        _within(content, place, reach)
        fields = struct.unpack_from(f"<{size // 2 - 2}H", content, vtable + 4)
        if any(field and not 4 <= field < reach for field in fields):
            raise Damaged(f"a field of the table at byte {place} lies outside it")
        return cls(content, place, fields)

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """The whole number of `struct` kind (`b`, `i`, `I`, ...) in `field`, or its default."""
        place = self._place(field)
        return default if place is None else _number(self.content, place, f"<{kind}")

    def has(self, field: int) -> bool:
        """Whether the field is there."""
        return self._place(field) is not None

    def table(self, field: int) -> "Table | None":
        """The table that `field` points to."""
        place = self._followed(field)
        return None if place is None else Table.at(self.content, place)

    def tables(self, field: int, most: int) -> list["Table"]:
        """The tables of a vector, at most `most`."""
        place, count = self._vector(field, 4)
        if count > most:
            raise Damaged(f"a list has {count:,} entries; at most {most:,} are read")
        entries = range(place, place + 4 * count, 4)
        return [Table.at(self.content, entry + _number(self.content, entry, "<I")) for entry in entries]

    def values(self, field: int, kind: str) -> NDArray[Any]:
        """A vector of numbers of numpy `kind`, empty where the field is absent."""
        place, count = self._vector(field, np.dtype(kind).itemsize)
        return np.frombuffer(self.content, f"<{kind}", count, place)

    def text(self, field: int) -> str:
        """A string, "" where the field is absent. Bytes that are no UTF-8 are shown as such."""
        place, count = self._vector(field, 1)
        if self.has(field) and self.content[place + count : place + count + 1] != b"\0":
            raise Damaged(f"the text at byte {place} does not end")
        return self.content[place : place + count].decode(errors="backslashreplace")

    def _place(self, field: int) -> int | None:
        inside = self.fields[field] if field < len(self.fields) else 0
        return self.place + inside if inside else None

    def _followed(self, field: int) -> int | None:
        place = self._place(field)
        return None if place is None else place + _number(self.content, place, "<I")

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        """Where the entries of a vector begin, and how many of `size` bytes there are."""
        place = self._followed(field)
        if place is None:
            return 0, 0
        count = _number(self.content, place, "<I")
        _within(self.content, place + 4, count * size)
        return place + 4, count


def _number(content: bytes, place: int, kind: str) -> int:
    _within(content, place, struct.calcsize(kind))
    return int(struct.unpack_from(kind, content, place)[0])


def _within(content: bytes, place: int, size: int) -> None:
    if place < 0 or place + size > len(content):
        raise Damaged(f"byte {place + size:,} is needed, and it has {len(content):,}")
