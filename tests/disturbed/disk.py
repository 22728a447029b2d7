"""A disk that goes wrong: counts what a process writes, and disturbs its n-th operation.

An operation is a write to a stream, an fsync, a hard link, a rename or the removal of a file that is there. It goes
wrong in one of these ways:

`kill`    the process kills itself, `before`, `halfway` through (a write) or `after` the operation
`ENOSPC`, `EACCES`, `EIO`    the operation fails with that error (a write after half of it), and so does every later one
`cut`     half of a write reaches the disk, and the system reports success
`flip`    one bit of a write is turned over, and the system reports success
`lost`    nothing is done, and the system reports success
`delay`   the operation takes longer

`cut` and `flip` leave alone what is no write.
"""

import errno
import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FAILING = ("ENOSPC", "EACCES", "EIO")
LYING = ("cut", "flip", "lost")
DELAY_S = 0.05
# Streams that write: whole files, journals and locks, and files that are filled in place.
_MODES = ("wb", "ab", "ab+", "r+b")


def die() -> None:
    """The death that nothing can be done about."""
    os.kill(os.getpid(), signal.SIGKILL)


class Disk:
    """The operations of this process on the disk, one of which goes wrong. `counting` may be held back for a while."""

    def __init__(self, fault: str = "kill", operation: int | None = None, moment: str = "before") -> None:
        self.fault, self.operation, self.moment = fault, operation, moment
        self.counting = True
        self.count = 0

    @contextmanager
    def installed(self) -> Generator[None]:
        """While this lasts, in this process."""
        opened, before = Path.open, {name: getattr(os, name) for name in ("fsync", "link", "replace", "unlink")}

        def watched_open(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
            stream = opened(path, mode, *rest, **named)
            return _Stream(stream, self) if mode in _MODES else stream

        Path.open = watched_open
        os.fsync, os.link = self.around(os.fsync), self.around(os.link)
        os.replace, os.unlink = self.around(os.replace), self.around(os.unlink, when=os.path.lexists)
        try:
            yield
        finally:
            Path.open = opened
            for name, act in before.items():
                setattr(os, name, act)

    def around(self, act: Callable[..., Any], when: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
        """`act` as an operation that is done or not; one only `when` its arguments say so."""

        def call(*arguments: Any, **named: Any) -> Any:
            def do(share: float = 1.0) -> Any:
                return act(*arguments, **named) if share else None

            return self._done(do, do) if when(*arguments) else do()

        return call

    def write(self, stream: Any, content: Any) -> int:
        """A write, which may also be done by halves or wrongly."""

        def do(share: float = 1.0) -> None:
            stream.write(content[: round(share * len(content))])
            stream.flush()

        def turned_over() -> None:
            spoilt = bytearray(content)
            spoilt[len(spoilt) // 2] ^= 1
            stream.write(spoilt)

        self._done(do, turned_over, is_write=True)
        return len(content)

    def _done(self, do: Callable[..., Any], turned_over: Callable[[], Any], *, is_write: bool = False) -> Any:
        self.count += self.counting
        lasting = self.fault in FAILING and self.operation is not None and self.count > self.operation
        if not self.counting or (self.count != self.operation and not lasting):
            return do()
        if self.fault == "kill":
            if self.moment != "before":
                do(0.5 if is_write and self.moment == "halfway" else 1.0)
            return die()
        if self.fault in FAILING:
            if is_write and not lasting:
                do(0.5)
            raise OSError(getattr(errno, self.fault), os.strerror(getattr(errno, self.fault)))
        if self.fault == "delay":
            time.sleep(DELAY_S)
            return do()
        if self.fault == "flip":
            return turned_over()
        return do(0.5 if self.fault == "cut" and is_write else float(self.fault == "cut"))


class _Stream:
    """A binary stream whose `write` is an operation."""

    def __init__(self, stream: Any, disk: Disk) -> None:
        self._stream, self._disk = stream, disk

    def write(self, content: Any) -> int:
        return self._disk.write(self._stream, content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> "_Stream":
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
