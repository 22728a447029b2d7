"""Fashion-MNIST in its makers' IDX files: the set that comes with EcoNet, or another copy in a folder.

Source of the format: Yann LeCun's MNIST page; two zero bytes, 0x08 for uint8, the number of dimensions, each
dimension as a big-endian 32-bit number, then the values.
"""

import gzip
import hashlib
import io
import struct
import zlib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from econet.data.dataset import Images
from econet.data.sources.source import Source
from econet.errors import UserError

CLASSES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
# SHA-256 as Debian's package dataset-fashion-mnist and the makers' repository have them.
PUBLISHED = {
    "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}
_SUBFOLDER = "fashion-mnist"
# Twelve times Fashion-MNIST: EMNIST, the largest set of the layout, has 814,255 pictures.
MOST_BYTES = 700_000_000


def fashion_mnist(data_dir: Path | None = None) -> Source:
    """60,000 training and 10,000 test pictures of 28 x 28 gray pixels in ten classes.

    Read from the package, checked against the published SHA-256; or from `data_dir` (or its `fashion-mnist/`)
    where IDX files of that name lie there. Raises UserError naming the file that is damaged or missing.
    """
    folder = _given(data_dir)
    published = folder is None
    place: Traversable = resources.files("econet.data") / "fashion_mnist" if folder is None else folder
    parts = {name: _contents(place / name, digest if published else None) for name, digest in PUBLISHED.items()}
    return Source(
        classes=CLASSES,
        train=_pair(place, parts, "train"),
        validation=None,
        test=_pair(place, parts, "t10k"),
    )


def bundled_test_pictures() -> Images:
    """The 10,000 test pictures that come with EcoNet, alone. Raises UserError where a file of theirs is damaged."""
    place = resources.files("econet.data") / "fashion_mnist"
    parts = {name: _contents(place / name, digest) for name, digest in PUBLISHED.items() if name.startswith("t10k")}
    return _pair(place, parts, "t10k")


def _unpacked(packed: bytes) -> bytes:
    """What a gzip holds. Raises ValueError where that is more than any set of this layout has."""
    with gzip.open(io.BytesIO(packed)) as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it unpacks to more than {MOST_BYTES:,} bytes")
    return content


def _given(data_dir: Path | None) -> Path | None:
    """The folder under `data_dir` that holds any of the four files, or None for the bundled set."""
    for folder in (data_dir, data_dir / _SUBFOLDER) if data_dir else ():
        if any((folder / name).is_file() for name in PUBLISHED):
            return folder
    return None


def _contents(path: Traversable, digest: str | None) -> NDArray[np.uint8]:
    """The array in one gzipped IDX file, its checksum first compared where `digest` is known."""
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    if digest is not None and (found := hashlib.sha256(packed).hexdigest()) != digest:
        raise _damaged(path, f"its SHA-256 is {found}, the published one {digest}")
    try:
        return parse_idx(_unpacked(packed))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise _damaged(path, str(error)) from error


def parse_idx(content: bytes) -> NDArray[np.uint8]:
    """The uint8 array in an IDX file's (unpacked) bytes. Raises ValueError saying what is wrong with them."""
    if len(content) < 4 or content[:3] != b"\x00\x00\x08" or not 1 <= content[3] <= 4:
        raise ValueError(f"it begins with {content[:4].hex(' ') or 'nothing'}, not as an IDX file of bytes does")
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise ValueError("it ends inside its header")
    shape = struct.unpack(f">{content[3]}I", content[4:header])
    values = np.frombuffer(content, np.uint8, offset=header)
    expected = int(np.prod(shape, dtype=object))
    if len(values) != expected:
        raise ValueError(f"its header promises {' x '.join(map(str, shape))} values, but {len(values):,} follow")
    # A copy, since torch wants arrays that may be written to, and `content` may not.
    return values.reshape(shape).copy()


def _pair(place: Traversable, parts: dict[str, NDArray[np.uint8]], prefix: str) -> Images:
    """Pictures and labels of one split, checked against each other."""
    images, labels = f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz"
    pixels, marks = parts[images], parts[labels]
    if pixels.ndim != 3 or pixels.shape[1:] != (28, 28):
        raise _damaged(place / images, f"it holds an array of {pixels.shape}, not N pictures of 28 x 28")
    if marks.shape != pixels.shape[:1]:
        raise _damaged(place / labels, f"it holds {marks.size:,} labels for {len(pixels):,} pictures")
    if marks.size == 0 or marks.max() >= len(CLASSES):
        raise _damaged(
            place / labels, f"labels go from 0 to {len(CLASSES) - 1}; the highest here is {marks.max(initial=0)}"
        )
    return Images(pixels=pixels[..., None], labels=marks.astype(np.int64))


def _damaged(path: Traversable, why: str) -> UserError:
    return UserError(
        f"cannot use {path}",
        why,
        "restore the file (or install EcoNet again); without --data-dir the bundled copy is read",
    )
