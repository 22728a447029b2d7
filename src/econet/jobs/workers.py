"""Worker processes of a search, each on one thread: started, listened to, and stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import IO

from econet.errors import UserError
from econet.training.interruption import Interrupted

# Stopped in its training, where it has the time to save, or anywhere else.
_STOPPED = {code: number for number in (signal.SIGINT, signal.SIGTERM) for code in (128 + number, -number)}
# A worker that ends with a UserError prints it and returns this.
MEND = 2
# How often a worker looks for the process that started it.
_LOOK_SECONDS = 0.2


def run_workers(module: str, words: Sequence[Sequence[str]], count: int, told: Callable[[str], None]) -> None:
    """Run `python -m module WORDS` once for every one of `words`, `count` at a time, each on one thread.

    Lines on their standard output are handed to `told`. Where one fails the others are stopped: raises UserError with
    what it said, Interrupted where it was stopped by a signal.
    """
    if not words:
        return
    processes: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(count) as pool:
        tasks = [pool.submit(_run, module, each, processes, told) for each in words]
        try:
            for task in as_completed(tasks):
                task.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
            raise


class Parent:
    """The process that started this worker; where it dies, the worker stops by itself."""

    def __init__(self) -> None:
        self._number = os.getppid()
        self._looked = time.monotonic()

    def check(self) -> None:
        """Raise Interrupted where the parent is gone; looks a few times a second at most."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        if os.getppid() != self._number:
            raise Interrupted(signal.SIGTERM)


def _run(
    module: str, words: Sequence[str], processes: list[subprocess.Popen[str]], told: Callable[[str], None]
) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", module, *words]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process,
        ThreadPoolExecutor(1) as pool,
    ):
        processes.append(process)
        faults = pool.submit(_all_of, process.stderr)
        for line in process.stdout or ():
            told(line.rstrip("\n"))
        code, said = process.wait(), faults.result()
    if code in _STOPPED:
        raise Interrupted(_STOPPED[code])
    if code:
        ended = f"it was killed by signal {-code}" if code < 0 else f"it ended with {code}"
        raise UserError(
            "a worker could not go on",
            said.strip() or ended,
            "the same again goes on with what the others finished (--resume, where there is one); fewer --workers need "
            "less memory",
        )


def _all_of(stream: IO[str] | None) -> str:
    return "" if stream is None else stream.read()
