"""Downloads that resume and are checked: a file comes into place whole and right, or not at all.

An archive is never extracted: its wanted members are read into memory, under a cap, and written by name.
"""

import gzip
import hashlib
import http.client
import io
import struct
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from econet.errors import UserError, one_line
from econet.files import check_writable, folder_lock, write_whole

ATTEMPTS = 5
TIMEOUT_S = 30
_CHUNK = 1 << 18
# The sets that are fetched have some 170 MB; a server that announces more than this gives something else.
MOST_BYTES = 2_000_000_000
# The makers' archives have ten members each.
MOST_MEMBERS = 1_000
# Besides its members a tar has headers, and their padding.
_OVERHEAD = 10_000_000


@dataclass(frozen=True, slots=True)
class Archive:
    """A .tar.gz on the net: the MD5 its makers publish, and the most bytes any wanted member may have."""

    url: str
    md5: str
    largest_member: int


def download_members(
    archive: Archive, inside: str, members: Iterable[str], digests: dict[str, str], folder: Path
) -> None:
    """Fetch `archive` and write its files `inside/<member>` to `folder`, each checked against `digests` (SHA-256).

    Raises UserError where the net, the disk or a checksum fails; what was fetched of a cut connection is kept as
    a `.part` file, and the next call goes on from there.
    """
    folder = folder.absolute()
    packed = folder.parent / archive.url.rsplit("/", 1)[1]
    _check_writable(folder)
    with folder_lock(folder):
        fetch(archive.url, packed, archive.md5)
        _unpack(packed, inside, tuple(members), digests, folder, archive.largest_member)
        packed.unlink()


def _check_writable(folder: Path) -> None:
    """Raises UserError where nothing can be kept in `folder`, as without a home folder."""
    try:
        check_writable(folder)
    except UserError as error:
        raise UserError(
            error.what, error.why, "--data-dir with a folder that can be written, or $ECONET_DATA"
        ) from error


def fetch(url: str, target: Path, md5: str) -> None:
    """Download `url` to `target`, resuming `target.part` and going on after a cut connection.

    Raises UserError; a wrong checksum or a web page in place of the file leaves nothing behind.
    """
    part = target.with_name(target.name + ".part")
    total = None
    for _ in range(ATTEMPTS):
        before = _size(part)
        total = _fetch_some(url, part)
        if _size(part) == total:
            break
        if _size(part) <= before:
            raise _failed(url, f"the connection gave nothing after {before:,} bytes")
    else:
        raise _failed(url, f"the connection was cut {ATTEMPTS} times; {_size(part):,} of {total:,} bytes are here")
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, "md5").hexdigest()
    if found != md5:
        part.unlink()
        raise UserError(
            f"what came from {url} is not the published file", f"its MD5 is {found}, not {md5}", "try again later"
        )
    part.replace(target)


def _fetch_some(url: str, part: Path) -> int:
    """Append to `part` what one connection gives; returns the whole file's size as the server tells it."""
    start = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            total = _announced(url, response, start)
            resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
            _copy(response, part, start if resumed else 0, total)
            return total
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise _failed(url, f"the server answers {error.code} {error.reason}") from error
        # The whole file was here already; the checksum will tell.
        return start
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        raise _failed(url, str(error)) from error


def _announced(url: str, response: http.client.HTTPResponse, start: int) -> int:
    """The whole file's size from the headers; refuses a web page and an answer to another range."""
    if response.headers.get_content_type() == "text/html":
        raise _failed(url, "a web page came in place of the file (a login or an error page)")
    length = response.headers.get("Content-Length", "")
    if not length.isdecimal() or len(length) > 18:
        raise _failed(url, "the server does not say how long the file is")
    if start + int(length) > MOST_BYTES:
        raise _failed(url, f"it would have {start + int(length):,} bytes; at most {MOST_BYTES:,} are fetched")
    if response.status == http.HTTPStatus.OK:
        return int(length)
    span = response.headers.get("Content-Range", "")
    if not span.startswith(f"bytes {start}-"):
        raise _failed(url, f"bytes from {start} on were asked for, the server answers {span or 'no range'!r}")
    return start + int(length)


