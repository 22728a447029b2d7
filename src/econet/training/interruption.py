"""Ctrl-C and SIGTERM end the step, not the run: the loop asks here, saves, and leaves with the right exit code."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """Training was stopped by a signal after its checkpoint was written."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Request:
    """Whether a signal asked to stop."""

    def __init__(self) -> None:
        self.number: int | None = None


@contextmanager
def stop_requests() -> Generator[Request]:
    """Turn the first SIGINT or SIGTERM into a request; a second one leaves at once, as the system would."""
    request = Request()

    def take(number: int, frame: FrameType | None) -> None:
        request.number = number
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, take)
    except ValueError:  # not the main thread: whoever owns the signals decides
        yield request
        return
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
