"""`<artifact>.proof.npz`: written whole, and read as what a stranger may have made. The format is in docs/proof.md."""

import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from econet.errors import UserError
from econet.files import write_whole
from econet.images.preprocess import Pixels
from econet.runs.beside import beside
from econet.runs.proof_records import ProofHead
from econet.runs.record import SCHEMA

Floats = NDArray[np.float32]

# A proof of a network of 256 x 256 pixels takes 0.4 MB; these limits only keep hostile files from taking memory.
_MOST_BYTES = 32_000_000
_MOST_UNPACKED = 128_000_000
_MOST_ENTRIES = 300
_MOST_PHOTOS = 100
_MOST_SIDE = 8192
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}\.[a-z0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Proof:
    """What a file must answer. N photos, K classes, the first M of them also as pixels at the store's size.

    `photos` are encoded files, `decoded` [h, w, C] their uint8 pixels; `pixels` [M, H, W, C] the first M resized.
    `logits` [N, K] are float32. A logit may be off by `tolerance` [N] where a program starts from the photos, and by
    `pixel_tolerance` [M] where it starts from `pixels`.
    """

    head: ProofHead
    photos: tuple[bytes, ...]
    decoded: tuple[Pixels, ...]
    pixels: Pixels
    logits: Floats
    tolerance: Floats
    pixel_tolerance: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the photos."""
        return tuple(photo.name for photo in self.head.photos)


class _Refused(Exception):
    """Why a file is no proof."""


def proof_path(artifact: Path) -> Path:
    """`model.int8.onnx` -> `model.int8.proof.npz` beside it."""
    return beside(artifact, "proof.npz")


def write_proof(path: Path, proof: Proof) -> None:
    """Write a proof whole or not at all; the same proof gives the same bytes."""
    arrays: dict[str, NDArray[Any]] = {
        "proof": np.frombuffer(msgspec.json.encode(proof.head), np.uint8),
        "pixels": proof.pixels,
        "logits": proof.logits,
        "tolerance": proof.tolerance,
        "pixel_tolerance": proof.pixel_tolerance,
    }
    for number, (photo, decoded) in enumerate(zip(proof.photos, proof.decoded, strict=True)):
        arrays[f"photo_{number:02}"] = np.frombuffer(photo, np.uint8)
        arrays[f"decoded_{number:02}"] = decoded
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_whole(path, buffer.getvalue())


def read_proof(path: Path) -> Proof:
    """Read and check a proof. Raises UserError where it is absent, damaged, hostile or newer."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _refused(path, f"it has {path.stat().st_size:,} bytes; at most {_MOST_BYTES:,} are read")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"cannot read the proof {path}",
            error.strerror or str(error),
            "`econet export` writes it beside the file; where it lies elsewhere, --proof FILE",
        ) from error
    arrays = read_arrays(content, path)
    try:
        return _checked(arrays)
    except (_Refused, msgspec.MsgspecError, ValueError) as error:
        raise _refused(path, str(error)) from error


def read_arrays(content: bytes, path: Path) -> dict[str, NDArray[Any]]:
    """The uint8 and float32 arrays in the bytes of an .npz file read from `path`. Raises UserError for any other file.

    No object is unpickled, and no more memory is taken than the limits here allow.
    """
    try:
        return _arrays(content)
    except (_Refused, zipfile.BadZipFile, zlib.error, EOFError, ValueError, OverflowError) as error:
        raise _refused(path, str(error)) from error
    except (NotImplementedError, RuntimeError, KeyError, OSError) as error:  # zipfile's, for packings it does not know
        raise _refused(path, f"it is packed in a way that no proof is ({error})") from error


def _refused(path: Path, why: str) -> UserError:
    reason = (why.strip().splitlines() or ["it is damaged"])[0]
    return UserError(
        f"{path} is not a proof EcoNet can use", reason, "restore it, or make it again with `econet export`"
    )


def _arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file, each within the limits; no pickled object is ever opened."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        entries = packed.infolist()
        names = [entry.filename for entry in entries]
        if len(entries) > _MOST_ENTRIES or len(set(names)) < len(names):
            raise _Refused(f"it has {len(entries)} entries, or two of one name")
        left = _MOST_UNPACKED
        found: dict[str, NDArray[Any]] = {}
        for entry in entries:
            with packed.open(entry) as stream:
                unpacked = stream.read(left + 1)
            left -= len(unpacked)
            if left < 0:
                raise _Refused(f"unpacked it has over {_MOST_UNPACKED:,} bytes")
            found[entry.filename.removesuffix(".npy")] = _array(unpacked, entry.filename)
    return found


