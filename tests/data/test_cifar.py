"""CIFAR in its makers' layout: found where it should be looked for, read to the byte, refused when cut."""

import os
from pathlib import Path

import numpy as np
import pytest

from econet.data.load import load_data
from econet.data.sources import places
from econet.data.sources.cifar import CIFAR10, CIFAR100, Layout, cifar
from econet.errors import UserError

NAMES = [f"class{number}" for number in range(10)]


def rows(count: int, label_bytes: int, seed: int) -> np.ndarray:
    """`count` rows in the makers' layout; labels go round the ten classes, a coarse label is always 19."""
    values = np.random.default_rng(seed).integers(0, 256, (count, label_bytes + 3072), np.uint8)
    values[:, 0] = 19
    values[:, label_bytes - 1] = np.arange(count) % 10
    return values


def write_set(folder: Path, layout: Layout) -> dict[str, np.ndarray]:
    """A small set of 40 pictures a file; returns the rows by file name."""
    folder.mkdir(parents=True)
    written = {}
    for seed, name in enumerate((*layout.train, layout.test)):
        written[name] = rows(40, layout.label_bytes, seed)
        (folder / name).write_bytes(written[name].tobytes())
    (folder / layout.names).write_text("\n".join(NAMES) + "\n\n")
    return written


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch, tmp_path):
    """No set on this machine is found, but those that a test makes."""
    monkeypatch.delenv("ECONET_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(places, "SYSTEM_FOLDERS", (tmp_path / "system",))


@pytest.mark.parametrize("layout", [CIFAR10, CIFAR100])
def test_planes_become_pixels_and_the_fine_label_counts(layout, tmp_path):
    written = write_set(tmp_path / "set", layout)
    source = cifar(layout, tmp_path / "set")
    train = np.concatenate([written[name] for name in layout.train])
    lead = layout.label_bytes
    assert source.train.labels.tolist() == train[:, lead - 1].tolist()
    for number, y, x in ((0, 0, 0), (3, 5, 31), (39, 31, 2)):
        planes = [train[number, lead + 1024 * channel + 32 * y + x] for channel in range(3)]
        assert source.train.pixels[number, y, x].tolist() == planes
    assert source.classes == tuple(NAMES)
    assert len(source.test) == 40
    assert "holds 40 pictures, the makers'" in source.warnings[0]


def test_the_named_folder_comes_before_the_environment_the_user_s_and_the_system_s(tmp_path, monkeypatch):
    monkeypatch.setenv("ECONET_DATA", str(tmp_path / "environment"))
    bases = [tmp_path / "system", tmp_path / "xdg" / "econet", tmp_path / "environment", tmp_path / "named"]
    for number, base in enumerate(bases):
        write_set(base / CIFAR10.folder, CIFAR10)
        marked = rows(40, 1, number + 100)
        (base / CIFAR10.folder / "data_batch_1.bin").write_bytes(marked.tobytes())
        source = cifar(CIFAR10, tmp_path / "named")
        assert source.train.pixels[0, 0, 0, 0] == marked[0, 1], base


def test_an_absent_set_says_where_it_was_looked_for_and_how_to_get_it(tmp_path):
    with pytest.raises(UserError) as caught:
        load_data("cifar100", data_dir=tmp_path / "named")
    for place in ("named", "xdg/econet", "system"):
        assert str(tmp_path / place) in caught.value.why
    assert "--download" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "damage", "why"),
    [
        ("data_batch_3.bin", lambda c: c[:-1], "122,919 bytes are not whole rows of 3,073"),
        ("test_batch.bin", lambda c: b"", "0 bytes are not whole rows"),
        (
            "data_batch_1.bin",
            lambda c: c[: 3073 * 2] + b"\x0a" + c[3073 * 2 + 1 :],
            "row 2 has label 10, but there are 10",
        ),
        ("batches.meta.txt", lambda c: b"\xff\xfe", "codec can't decode"),
        ("batches.meta.txt", lambda c: b"cat\ncat\n", "different class names"),
        ("data_batch_2.bin", None, "No such file"),
        ("batches.meta.txt", None, "No such file"),
    ],
)
def test_a_damaged_or_missing_file_is_named(tmp_path, name, damage, why):
    write_set(tmp_path / "set", CIFAR10)
    path = tmp_path / "set" / name
    content = path.read_bytes()
    path.unlink()
    if damage:
        path.write_bytes(damage(content))
    with pytest.raises(UserError, match=why) as caught:
        cifar(CIFAR10, tmp_path / "set")
    assert str(path) in caught.value.what


def test_a_file_of_the_makers_size_with_other_content_is_refused(tmp_path, monkeypatch):
    write_set(tmp_path / "set", CIFAR10)
    monkeypatch.setitem(CIFAR10.rows, "data_batch_4.bin", 40)
    with pytest.raises(UserError, match=r"data_batch_4.bin\n  why: it has the makers' size but not their content"):
        cifar(CIFAR10, tmp_path / "set")


def test_a_small_cifar100_becomes_a_dataset(tmp_path):
    write_set(tmp_path / CIFAR100.folder, CIFAR100)
    data = load_data("cifar100", data_dir=tmp_path, validation=0.25)
    assert (len(data.train), len(data.validation), len(data.test)) == (30, 10, 40)
    assert data.preprocess.image_size == (32, 32)
    assert data.preprocess.channels == 3
    assert len(data.warnings) == 2


REAL = os.environ.get("ECONET_DATA")


@pytest.mark.skipif(not REAL, reason="needs $ECONET_DATA with CIFAR-10")
def test_the_real_cifar10_is_complete_and_the_makers_own():
    source = cifar(CIFAR10, Path(REAL or ""))
    assert source.warnings == ()
    assert np.bincount(source.train.labels).tolist() == [5_000] * 10
    assert np.bincount(source.test.labels).tolist() == [1_000] * 10
    assert source.classes[:3] == ("airplane", "automobile", "bird")
