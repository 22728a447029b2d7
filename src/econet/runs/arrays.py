"""Reading the arrays of a `.npz` that may come from a stranger: no pickle, no more memory than the file may mean."""

import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.errors import UserError, one_line
from econet.files import read_regular

# Float16 probabilities of a thousand classes for fifty thousand pictures take 100 MB.
MOST_BYTES = 2_000_000_000
# What zip's, numpy's and zlib's readers run into; a header that promises terabytes ends in a MemoryError.
_DAMAGE = (ValueError, KeyError, EOFError, TypeError, SyntaxError, NotImplementedError, RuntimeError, MemoryError)
_BROKEN = (*_DAMAGE, zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError)


def read_arrays(
    path: Path, names: Iterable[str], what: str, remedy: str, *, if_there: Iterable[str] = ()
) -> dict[str, NDArray[Any]]:
    """Those arrays of the file `path` that are `names`, and those of `if_there` that it has.

    Raises UserError ("cannot read `what` in `path`", and `remedy`) where it is absent, damaged, lacks one of them, or
    would unpack to more than 2 GB.
    """
    try:
        content = read_regular(path, MOST_BYTES)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise ValueError(f"it unpacks to more than {MOST_BYTES:,} bytes")
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            found = (*names, *(name for name in if_there if name in stored.files))
            return {name: stored[name] for name in found}
    except OSError as error:
        raise UserError(f"cannot read {what} in {path}", error.strerror or one_line(error), remedy) from error
    except _BROKEN as error:
        raise UserError(f"cannot read {what} in {path}", one_line(error), remedy) from error