def _array(content: bytes, name: str) -> NDArray[Any]:
    """The uint8 or float32 array in the bytes of an .npy file, whose header is compared with what follows it."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise _Refused(f"{name} is not an array in the .npy format, version 1.0")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(stream)
    if kind not in (np.dtype(np.uint8), np.dtype("<f4")):
        raise _Refused(f"{name} holds {kind}; a proof holds uint8 and float32 alone")
    size = prod(shape) * kind.itemsize
    if fortran or min(shape, default=0) < 0 or size != len(content) - stream.tell():
        raise _Refused(f"{name} says {shape} of {kind}, which is not what follows")
    return np.frombuffer(content, kind, offset=stream.tell()).reshape(shape)


def _checked(arrays: dict[str, NDArray[Any]]) -> Proof:
    head = _head(arrays)
    count, channels, classes = len(head.photos), head.preprocess.channels, len(head.classes)
    numbers = range(count)
    proof = Proof(
        head=head,
        photos=tuple(_taken(arrays, f"photo_{number:02}", np.uint8, (None,)).tobytes() for number in numbers),
        decoded=tuple(_taken(arrays, f"decoded_{number:02}", np.uint8, (None, None, channels)) for number in numbers),
        pixels=_taken(arrays, "pixels", np.uint8, (None, *head.preprocess.resize_size, channels)),
        logits=_taken(arrays, "logits", np.float32, (count, classes)),
        tolerance=_taken(arrays, "tolerance", np.float32, (count,)),
        pixel_tolerance=_taken(arrays, "pixel_tolerance", np.float32, (None,)),
    )
    rows = len(proof.pixels)
    if not 1 <= rows <= count or proof.pixel_tolerance.shape != (rows,):
        raise _Refused(f"it has pixels of {rows} photos, and {count} photos")
    sides = [side for decoded in proof.decoded for side in decoded.shape[:2]]
    if not 1 <= min(sides) <= max(sides) <= _MOST_SIDE:
        raise _Refused(f"a photo has a side of {min(sides)} or {max(sides)} pixels")
    unsized = head.preprocess.resize == "none"
    if unsized and {decoded.shape[:2] for decoded in proof.decoded} != {head.preprocess.resize_size}:
        raise _Refused("a photo has another size than a network takes that resizes none")
    values = (proof.logits, proof.tolerance, proof.pixel_tolerance)
    if not all(np.isfinite(each).all() for each in values) or min(each.min() for each in values[1:]) < 0:
        raise _Refused("a logit or a tolerance is not a number that can be")
    return proof


def _head(arrays: dict[str, NDArray[Any]]) -> ProofHead:
    text = _taken(arrays, "proof", np.uint8, (None,)).tobytes()
    schema = msgspec.json.decode(text, type=dict[str, Any]).get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise _Refused(f"its schema is {schema}, and this EcoNet reads up to {SCHEMA}: install a newer one")
    head = msgspec.json.decode(text, type=ProofHead)
    names = [photo.name for photo in head.photos]
    if not 1 <= len(names) <= _MOST_PHOTOS or len(set(names)) < len(names):
        raise _Refused(f"it has {len(names)} photos, or two of one name")
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if wrong:
        raise _Refused(f"a photo is called {wrong[0]!r}, which is no plain file name")
    record = head.preprocess
    inside = all(1 <= side <= kept for side, kept in zip(record.image_size, record.resize_size, strict=True))
    if not inside or not head.classes or not head.files:
        raise _Refused("its head says nothing that a network could be")
    return head


def _taken(
    arrays: dict[str, NDArray[Any]], name: str, kind: type[np.generic], shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """An array of this type and shape; None stands for any size. Raises _Refused."""
    found = arrays.get(name)
    if found is None:
        raise _Refused(f"it has no entry {name!r}")
    fits = found.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, found.shape, strict=True))
    if found.dtype != kind or not fits:
        raise _Refused(f"its entry {name!r} is {found.dtype} {found.shape}, not {np.dtype(kind)} {shape}")
    return found
