"""Hostile archives: the named members come out right, or one line says why not; nothing lands anywhere else."""

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from econet.data import download
from econet.data.download import Archive, download_members
from econet.errors import UserError

LARGEST = 1000
SOUND = {"set/a.bin": b"a" * 100, "set/b.bin": b"b" * 200}
DIGESTS = {name.removeprefix("set/"): hashlib.sha256(content).hexdigest() for name, content in SOUND.items()}


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "", **pax: str) -> bytes:
    """One member, its header and padding."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname, entry.pax_headers = len(content), kind, link, pax
    return entry.tobuf(tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def changed(name: str, content: bytes, place: int, value: bytes) -> bytes:
    """A member in whose header some bytes are others; the header's own checksum is right."""
    block = bytearray(member(name, content))
    block[place : place + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


A, B = (member(name, content) for name, content in SOUND.items())
END = bytes(1024)


def packed(*members: bytes) -> bytes:
    return gzip.compress(b"".join(members) + END, 1)


def zeros(count: int) -> bytes:
    return bytes(count)


def in_a_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in SOUND.items():
            archive.writestr(name, content)
    return stream.getvalue()


# Archives with all that is wanted, and something beside it that must not leave them.
HARMLESS: dict[str, Callable[[], bytes]] = {
    "a path that leads up": lambda: packed(member("../../escaped", b"x"), A, B),
    "an absolute path": lambda: packed(member("/tmp/econet-escaped", b"x"), A, B),
    "a link to a folder and a file through it": lambda: packed(
        member("set/away", kind=tarfile.SYMTYPE, link="/tmp"), member("set/away/econet-escaped", b"x"), A, B
    ),
    "a hard link to a file outside": lambda: packed(
        member("set/hard", kind=tarfile.LNKTYPE, link="/etc/hostname"), A, B
    ),
    "a device": lambda: packed(member("set/device", kind=tarfile.CHRTYPE), A, B),
    "a pipe": lambda: packed(member("set/pipe", kind=tarfile.FIFOTYPE), A, B),
    "a path that a later header changes": lambda: packed(member("set/c", b"x", path="../../escaped"), A, B),
    "the wanted names twice": lambda: packed(A, B, member("set/a.bin", b"other")),
    "a link of a wanted name behind the file": lambda: packed(
        A, B, member("set/a.bin", kind=tarfile.SYMTYPE, link="/etc/hostname")
    ),
    "names in other case": lambda: packed(member("SET/A.BIN", b"x"), A, B),
    "a name that is no text": lambda: packed(member("set/\udcff\udcfe", b"x"), A, B),
    "an archive in it": lambda: packed(member("set/inner.tar", A + B + END), A, B),
}
# Archives that lack a member as it should be.
REFUSED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "words": lambda: b"no archive",
    "a web page": lambda: b"<html>log in</html>",
    "gzip of nothing": lambda: packed(),
    "not compressed": lambda: A + B + END,
    "a zip": in_a_zip,
    "cut off": lambda: packed(A, B)[:-30],
    "cut off in a member": lambda: gzip.compress(A + B[:-300]),
    "a wrong checksum of the gzip": lambda: packed(A, B)[:-8] + b"abcdefgh",
    "a wrong checksum of a header": lambda: packed(A, bytes([B[0] ^ 1]) + B[1:]),
    "a link in place of a file": lambda: packed(A, member("set/b.bin", kind=tarfile.SYMTYPE, link="/etc/hostname")),
    "a hard link in place of a file": lambda: packed(A, member("set/b.bin", kind=tarfile.LNKTYPE, link="set/a.bin")),
    "a device in place of a file": lambda: packed(A, member("set/b.bin", kind=tarfile.CHRTYPE)),
    "a block device in place of a file": lambda: packed(A, member("set/b.bin", kind=tarfile.BLKTYPE)),
    "a pipe in place of a file": lambda: packed(A, member("set/b.bin", kind=tarfile.FIFOTYPE)),
    "a folder in place of a file": lambda: packed(A, member("set/b.bin", kind=tarfile.DIRTYPE)),
    "holes in place of a file": lambda: packed(A, member("set/b.bin", bytes(512), tarfile.GNUTYPE_SPARSE)),
    "a member over its limit": lambda: packed(A, member("set/b.bin", bytes(LARGEST + 1))),
    "a size of gigabytes": lambda: packed(A, changed("set/b.bin", b"b", 124, b"77777777777\0")),
    "a size below nothing": lambda: packed(A, changed("set/b.bin", b"b", 124, b"\xff" * 12)),
    "a size that is no number": lambda: packed(A, changed("set/b.bin", b"b", 124, b"9z9z9z9z9z9\0")),
    "a size that a later header changes": lambda: packed(A, member("set/b.bin", b"b" * 200, size="99999999999")),
    "a bomb before the members": lambda: packed(member("set/zeros", zeros(12_000_000)), A, B),
    "a bomb behind the members": lambda: packed(A, member("set/zeros", zeros(12_000_000))),
    "a name of megabytes": lambda: packed(member("././@LongLink", zeros(12_000_000), tarfile.GNUTYPE_LONGNAME), A, B),
    "a header of megabytes": lambda: packed(member("pax", zeros(12_000_000), tarfile.XHDTYPE), A, B),
    "too many members": lambda: packed(*[member(f"set/{number}") for number in range(1100)], A, B),
    "other contents": lambda: packed(A, member("set/b.bin", b"c" * 200)),
    "a name with something in front": lambda: packed(A, member("./../set/b.bin", b"b" * 200)),
    "a wanted name behind nothing": lambda: packed(A, member("set/b.bin\0/../../x", b"c")),
    "headers that contradict": lambda: packed(A, struct.pack("512s", b"set/b.bin")),
}


