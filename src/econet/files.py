"""Files that are whole or absent: atomic writing, checksums, and one writer to a folder."""

import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
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

    Written to a temporary name beside it, flushed, fsynced, renamed, the folder fsynced, its size checked.
    With `keep_previous` the file that stood there stays under that name, hard-linked before the rename.
    Raises UserError where the folder cannot be written or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            for start in range(0, len(content), _CHUNK):
                stream.write(content[start : start + _CHUNK])
            stream.flush()
            os.fsync(stream.fileno())
        if keep_previous is not None and path.exists():
            link_over(path, keep_previous)
        temporary.replace(path)
        _fsync_folder(path.parent)
    except OSError as error:
        _remove_quietly(temporary)
        raise cannot_write(path, error) from error
    if path.stat().st_size != len(content):
        raise OSError(f"{path} has {path.stat().st_size} bytes after writing {len(content)}")


def write_text(path: Path, text: str) -> None:
    """`write_whole` for UTF-8 text."""
    write_whole(path, text.encode())


def append_line(path: Path, line: str) -> None:
    """Append one line of a journal and flush it to disk; a kill may tear this line, never an earlier one."""
    try:
        with path.open("ab") as stream:
            stream.write(line.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
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
    probe = folder / f".writable.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error


@contextmanager
def folder_lock(folder: Path) -> Generator[None]:
    """Hold `folder/.lock` while a process writes there; readers are never stopped.

    An OS lock (flock), so a dead holder's lock is void by itself.
    Raises UserError that names the holder where another process writes there.
    """
    check_writable(folder)
    path = folder / ".lock"
    with path.open("a+") as stream:
        _take(stream, folder)
        _remove_leftovers(folder)
        stream.seek(0)
        stream.truncate()
        json.dump({"pid": os.getpid()}, stream)
        stream.flush()
        try:
            yield
        finally:
            fcntl.flock(stream, fcntl.LOCK_UN)


def _take(stream: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.seek(0)
        holder = stream.read().strip() or "a process that has not yet said its name"
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
    """Let `previous` be another name of the file at `path`, in place of what it was the name of."""
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
    path.unlink(missing_ok=True)
