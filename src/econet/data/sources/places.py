"""Where data sets that do not come with EcoNet are looked for, and where a download puts them."""

import os
from pathlib import Path

SYSTEM_FOLDERS = (Path("/usr/share/datasets"), Path("/usr/local/share/econet"))


def search_folders(data_dir: Path | None) -> list[Path]:
    """The folders in the order they are looked into: `--data-dir`, `$ECONET_DATA`, the user's, the system's."""
    return [folder for folder in (data_dir, _from_environment(), user_folder(), *SYSTEM_FOLDERS) if folder]


def download_folder(data_dir: Path | None) -> Path:
    """Where a download is kept: the first of `--data-dir`, `$ECONET_DATA` and the user's data folder."""
    return data_dir or _from_environment() or user_folder()


def user_folder() -> Path:
    """`$XDG_DATA_HOME/econet`, by default `~/.local/share/econet`."""
    base = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification has relative paths ignored.
    return (Path(base) if Path(base).is_absolute() else _home() / ".local" / "share") / "econet"


def expanded(source: str) -> Path:
    """The path that a person typed, `~` being the home folder; as it stands where no home is known of that name."""
    try:
        return Path(source).expanduser()
    except RuntimeError:
        return Path(source)


def _from_environment() -> Path | None:
    named = os.environ.get("ECONET_DATA", "")
    return Path(named) if named else None


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nonexistent")