@pytest.fixture
def get(monkeypatch, tmp_path) -> Callable[[bytes], Path]:
    """Unpack an archive as if it had been fetched; returns the folder. What else changes under `tmp_path` fails."""

    def run(content: bytes) -> Path:
        monkeypatch.setattr(download, "fetch", lambda url, target, md5: target.write_bytes(content))
        archive = Archive(url="http://127.0.0.1:9/set.tar.gz", md5="", largest_member=LARGEST)
        try:
            download_members(archive, "set", ("a.bin", "b.bin"), DIGESTS, tmp_path / "base" / "set")
        finally:
            left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.name != ".lock"}
            assert left <= {"base", "base/set", "base/set/a.bin", "base/set/b.bin"}
            assert not any(path.is_symlink() for path in tmp_path.rglob("*"))
            assert not Path("/tmp/econet-escaped").exists()
        return tmp_path / "base" / "set"

    return run


def test_there_are_thirty_and_more():
    assert len(HARMLESS) + len(REFUSED) >= 30


@pytest.mark.parametrize("kind", HARMLESS)
def test_only_the_named_members_leave_a_hostile_archive(get, kind):
    folder = get(HARMLESS[kind]())
    assert {path.name: path.read_bytes() for path in folder.glob("*.bin")} == {
        "a.bin": SOUND["set/a.bin"],
        "b.bin": SOUND["set/b.bin"],
    }


@pytest.mark.parametrize("kind", REFUSED)
def test_an_archive_without_them_is_refused_in_one_line(get, kind, tmp_path):
    with pytest.raises(UserError, match=r"set\.tar\.gz is not the published archive") as caught:
        get(REFUSED[kind]())
    assert caught.value.why.isprintable()
    assert list((tmp_path / "base" / "set").glob("*.bin")) == []


def test_damaged_archives_are_refused_or_the_same(get):
    whole = b"".join((A, member("set/link", kind=tarfile.SYMTYPE, link="x"), B, END))
    refusals: list[str] = []
    for number in range(120):
        random = np.random.default_rng([17, number])
        content = bytearray(whole)
        for _ in range(int(random.integers(1, 6))):
            content[int(random.integers(0, len(content)))] = int(random.integers(0, 256))
        try:
            folder = get(gzip.compress(bytes(content), 1))
        except UserError as error:
            refusals.append(error.why)
        else:
            assert (folder / "a.bin").read_bytes() == SOUND["set/a.bin"]
            assert (folder / "b.bin").read_bytes() == SOUND["set/b.bin"]
    assert 0 < len(refusals) < 120
    assert all(why.isprintable() for why in refusals)
