"""Fashion-MNIST: the bundled set is the published one; a damaged file is named with what is wrong."""

import gzip
import struct
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from econet.data.load import load_data
from econet.data.sources.idx import CLASSES, PUBLISHED, fashion_mnist, parse_idx
from econet.errors import UserError

BUNDLED = Path(str(resources.files("econet.data"))) / "fashion_mnist"
TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"


def idx(values: np.ndarray) -> bytes:
    """`values` as a gzipped IDX file of bytes."""
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(header + values.astype(np.uint8).tobytes(), 1)


@pytest.fixture
def small(tmp_path):
    """A folder with the four files, 40 training and 20 test pictures cut from the bundled ones."""
    source = fashion_mnist()
    for prefix, part, count in (("train", source.train, 40), ("t10k", source.test, 20)):
        (tmp_path / f"{prefix}-images-idx3-ubyte.gz").write_bytes(idx(part.pixels[:count, :, :, 0]))
        (tmp_path / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(idx(part.labels[:count]))
    return tmp_path


def test_the_bundled_set_holds_seven_thousand_pictures_of_each_class():
    source = fashion_mnist()
    assert source.train.pixels.shape == (60_000, 28, 28, 1)
    assert source.test.pixels.shape == (10_000, 28, 28, 1)
    assert np.bincount(source.train.labels).tolist() == [6_000] * 10
    assert np.bincount(source.test.labels).tolist() == [1_000] * 10
    assert len(CLASSES) == 10


def test_the_bundled_pixels_are_those_of_the_file():
    raw = gzip.decompress((BUNDLED / TRAIN_IMAGES).read_bytes())
    source = fashion_mnist()
    assert source.train.pixels[:1].tobytes() == raw[16 : 16 + 784]
    assert source.train.pixels[-1:].tobytes() == raw[-784:]


def test_another_copy_in_a_folder_is_read(small):
    source = fashion_mnist(small)
    assert len(source.train) == 40
    np.testing.assert_array_equal(source.test.pixels, fashion_mnist().test.pixels[:20])


def test_a_folder_without_idx_files_leaves_the_bundled_set(tmp_path):
    assert len(fashion_mnist(tmp_path).train) == 60_000


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda content: content[:-200], "ended before the end-of-stream"),
        (lambda content: b"", "begins with nothing"),
        (lambda content: b"<html>no such page</html>", "Not a gzipped file"),
        (lambda content: content[:100] + bytes(60) + content[160:], "Error -3|incorrect|CRC"),
        (
            lambda content: gzip.compress(gzip.decompress(content)[:-784]),
            "promises 40 x 28 x 28 values, but 30,576 follow",
        ),
        (lambda content: gzip.compress(gzip.decompress(content) + b"x"), "but 31,361 follow"),
        (lambda content: gzip.compress(b"\x00\x00\x0d\x03"), "begins with 00 00 0d 03"),
        (lambda content: gzip.compress(b"\x00\x00\x08\x03\x00"), "ends inside its header"),
        (lambda content: idx(np.zeros((40, 30, 28))), "not N pictures of 28 x 28"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(small, damage, why):
    path = small / TRAIN_IMAGES
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=why) as caught:
        load_data("fashion-mnist", data_dir=small)
    assert str(path) in caught.value.what


def test_a_missing_file_is_named(small):
    (small / TRAIN_LABELS).unlink()
    with pytest.raises(UserError, match=rf"{TRAIN_LABELS}\n  why: No such file"):
        fashion_mnist(small)


def test_labels_that_do_not_fit_are_refused(small):
    (small / TRAIN_LABELS).write_bytes(idx(np.zeros(39)))
    with pytest.raises(UserError, match="39 labels for 40 pictures"):
        fashion_mnist(small)
    (small / TRAIN_LABELS).write_bytes(idx(np.full(40, 10)))
    with pytest.raises(UserError, match="the highest here is 10"):
        fashion_mnist(small)


def test_the_bundled_set_is_refused_when_it_is_not_the_published_one(monkeypatch):
    monkeypatch.setitem(PUBLISHED, TRAIN_LABELS, "0" * 64)
    with pytest.raises(UserError, match=rf"{TRAIN_LABELS}\n  why: its SHA-256 is 0ae29f65.*published one 0000"):
        fashion_mnist()


def test_a_header_that_promises_more_than_memory_is_only_compared():
    with pytest.raises(ValueError, match="promises"):
        parse_idx(b"\x00\x00\x08\x04" + b"\xff" * 16 + b"x")
