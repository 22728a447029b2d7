"""Another program's answers to the photos of a proof: a .csv of logits, or an .npz of what it has."""

import csv
import io
from pathlib import Path

import numpy as np

from econet.deployment.proof.pipeline import Answers, Floats
from econet.deployment.proof.proof_file import Proof, read_arrays
from econet.errors import UserError
from econet.images.preprocess import Pixels

_MOST_BYTES = 32_000_000


def read_answers(path: Path, proof: Proof) -> Answers:
    """Answers in a file. Photos and classes of a .csv are matched by name, those of an .npz stand as in the proof.

    A .csv has a head `photo,<class>,<class>...` and a line a photo. An .npz has any of: `logits` float32 [N, K] of the
    photos, `pixel_logits` [M, K] of the proof's pixels, `inputs` uint8 [M, h, w, C] of the photos, and `decoded_00`...
    uint8 [h, w, C] of every photo. Raises UserError naming what does not fit.
    """
    try:
        content = path.read_bytes() if path.stat().st_size <= _MOST_BYTES else b""
    except OSError as error:
        raise UserError(f"cannot read {path}", error.strerror or str(error), "check the file's name") from error
    if path.suffix == ".csv":
        return Answers(logits=_table(content, path, proof))
    return _arrays(content, path, proof)


def _wrong(path: Path, why: str) -> UserError:
    return UserError(f"{path} does not hold answers to this proof", why, "see docs/proof.md for what it may hold")


def _table(content: bytes, path: Path, proof: Proof) -> Floats:
    """Logits [N, K] of a .csv, in the proof's order of photos and classes."""
    try:
        lines = [line for line in csv.reader(io.StringIO(content.decode())) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise _wrong(path, str(error)) from error
    classes, names = proof.head.classes, proof.names
    if not lines or lines[0][0] != "photo" or sorted(lines[0][1:]) != sorted(classes):
        raise _wrong(path, f"its first line is not `photo` and the {len(classes)} classes of the proof")
    rows = {line[0]: line[1:] for line in lines[1:]}
    if sorted(rows) != sorted(names) or len(lines) != len(names) + 1:
        missing = sorted(set(names) - set(rows)) or sorted(set(rows) - set(names)) or ["a photo twice"]
        raise _wrong(path, f"it does not have each photo of the proof once: {missing[0]}")
    columns = [lines[0][1:].index(name) for name in classes]
    try:
        return np.array([[float(rows[name][column]) for column in columns] for name in names], np.float32)
    except (ValueError, IndexError) as error:
        raise _wrong(path, f"a logit is missing or no number: {error}") from error


def _arrays(content: bytes, path: Path, proof: Proof) -> Answers:
    found = read_arrays(content, path)
    rows, photos = len(proof.pixels), len(proof.photos)
    count, record = len(proof.head.classes), proof.head.preprocess
    shapes = {
        "logits": (photos, count),
        "pixel_logits": (rows, count),
        "inputs": (rows, *record.image_size, record.channels),
    }
    decoded = [f"decoded_{number:02}" for number in range(photos)]
    unknown = sorted(set(found) - set(shapes) - set(decoded))
    if unknown or not found:
        raise _wrong(path, f"it has {unknown[0]!r}" if unknown else "there is nothing in it")
    for name, shape in shapes.items():
        kind = np.uint8 if name == "inputs" else np.float32
        if name in found and (found[name].shape, found[name].dtype) != (shape, kind):
            raise _wrong(path, f"{name!r} is {found[name].dtype} {found[name].shape}, not {np.dtype(kind)} {shape}")
    pictures: tuple[Pixels | None, ...] = tuple(found.get(name) for name in decoded)
    return Answers(
        decoded=pictures if any(each is not None for each in pictures) else None,
        inputs=found.get("inputs"),
        pixel_logits=found.get("pixel_logits"),
        logits=found.get("logits"),
    )
