"""Finding the files of a photo folder without trusting it: nothing is opened, no link leads out, nothing is written.

`docs/images.md` lists what becomes of links, pipes, hidden files and unusual names.
"""

import os
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from econet.errors import UserError

_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
# What Windows does not take in a name, and the devices that it finds behind these words, with any ending.
_FORBIDDEN = frozenset('<>:"/\\|?*')
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})


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
    # Not by recursion: folders may lie in each other more deeply than Python calls.
    open_folders = [iter(_entries(folder))]
    while open_folders:
        entry = next(open_folders[-1], None)
        if entry is None:
            open_folders.pop()
        elif _is_folder(entry):
            open_folders.append(iter(_entries(Path(entry.path))))
        else:
            path = Path(entry.path)
            yield Found(path, _fault(entry, path, root))


def folded(name: str) -> str:
    """What a name is on systems that tell neither upper from lower case nor composed letters from decomposed ones."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def one_elsewhere(names: Iterable[str]) -> list[list[str]]:
    """The groups of two or more of `names` that such systems take for one."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[folded(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def is_portable(name: str) -> bool:
    """Whether Windows can hold a file or folder of that name, and any terminal shows it as it is."""
    plain = name.isprintable() and not _FORBIDDEN & set(name) and not name.endswith((".", " "))
    return plain and name.partition(".")[0].strip().casefold() not in _DEVICES


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
