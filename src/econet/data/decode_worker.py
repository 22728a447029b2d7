"""A process that decodes pictures into memory shared with the one that started it.

    python -m econet.data.decode_worker SOCKET MEMORY SLOTS PREPROCESS

SOCKET and MEMORY are file descriptors it inherits, PREPROCESS is that record as JSON. It needs neither torch nor the
user's script: nothing is imported but the decoder, so that no main guard is wanted and no lock or GPU is inherited.
"""

import mmap
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import numpy as np

from econet.images.decode import DecodeError, decode
from econet.images.preprocess import Pixels, Preprocess, resized

# Pictures in one piece of work: enough that its message costs nothing beside it, few enough to share a batch out.
PIECE = 8

# A piece of work: which slot of the memory to fill, with which files. The answer: the row and reason of each failure.
Work = tuple[int, tuple[bytes, ...]]
Faults = dict[int, str]


def slot_bytes(preprocess: Preprocess) -> int:
    """Bytes of one slot: a piece of pictures at the store's size."""
    height, width = preprocess.resize_size
    return PIECE * height * width * preprocess.channels


def slots_in(memory: int, slots: int, preprocess: Preprocess) -> Pixels:
    """The memory behind the file descriptor `memory` as uint8 [slots, PIECE, H, W, C]."""
    shape = (slots, PIECE, *preprocess.resize_size, preprocess.channels)
    return np.frombuffer(mmap.mmap(memory, slots * slot_bytes(preprocess)), np.uint8).reshape(shape)


def decode_into(rows: Pixels, files: tuple[bytes, ...], preprocess: Preprocess) -> Faults:
    """Decode `files` into the first rows of `rows` [PIECE, H, W, C]; one that cannot be leaves its row as it was."""
    faults: Faults = {}
    for row, file in enumerate(files):
        try:
            rows[row] = resized(decode(Path(os.fsdecode(file)), preprocess.channels), preprocess)
        except DecodeError as error:
            faults[row] = error.reason
    return faults


def serve(connection: Connection, slots: Pixels, preprocess: Preprocess) -> None:
    """Decode piece after piece until the other end is closed."""
    while True:
        try:
            slot, files = msgspec.msgpack.decode(connection.recv_bytes(), type=Work)
            connection.send_bytes(msgspec.msgpack.encode(decode_into(slots[slot], files, preprocess)))
        except (EOFError, ConnectionError):
            return


def main(socket: str, memory: str, slots: str, preprocess: str) -> None:
    """Serve what the command line names."""
    # Ctrl-C reaches every process of the terminal; when to stop is for the one that trains to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    record = msgspec.json.decode(preprocess, type=Preprocess)
    serve(Connection(int(socket)), slots_in(int(memory), int(slots), record), record)


if __name__ == "__main__":
    main(*sys.argv[1:])
