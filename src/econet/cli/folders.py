"""Where a command writes when no folder is named, and the command that goes on there."""

import os
import re
import shlex
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from econet.errors import UserError


def output_folder(asked: Path | None, *, resume: bool, data: str, model: str) -> Path:
    """The folder asked for, else `runs/<data>-<model>-<time>` by the local clock.

    Raises UserError where a folder must be named: to go on in it, or so that several processes share it.
    """
    if asked is not None:
        return asked
    if resume:
        raise UserError("--resume was given without --out", "which folder to go on with is not clear", "--out FOLDER")
    if "RANK" in os.environ:
        raise UserError("no --out was given", "processes that train together share one folder", "--out FOLDER")
    name = Path(data).name or Path(data).resolve().name
    words = [re.sub(r"[^\w.]+", "-", word).strip("-.") or "data" for word in (name, model)]
    return Path("runs") / f"{'-'.join(words)}-{datetime.now():%Y%m%d-%H%M%S}"


def again(words: Sequence[str], *, without: Collection[str] = (), more: Sequence[str] = ()) -> str:
    """The command line `words`, without the options named and their values, and with `more` behind it.

    `without` names an option that takes a value with a trailing `=`: `--out=`.
    """
    kept: list[str] = []
    skip = False
    for word in words:
        option = word.split("=", 1)[0]
        if skip:
            skip = False
        elif f"{option}=" in without:
            skip = "=" not in word
        elif word not in without:
            kept.append(word)
    return shlex.join(["econet", *kept, *more])


def resume_command(words: Sequence[str], folder: Path) -> str:
    """The command that goes on with what `words` began in `folder`."""
    return again(words, without=("--out=", "--resume"), more=("--resume", "--out", str(folder)))
