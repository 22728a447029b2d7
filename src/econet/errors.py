"""The one error a person can put right: what is wrong, why, and what to do."""

import difflib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """Something the user can mend; the terminal prints it without a traceback and exits with 2."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what, why, remedy)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        return f"error: {self.what}\n  why: {self.why}\n  try: {self.remedy}"


def one_line(text: object, most: int = 200) -> str:
    """What a library or a file says, fit for a line: its first one, control signs escaped, at most `most` letters."""
    line = next(iter(str(text).strip().splitlines()), "")
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line[:most])
    return shown or f"{type(text).__name__} without a word"


@contextmanager
def read_from(path: Path) -> Generator[None]:
    """Name the file in a UserError about what was recorded in it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error.what}", error.why, error.remedy) from error


def is_out_of_memory(error: BaseException) -> bool:
    """MemoryError, or torch's own kinds, told by name and words so that torch need not be imported."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a misspelt `name` of a `kind` ("model", "data"), with the nearest known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    remedy = f"did you mean {' or '.join(near)}?" if near else f"one of: {', '.join(names)}"
    return UserError(f"unknown {kind} {name!r}", f"EcoNet knows no {kind} of that name", remedy)
