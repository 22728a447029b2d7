"""`data.jsonl`: a line a file of a photo folder, so that "the data changed" can say what.

Of pictures that stay on disk it has the lines of those set aside alone: there may be millions of others.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from econet.data.dataset import Dataset, FileLine
from econet.errors import UserError, one_line
from econet.files import write_whole

_SHOWN = 5


def write_listing(path: Path, dataset: Dataset) -> None:
    """Write the listing of `dataset` whole; nothing where there is none."""
    if dataset.listing:
        write_whole(path, b"".join(msgspec.json.encode(line) + b"\n" for line in dataset.listing))


def read_listing(path: Path) -> tuple[FileLine, ...]:
    """The lines of a listing. Raises UserError naming the line that is wrong."""
    lines: list[FileLine] = []
    try:
        rows = path.read_bytes().splitlines()
        for row in rows:
            lines.append(msgspec.json.decode(row, type=FileLine))
    except OSError as error:
        raise UserError(f"cannot read {path}", error.strerror or str(error), "check the folder's name") from error
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UserError(
            f"{path} line {len(lines) + 1} is damaged", one_line(error), "restore the file from a copy"
        ) from error
    return tuple(lines)


def describe_change(old_listing_path: Path, dataset: Dataset) -> str:
    """In a sentence, what became of the files since the listing was written: added, removed, changed, moved."""
    if not old_listing_path.exists() or not dataset.listing or dataset.statistics is not None:
        return f"{dataset.source} is not the data it was; no list of its files was kept"
    before = {line.path: line for line in read_listing(old_listing_path)}
    now = {line.path: line for line in dataset.listing}
    both = sorted(before.keys() & now.keys())
    found = {
        "added": sorted(now.keys() - before.keys()),
        "removed": sorted(before.keys() - now.keys()),
        "changed": [path for path in both if now[path].sha256 != before[path].sha256],
        "in another split": [path for path in both if now[path].split != before[path].split],
    }
    parts = [f"{len(paths)} {word} ({_named(paths)})" for word, paths in found.items() if paths]
    if not parts:
        return f"the files of {dataset.source} are the same; they were read at another size or by another version"
    return f"the files of {dataset.source} changed: {', '.join(parts)}"


def _named(paths: Iterable[str]) -> str:
    paths = list(paths)
    return ", ".join(paths[:_SHOWN]) + (", ..." if len(paths) > _SHOWN else "")
