"""Files that are whole or absent: atomic writing, checksums, and one writer to a folder."""

import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from econet.errors import UserError

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a regular file of at most `most`; a pipe or a device is never waited for, a folder never read.

    Raises OSError, whose `strerror` says in words what is wrong.
    """
    _check_regular(path.stat(), path, most)
    # Should a pipe have come in its place by now, opening it must not wait for a writer.
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as stream:
        _check_regular(os.fstat(stream.fileno()), path, most)
        return stream.read(most)


def _check_regular(status: os.stat_result, path: Path, most: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    if status.st_size > most:
        raise OSError(errno.EFBIG, f"it has {status.st_size:,} bytes; at most {most:,} are read", os.fspath(path))


def sha256_of_all(paths: Sequence[Path]) -> str:
    """Hexadecimal SHA-256 of the bytes of several files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write_whole(path: Path, content: bytes, *, keep_previous: Path | None = None) -> None:
    """Put `content` at `path` so that a reader, or a power cut, sees the old file or the new one whole.

    Written to a temporary name beside it, flushed, fsynced, read back, renamed, the folder fsynced.
    With `keep_previous` the file that stood there stays under that name, hard-linked before the rename.
    Raises UserError where the folder cannot be written, the disk is full or what it holds is not what was written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            for start in range(0, len(content), _CHUNK):
                stream.write(content[start : start + _CHUNK])
            stream.flush()
            os.fsync(stream.fileno())
        _check_kept(temporary, content, at=0)
        if keep_previous is not None and path.exists():
            _link_over(path, keep_previous)
        _put(temporary, path)
    except OSError as error:
        _remove_quietly(temporary)
        raise cannot_write(path, error) from error


def write_text(path: Path, text: str) -> None:
    """`write_whole` for UTF-8 text."""
    write_whole(path, text.encode())


def append_line(path: Path, line: str) -> None:
    """Append one line of a journal, flush it to disk and read it back; a kill may tear it, never an earlier one.

    Raises UserError where it cannot be written; the journal is then as it was.
    """
    content, before = line.encode() + b"\n", None
    try:
        with path.open("ab") as stream:
            before = stream.tell()
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        _check_kept(path, content, at=before)
    except OSError as error:
        if before is not None:
            with suppress(OSError):
                os.truncate(path, before)
        raise cannot_write(path, error) from error


def _check_kept(path: Path, content: bytes, *, at: int) -> None:
    """Raises OSError where the file does not end in `content` from byte `at` on, whatever the system reported."""
    with path.open("rb") as stream:
        stream.seek(at)
        kept = all(stream.read(_CHUNK) == content[start : start + _CHUNK] for start in range(0, len(content), _CHUNK))
        if not kept or stream.read(1):
            raise OSError(errno.EIO, "what it holds is not what was written", os.fspath(path))


def rename(path: Path, name: Path) -> None:
    """Give the file at `path` another name in its folder, whatever bore it before. Raises UserError where it cannot."""
    try:
        _put(path, name)
    except OSError as error:
        raise cannot_write(name, error) from error


def _put(path: Path, name: Path) -> None:
    path.replace(name)
    _fsync_folder(name.parent)
    if path.exists():
        raise OSError(errno.EIO, "the system reported a rename that it did not do", os.fspath(name))


def remove(*paths: Path) -> None:
    """Remove files; one that is not there is passed over. Raises UserError where the folder does not let one go."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> UserError:
    """The error for a failed write: no room, no permission, or what the system said."""
    return UserError(
        f"cannot write {path}",
        error.strerror or str(error),
        "free some space or choose another folder with --out; what was written before is unharmed",
    )


def check_writable(folder: Path) -> None:
    """Make `folder` and prove that a file can be written there, before hours are spent. Raises UserError."""
    probe = folder / f".writable.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        _remove_quietly(probe)
        raise cannot_write(folder, error) from error


@contextmanager
def folder_lock(folder: Path) -> Generator[None]:
    """Hold `folder/.lock` while a process writes there; readers are never stopped.

    An OS lock (flock), so a dead holder's lock is void by itself.
    Raises UserError that names the holder where another process writes there.
    """
    check_writable(folder)
    path = folder / ".lock"
    try:
        stream = path.open("ab+", buffering=0)
    except OSError as error:
        raise cannot_write(path, error) from error
    with stream:
        _take(stream, folder)
        _remove_leftovers(folder)
        try:
            stream.truncate(0)
            stream.write(json.dumps({"pid": os.getpid()}).encode())
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            yield
        finally:
            fcntl.flock(stream, fcntl.LOCK_UN)


def _take(stream: IO[bytes], folder: Path) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.seek(0)
        holder = stream.read().decode(errors="replace").strip() or "a process that has not yet said its name"
        raise UserError(
            f"another process is writing in {folder}",
            f"its lock is held by {holder}",
            "wait for it, stop it, or choose another folder with --out",
        ) from None


def _remove_leftovers(folder: Path) -> None:
    """Drop the temporary files of writers that were killed; their names end in the writer's pid and a word."""
    for leftover in (*folder.glob(".*.part"), *folder.glob(".*.link")):
        pid = leftover.name.split(".")[-2]
        if pid.isdecimal() and not _is_alive(int(pid)):
            _remove_quietly(leftover)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # alive, and another user's
        return True
    return True


def link_over(path: Path, previous: Path) -> None:
    """Let `previous` be another name of the file at `path`, in place of what it was the name of.

    Raises UserError where the folder does not let it.
    """
    try:
        _link_over(path, previous)
    except OSError as error:
        raise cannot_write(previous, error) from error


def _link_over(path: Path, previous: Path) -> None:
    link = previous.with_name(f".{previous.name}.{os.getpid()}.link")
    _remove_quietly(link)
    os.link(path, link)
    link.replace(previous)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_quietly(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
