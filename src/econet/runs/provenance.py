"""Where a record comes from: when, by which command, from which version of the code."""

import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path


def now() -> str:
    """The present moment as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def command() -> str:
    """The command that runs now, as one would type it again."""
    name = Path(sys.argv[0]).name or "python"
    return shlex.join(["econet" if name == "__main__.py" else name, *sys.argv[1:]])


@cache
def git_commit() -> str | None:
    """The commit of the checkout this code lies in; None where it was installed without one."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def relative_to(path: Path, folder: Path) -> str:
    """`path` as seen from `folder`, so that both can be moved together; absolute across drives."""
    try:
        return os.path.relpath(path.resolve(), folder.resolve())
    except ValueError:
        return str(path.resolve())
