"""Small slices of the bundled Fashion-MNIST, and IDX files of them."""

import gzip
import struct
from pathlib import Path

import numpy as np

import econet

BUNDLED = Path(econet.__file__).parent / "data" / "fashion_mnist"


def first_of(name: str, count: int) -> np.ndarray:
    """The first `count` entries of a bundled IDX file, as uint8."""
    with gzip.open(BUNDLED / name) as stream:
        _, _, kind, dimensions = stream.read(4)
        assert kind == 8
        shape = struct.unpack(f">{dimensions}I", stream.read(4 * dimensions))
        size = int(np.prod(shape[1:], dtype=int))
        return np.frombuffer(stream.read(count * size), np.uint8).reshape(count, *shape[1:])


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write uint8 `values` as a gzipped IDX file."""
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(head + values.tobytes(), compresslevel=1))


def write_clothes(folder: Path) -> None:
    """The first 320 training and 100 test pictures of Fashion-MNIST, as IDX files in a new folder."""
    folder.mkdir(parents=True)
    for split, count in (("train", 320), ("t10k", 100)):
        for kind in ("images-idx3", "labels-idx1"):
            name = f"{split}-{kind}-ubyte.gz"
            write_idx(folder / name, first_of(name, count))
