"""Finding the files of a photo folder without trusting it: nothing is opened, no link leads out, nothing is written."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from econet.errors import UserError

_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass(frozen=True, slots=True)
class Found:
    """A file below a class folder; `fault` says why it must not be opened, None where it may."""

    path: Path
    fault: str | None


def printable(path: Path | str) -> str:
    """A name as text that any file or terminal takes: bytes that are not UTF-8, and control signs, escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def subfolders(folder: Path) -> list[Path]:
    """The visible folders directly in `folder`, by name. Raises UserError where one is a link, or none may be read."""
    return [Path(entry.path) for entry in _entries(folder) if _is_folder(entry)]


def loose_files(folder: Path) -> list[Path]:
    """The visible entries directly in `folder` that are not folders."""
    return [Path(entry.path) for entry in _entries(folder) if not _is_folder(entry)]


def files_below(folder: Path, root: Path) -> Iterator[Found]:
    """Every visible file at any depth of `folder`, by name; `root` is the resolved folder no link may leave."""
    for entry in _entries(folder):
        path = Path(entry.path)
        if _is_folder(entry):
            yield from files_below(path, root)
        else:
            yield Found(path, _fault(entry, path, root))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            entries = [e for e in found if not (e.name.startswith(".") or e.name.lower() in _SYSTEM_FILES)]
    except OSError as error:
        raise UserError(
            f"cannot read the folder {printable(folder)}",
            error.strerror or str(error),
            "check its name and permissions",
        ) from error
    return sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # Path.is_dir takes a link to itself for no folder, where DirEntry.is_dir raises.
    if entry.is_symlink() and Path(entry.path).is_dir():
        raise UserError(
            f"{printable(entry.path)} is a link to a folder",
            "links to folders are not followed: they can leave the data or lead in circles",
            "put the folder itself there, or give the place it points to",
        )
    return entry.is_dir(follow_symlinks=False)


def _fault(entry: os.DirEntry[str], path: Path, root: Path) -> str | None:
    try:
        if entry.is_symlink() and not path.resolve(strict=True).is_relative_to(root):
            return "a link that leaves the folder"
        regular = stat.S_ISREG(entry.stat().st_mode)
    except (OSError, RuntimeError):
        return "a link that leads nowhere"
    return None if regular else "not a regular file"