def _copy(response: http.client.HTTPResponse, part: Path, start: int, total: int) -> None:
    """Write the answer behind the first `start` bytes of `part`; a cut connection ends it early."""
    try:
        stream = _open_at(part, start)
    except OSError as error:
        raise _no_room(part, error, total) from error
    with stream:
        while chunk := _next_chunk(response):
            try:
                _append(stream, chunk)
            except OSError as error:
                raise _no_room(part, error, total) from error


def _next_chunk(response: http.client.HTTPResponse) -> bytes:
    """What has come by now; nothing where the connection ended or stalls."""
    try:
        # Not read(): where the rest of a chunk never comes, that would throw away what did.
        return response.read1(_CHUNK)
    except http.client.IncompleteRead as cut:
        return cut.partial
    except OSError:
        return b""


def _open_at(part: Path, start: int) -> IO[bytes]:
    part.parent.mkdir(parents=True, exist_ok=True)
    stream = part.open("ab")
    stream.truncate(start)
    return stream


def _append(stream: IO[bytes], chunk: bytes) -> None:
    """The one place where downloaded bytes reach the disk."""
    stream.write(chunk)
    stream.flush()


def _unpack(
    packed: Path, inside: str, members: tuple[str, ...], digests: dict[str, str], folder: Path, largest: int
) -> None:
    """Read the named regular members into memory, check them all, then write each whole."""
    try:
        found = _members(packed, {f"{inside}/{name}": name for name in members}, largest)
    # Besides its own errors tarfile raises ValueError, struct's and zlib's errors and others for damaged headers.
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, zlib.error, struct.error) as error:
        raise _bad_archive(packed, one_line(error)) from error
    for name in members:
        if name not in found:
            raise _bad_archive(packed, f"it has no regular file {inside}/{name} of at most {largest:,} bytes")
        if name in digests and hashlib.sha256(found[name]).hexdigest() != digests[name]:
            raise _bad_archive(packed, f"{inside}/{name} does not have the SHA-256 {digests[name]}")
    for name, content in found.items():
        write_whole(folder / name, content)


class _Capped(io.RawIOBase):
    """What a gzip unpacks to, at most so many bytes: a small file may hold terabytes of zeros."""

    def __init__(self, stream: gzip.GzipFile, most: int) -> None:
        self._stream = stream
        self._left = most

    def read(self, size: int = -1, /) -> bytes:
        """The next `size` bytes. Raises OSError where more than was allowed would have come."""
        content = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(content)
        if self._left < 0:
            raise OSError("it unpacks to far more than its members may have")
        return content


def _members(packed: Path, wanted: dict[str, str], largest: int) -> dict[str, bytes]:
    """The contents of those regular members that are `wanted`, in one pass; of several of one name the first."""
    found: dict[str, bytes] = {}
    with gzip.open(packed) as unpacked:
        capped = _Capped(unpacked, len(wanted) * largest + _OVERHEAD)
        # "|": the stream is read on and on, never sought in.
        with tarfile.open(fileobj=capped, mode="r|") as archive:
            for number, entry in enumerate(archive):
                if number >= MOST_MEMBERS:
                    raise OSError(f"it has more than {MOST_MEMBERS:,} members")
                name = wanted.get(entry.name)
                if name is None or name in found or entry.type not in tarfile.REGULAR_TYPES or entry.issparse():
                    continue
                stream = archive.extractfile(entry) if entry.size <= largest else None
                if stream is not None:
                    found[name] = stream.read()
    return found


def _bad_archive(packed: Path, why: str) -> UserError:
    packed.unlink(missing_ok=True)
    return UserError(f"{packed.name} is not the published archive", why, "try the download again later")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _failed(url: str, why: str) -> UserError:
    return UserError(
        f"cannot download {url}",
        why,
        "the same command again goes on from where it stopped; or fetch the file by hand",
    )


def _no_room(part: Path, error: OSError, total: int) -> UserError:
    return UserError(
        f"cannot write {part}",
        error.strerror or str(error),
        f"the download needs {total / 1e6:.0f} MB there, and as much again unpacked; or choose another --data-dir",
    )
