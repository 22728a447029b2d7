"""Arrays of a stranger's file are read, or refused in one line before they take memory."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from econet.errors import UserError
from econet.runs.arrays import MOST_BYTES, read_arrays


def saved(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def header(text: str) -> bytes:
    """A .npy that begins so, and holds nothing."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text.encode() + b"\n"


def with_a_size_of_terabytes() -> bytes:
    """The zip's directory says that its member unpacks to 4 GB."""
    content = bytearray(zipped("a.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }") + bytes(4)))
    place = content.index(b"PK\x01\x02")
    content[place + 24 : place + 28] = b"\xfe\xff\xff\xff"
    return bytes(content)


def read(path: Path) -> dict[str, np.ndarray]:
    return read_arrays(path, ("a",), "the answers", "make them again")


def test_arrays_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "answers.npz"
    path.write_bytes(saved(a=np.arange(6).reshape(2, 3), b=np.zeros(2)))
    assert read(path).keys() == {"a"}
    np.testing.assert_array_equal(read(path)["a"], [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a zip file"),
        (b"no arrays", "not a zip file"),
        (saved(b=np.zeros(2)), "a"),
        (saved(a=np.zeros(99))[:-40], "zip"),
        (saved(a=np.array([{"pickled": 1}], dtype=object)), "allow_pickle"),
        (with_a_size_of_terabytes(), f"more than {MOST_BYTES:,} bytes"),
        (zipped("a.npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }")), "allocate"),
        (zipped("a.npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (-4,), }")), ""),
        (zipped("a.npy", header("__import__('os').system('touch harm')")), ""),
        (zipped("a.npy", b"\x93NUMPY"), ""),
    ],
)
def test_what_holds_no_such_arrays_is_refused_in_one_line(tmp_path, content, why):
    path = tmp_path / "answers.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"cannot read the answers in {path}") as caught:
        read(path)
    assert why in caught.value.why
    assert caught.value.why.isprintable()


def test_a_damaged_file_is_refused_or_read(tmp_path):
    path, whole = tmp_path / "answers.npz", saved(a=np.arange(200.0))
    refused = 0
    for number in range(300):
        random = np.random.default_rng([19, number])
        content = bytearray(whole)
        for _ in range(3):
            content[int(random.integers(0, len(content)))] = int(random.integers(0, 256))
        path.write_bytes(content)
        try:
            read(path)
        except UserError:
            refused += 1
    assert refused > 200


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.npz") as caught:
        read(tmp_path / "absent.npz")
    assert "No such file" in caught.value.why
