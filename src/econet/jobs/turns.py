"""Trainings of one search take turns with timings: a latency is never measured while another worker computes.

Two locks of the system, void by themselves when their holder dies. Whoever computes shares `turns`; whoever times
announces it by holding `gate`, waits until the others have let go of `turns` between two of their steps, and has the
machine to itself.
"""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self


class Turns:
    """One process's part in the turns of the search in `folder`; used in a `with`, which closes its files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._gate: IO[bytes] = (folder / ".gate").open("ab")
        self._turns: IO[bytes] = (folder / ".turns").open("ab")
        self._working = False

    @contextmanager
    def working(self) -> Generator[None]:
        """Compute; waits for a timing that is going on or announced. Call `give_way` often inside."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def give_way(self) -> None:
        """Between two steps: where somebody wants to time, let go until it is done."""
        if not self._working:
            return
        try:
            fcntl.flock(self._gate, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            self._leave()
            self._enter()
        else:
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    @contextmanager
    def timing(self) -> Generator[None]:
        """Time with nobody else at work; what this process was doing itself it has let go of meanwhile."""
        was_working = self._working
        if was_working:
            self._leave()
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        fcntl.flock(self._turns, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._turns, fcntl.LOCK_UN)
            fcntl.flock(self._gate, fcntl.LOCK_UN)
            if was_working:
                self._enter()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Let go of both files."""
        self._gate.close()
        self._turns.close()

    def _enter(self) -> None:
        fcntl.flock(self._gate, fcntl.LOCK_SH)
        fcntl.flock(self._turns, fcntl.LOCK_SH)
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        self._working = True

    def _leave(self) -> None:
        self._working = False
        fcntl.flock(self._turns, fcntl.LOCK_UN)


@contextmanager
def alone(path: Path) -> Generator[None]:
    """Hold the lock file `path` alone, waiting for it as long as it takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(stream, fcntl.LOCK_UN)


@contextmanager
def among_others(path: Path) -> Generator[None]:
    """Hold the lock file `path` together with others; `alone` waits for all of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(stream, fcntl.LOCK_UN)
