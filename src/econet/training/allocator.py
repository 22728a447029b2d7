"""Keep freed memory with the process: glibc otherwise maps every block above 32 MiB afresh, ten times slower."""

import ctypes
import sys
from contextlib import suppress

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_NEVER = 2**31 - 1


def keep_large_blocks() -> bool:
    """Ask glibc to reuse large blocks; returns whether it agreed (False on other systems and old versions)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        libc = ctypes.CDLL(None)
        return bool(libc.mallopt(_M_MMAP_THRESHOLD, _NEVER)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, _NEVER))
    except (OSError, AttributeError):  # a libc without mallopt, such as musl
        return False


def give_back() -> None:
    """Return freed memory to the system at once, where the C library can."""
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
