"""Decoding on worker processes, ahead of whoever takes the pictures and in the order they were asked for.

The pixels never travel: workers write them into a ring of slots in shared memory, and only file names and failures go
through sockets. The memory is anonymous (`memfd`): it ends with the last process that holds it, however that dies, and
a container's small /dev/shm does not limit it.
"""

import os
import subprocess
import sys
import tempfile
import weakref
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from econet.data.decode_worker import Faults, slot_bytes, slots_in
from econet.data.sources.photo_files import printable
from econet.errors import UserError
from econet.images.preprocess import Pixels, Preprocess

# What is decoded ahead of the taker: a few batches, and two pieces for each worker whatever they weigh.
AHEAD_BYTES = 128_000_000
MOST_SLOTS = 64
_LEAST_AHEAD = 2
# The limits of `images.limits` let a piece take half a minute at most; a worker that is still silent then hangs.
_SILENT_S = 300
# One thread each, as the processes stand beside each other; and glibc keeps what a picture needed for the next one: by
# itself it gives the memory back and gets it again page by page, which took a third of the time (4.0 ms for 2.7).
_WORKER_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_MMAP_THRESHOLD_": str(2**31 - 1),
}


class Decoders:
    """Worker processes that bring files to the store's size; started when first needed, ended with this object."""

    def __init__(self, preprocess: Preprocess, workers: int | None = None) -> None:
        self._preprocess = preprocess
        self._count = workers or usual_workers()
        fitting = min(MOST_SLOTS, AHEAD_BYTES // slot_bytes(preprocess))
        self._count_slots = max(_LEAST_AHEAD * self._count, fitting)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._connections: list[Connection] = []
        self._slots: Pixels | None = None
        self._under_way: deque[tuple[bytes, ...]] = deque()
        self._sent = 0
        self._received = 0
        self._turn = 0

    def decoded(self, pieces: Iterable[Sequence[bytes]]) -> Generator[tuple[Pixels, Faults]]:
        """Of each piece (up to PIECE files) in turn the pictures, uint8 [n, H, W, C], and the failures by row.

        The pictures are valid until the next piece is taken. A second call ends what an unfinished first one began.
        Raises UserError that names the files where a worker was killed or does not answer.
        """
        slots = self._begin()
        turn = self._turn
        lengths: deque[int] = deque()
        for piece in pieces:
            if len(lengths) == len(slots):
                yield self._receive(slots, lengths.popleft())
                self._check(turn)
            self._send(piece)
            lengths.append(len(piece))
        while lengths:
            yield self._receive(slots, lengths.popleft())
            self._check(turn)

    def _begin(self) -> Pixels:
        """The slots, with no piece under way."""
        if self._slots is None:
            self._slots = self._start()
        while self._received < self._sent:
            self._receive(self._slots, 0)
        self._turn += 1
        return self._slots

    def _check(self, turn: int) -> None:
        if turn != self._turn:
            raise RuntimeError("these pictures were given up when others were asked for")

    def _start(self) -> Pixels:
        memory = _anonymous_memory(self._count_slots * slot_bytes(self._preprocess))
        try:
            for _ in range(self._count):
                ours, theirs = Pipe()
                with theirs:
                    self._processes.append(_worker(theirs.fileno(), memory, self._count_slots, self._preprocess))
                self._connections.append(ours)
            return slots_in(memory, self._count_slots, self._preprocess)
        finally:
            os.close(memory)
            weakref.finalize(self, _end, self._processes, self._connections)

    def _send(self, files: Sequence[bytes]) -> None:
        work = (self._sent % self._count_slots, tuple(files))
        self._under_way.append(work[1])
        try:
            self._connections[self._sent % self._count].send_bytes(msgspec.msgpack.encode(work))
        except OSError as error:
            raise self._lost(self._sent) from error
        self._sent += 1

    def _receive(self, slots: Pixels, length: int) -> tuple[Pixels, Faults]:
        """The oldest piece under way. A worker answers in the order it was asked, so this one's answer comes next."""
        connection = self._connections[self._received % self._count]
        try:
            if not connection.poll(_SILENT_S):
                self._processes[self._received % self._count].kill()
            answer = connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise self._lost(self._received) from error
        slot = slots[self._received % self._count_slots]
        self._received += 1
        self._under_way.popleft()
        return slot[:length], msgspec.msgpack.decode(answer, type=Faults)

    def _lost(self, piece: int) -> Exception:
        code = self._processes[piece % self._count].wait()
        files = ", ".join(printable(os.fsdecode(file)) for file in self._under_way[piece - self._received])
        if code < 0:
            return UserError(
                f"a process that decodes pictures was ended by signal {-code}, at one of {files}",
                "where nobody sent it, the system was out of memory, or a picture took minutes",
                "more memory, or fewer programs at once; then go on with --resume",
            )
        return RuntimeError(f"a process that decodes pictures ended with code {code}, at one of {files}")


def usual_workers() -> int:
    """One worker a core, shared among the processes of this machine that train together."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _anonymous_memory(size: int) -> int:
    """A file descriptor of `size` bytes that no folder lists."""
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("econet-pictures")
    else:
        with tempfile.TemporaryFile() as unnamed:
            memory = os.dup(unnamed.fileno())
    os.ftruncate(memory, size)
    return memory


def _worker(socket: int, memory: int, slots: int, preprocess: Preprocess) -> subprocess.Popen[bytes]:
    words = [str(socket), str(memory), str(slots), msgspec.json.encode(preprocess).decode()]
    code = str(Path(__file__).resolve().parents[2])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([code, *filter(None, [os.environ.get("PYTHONPATH")])]),
        **_WORKER_ENVIRONMENT,
    }
    command = [sys.executable, "-m", "econet.data.decode_worker", *words]
    return subprocess.Popen(command, env=environment, pass_fds=(socket, memory), stdin=subprocess.DEVNULL)


def _end(processes: list[subprocess.Popen[bytes]], connections: list[Connection]) -> None:
    """They own nothing that could be left half-written."""
    for connection in connections:
        connection.close()
    for process in processes:
        process.kill()
        process.wait()
