"""A record is a strict, frozen JSON file: how it is written whole, read back, and refused when wrong."""

import hashlib
import re
import reprlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from econet.errors import UserError, one_line
from econet.files import read_regular, write_whole

SCHEMA = 1
# The record of a comparison of a thousand classes takes some ten megabytes.
MOST_BYTES = 200_000_000
# What reading JSON raises: text that is none in UTF-8 and brackets without end have classes of their own.
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A strict, frozen record: unknown fields and wrong types are refused when it is read."""


T = TypeVar("T", bound=Record)


def to_json(record: Record) -> bytes:
    """Indented JSON of a record, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def digest(data: object) -> str:
    """Hexadecimal SHA-256 of plain JSON types, whatever the order of their keys."""
    return hashlib.sha256(msgspec.json.encode(data, order="sorted")).hexdigest()


def write_record(path: Path, record: Record) -> None:
    """Write a record whole or not at all."""
    write_whole(path, to_json(record))


def read_record(path: Path, kind: type[T]) -> T:
    """Read and check a record. Raises UserError naming file, field and value where it is wrong."""
    try:
        content = read_regular(path, MOST_BYTES)
    except OSError as error:
        raise UserError(f"cannot read {path}", error.strerror or str(error), "check the folder's name") from error
    _refuse_newer(path, content)
    try:
        return msgspec.json.decode(content, type=kind)
    except UNREADABLE as error:
        raise UserError(
            f"{path} is not what EcoNet wrote",
            one_line(with_value(error, content)),
            "restore the file, or make it again with --out NEW",
        ) from error


def begun_record(path: Path, kind: type[T], what: str, *, resume: bool) -> T | None:
    """The record that `what` (as "a search") began with at `path`; None where none has begun there.

    Raises UserError where one has and is not to be resumed.
    """
    if not path.exists():
        return None
    if not resume:
        raise UserError(f"{path.parent} holds {what} already", f"it has a {path.name}", "--resume, or --out NEW")
    return read_record(path, kind)


def with_value(error: Exception, data: Any) -> str:
    """What msgspec says is wrong, and the value that it found there; `data` are JSON types or their bytes.

    Of an entry of a mapping msgspec does not say which it is; then its words stand alone.
    """
    said = str(error)
    place = re.search(r"- at `\$([^`]*)`$", said)
    if place is None or "[...]" in place[1]:
        return said
    value = msgspec.json.decode(data) if isinstance(data, bytes) else data
    for name, number in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", place[1]):
        try:
            value = value[name or int(number)]
        except (KeyError, IndexError, TypeError):
            return said
    return f"{said}: it is {reprlib.repr(value)}"


def _refuse_newer(path: Path, content: bytes) -> None:
    try:
        found = msgspec.json.decode(content, type=dict[str, Any]).get("schema")
    except UNREADABLE as error:
        raise UserError(
            f"{path} is damaged", one_line(error), "restore the file, or make it again with --out NEW"
        ) from error
    if isinstance(found, int) and found > SCHEMA:
        raise UserError(
            f"{path} is newer than this EcoNet",
            f"field `schema` is {found}; this version reads up to {SCHEMA}",
            "install a newer EcoNet",
        )
