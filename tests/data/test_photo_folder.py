"""A folder of photographs: matched by name, split by the seed, distrusted, and never written to."""

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from econet.data.load import load_data
from econet.errors import UserError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "clothing"
CLASSES = ("dress", "hat", "pants", "shoes", "shorts")


def tree(folder: Path) -> str:
    """Names, bytes and times of everything in a folder, as one digest."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(repr((path, path.lstat().st_mtime_ns, path.lstat().st_mode)).encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.fixture
def photos(tmp_path):
    """The fixtures in train/, validation/, test/, to be damaged."""
    return Path(shutil.copytree(FIXTURES, tmp_path / "photos"))


@pytest.fixture
def bare(tmp_path):
    """The same 60 photographs as bare class folders of 12."""
    for path in sorted(FIXTURES.glob("*/*/*.jpg")):
        target = tmp_path / "bare" / path.parent.name / f"{path.parts[-3]}-{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return tmp_path / "bare"


def test_a_folder_with_its_own_splits_keeps_them():
    data = load_data(str(FIXTURES))
    assert data.classes == CLASSES
    assert (len(data.train), len(data.validation), len(data.test)) == (35, 10, 15)
    assert np.bincount(data.validation.labels).tolist() == [2] * 5
    assert data.preprocess.image_size == (64, 64)
    assert data.warnings == ()
    for part, split in ((data.train, "train"), (data.validation, "validation"), (data.test, "test")):
        for file, label in zip(part.files, part.labels, strict=True):
            assert file.parts[-3:-1] == (split, CLASSES[label])


def test_a_stored_picture_is_its_file_stretched():
    data = load_data(str(FIXTURES), image_size=48)
    with Image.open(data.test.files[4]) as picture:
        expected = np.asarray(picture.resize((48, 48), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(data.test.pixels[4], expected)


def test_shorter_side_keeps_the_shape_and_cuts_the_centre():
    data = load_data(str(FIXTURES), image_size=64, resize="shorter-side")
    with Image.open(data.train.files[0]) as picture:
        assert picture.size == (256, 341)
        whole = np.asarray(picture.resize((64, 85), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(data.train.pixels[0], whole[10:74])


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_validation_goes_by_any_of_its_names(photos, name):
    (photos / "validation").rename(photos / "renamed")
    (photos / "renamed").rename(photos / name)
    assert load_data(str(photos)).fingerprint == load_data(str(FIXTURES)).fingerprint


def test_classes_are_matched_by_name_where_positions_differ(photos):
    """A class that sorts first is in every split but holds one file: all labels still follow the names."""
    for split in ("train", "validation", "test"):
        (photos / split / "accessory").mkdir()
        shutil.copyfile(next((photos / split / "hat").iterdir()), photos / split / "accessory" / "z.jpg")
    data = load_data(str(photos))
    assert data.classes == ("accessory", *CLASSES)
    for part in (data.train, data.validation, data.test):
        assert [data.classes[label] for label in part.labels] == [file.parent.name for file in part.files]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_class_missing_from_a_split_is_named(photos, split):
    shutil.rmtree(photos / split / "hat")
    with pytest.raises(UserError, match=f"class 'hat' is missing from {split}"):
        load_data(str(photos))


def test_a_class_emptied_in_a_split_is_named_even_when_bad_files_are_skipped(photos):
    for path in (photos / "test" / "hat").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(UserError, match="class 'hat' has no usable picture in test") as caught:
        load_data(str(photos), skip_bad=True)
    assert "all 3 files were set aside: test/hat/" in caught.value.why


def test_a_bare_folder_is_split_by_class_and_seed(bare):
    data = load_data(str(bare), validation=0.2, seed=3)
    # 12 a class: 15 % are 1.8, so 2 for test; 20 % of the other 10 for validation.
    assert np.bincount(data.test.labels).tolist() == [2] * 5
    assert np.bincount(data.validation.labels).tolist() == [2] * 5
    assert np.bincount(data.train.labels).tolist() == [8] * 5
    files = [*data.train.files, *data.validation.files, *data.test.files]
    assert len(set(files)) == 60
    assert load_data(str(bare), validation=0.2, seed=3).fingerprint == data.fingerprint
    assert set(load_data(str(bare), validation=0.2, seed=4).test.files) != set(data.test.files)


def test_the_listing_tells_of_every_file_where_it_went(bare):
    data = load_data(str(bare), seed=3)
    found = {line.path: line for line in data.listing}
    assert len(found) == 60
    for part, split in ((data.train, "train"), (data.validation, "validation"), (data.test, "test")):
        for file in part.files:
            line = found[file.relative_to(bare).as_posix()]
            assert (line.split, line.label, line.set_aside) == (split, file.parent.name, None)
            assert line.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
            assert line.bytes == file.stat().st_size


def test_without_a_test_folder_a_part_of_train_becomes_it_and_a_warning_says_so(photos):
    shutil.rmtree(photos / "test")
    data = load_data(str(photos))
    assert np.bincount(data.test.labels).tolist() == [1] * 5
    assert len(data.validation) == 10
    assert data.warnings == ("there is no test/: a share of train/ is held out to be it",)


def test_bad_files_are_named_and_set_aside(photos):
    folder = photos / "train" / "hat"
    whole = next(folder.iterdir()).read_bytes()
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "words.png").write_text("a note, no picture")
    with pytest.raises(UserError, match="3 of 63 files cannot be used") as caught:
        load_data(str(photos))
    assert "train/hat/words.png (not one of JPEG" in caught.value.what
    assert "--skip-bad" in caught.value.remedy

    data = load_data(str(photos), skip_bad=True)
    aside = {line.path: line.set_aside for line in data.listing if line.set_aside}
    assert set(aside) == {f"train/hat/{name}" for name in ("empty.jpg", "half.jpg", "words.png")}
    assert aside["train/hat/empty.jpg"] == "the file is empty"
    assert "3 of 63 files cannot be used: train/hat/empty.jpg (the file is empty)" in data.warnings[0]
    assert data.fingerprint == load_data(str(FIXTURES)).fingerprint


def test_one_bad_file_in_a_hundred_is_a_warning_and_no_stop(bare):
    for number in range(4):
        for path in list((bare / "hat").iterdir())[:12]:
            shutil.copyfile(path, bare / "dress" / f"{number}-{path.name}")
    (bare / "dress" / "bad.jpg").write_bytes(b"no picture")
    data = load_data(str(bare))
    assert len(data.warnings) == 1
    assert "1 of 109 files cannot be used: dress/bad.jpg" in data.warnings[0]


def test_hidden_and_system_files_are_no_part_of_the_data(photos):
    for folder in (photos, photos / "train", photos / "train" / "hat"):
        for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._photo.jpg"):
            (folder / name).write_bytes(b"x")
        (folder / ".cache").mkdir()
        (folder / "__MACOSX").mkdir()
    data = load_data(str(photos))
    assert data.warnings == ()
    assert len(data.listing) == 60


def test_what_lies_outside_the_class_folders_is_told(photos):
    (photos / "README.txt").write_text("words")
    (photos / "extra").mkdir()
    assert load_data(str(photos)).warnings == ("2 entries outside the class folders are not used: README.txt, extra",)


def test_pipes_and_links_that_lead_away_are_set_aside_unopened(photos, tmp_path):
    folder = photos / "train" / "hat"
    outside = tmp_path / "outside.jpg"
    inside = sorted(folder.iterdir())[0]
    shutil.copyfile(inside, outside)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "away.jpg").symlink_to(outside)
    (folder / "nowhere.jpg").symlink_to(tmp_path / "absent.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "within.jpg").symlink_to(inside)
    data = load_data(str(photos), skip_bad=True)
    assert {line.path.rsplit("/")[-1]: line.set_aside for line in data.listing if line.set_aside} == {
        "pipe.jpg": "not a regular file",
        "away.jpg": "a link that leaves the folder",
        "nowhere.jpg": "a link that leads nowhere",
        "loop.jpg": "a link that leads nowhere",
    }
    assert folder / "within.jpg" in data.train.files


def test_a_link_to_a_folder_stops_and_is_named(photos):
    (photos / "train" / "hat" / "again").symlink_to(photos / "train")
    with pytest.raises(UserError, match=r"hat/again is a link to a folder"):
        load_data(str(photos), skip_bad=True)


def test_names_that_other_systems_confuse_or_cannot_hold_are_used_and_warned_about(photos):
    folder = photos / "train" / "hat"
    photo = sorted(folder.iterdir())[0]
    for name in ("a.jpg", "A.jpg", "e\u0301.jpg", "\u00e9.jpg", "dot.jpg.", "line\n.jpg", "nul.jpg", "a:b.jpg"):
        shutil.copyfile(photo, folder / name)
    data = load_data(str(photos))
    assert len(data.train) == 35 + 8
    alike, odd = data.warnings
    assert alike == "4 files have names that other systems take for those of others: train/hat/A.jpg, train/hat/a.jpg"
    assert odd.startswith("4 names cannot be used on every system: train/hat/a:b.jpg, train/hat/dot.jpg., ")
    assert r"train/hat/line\n.jpg" in odd


def test_class_names_that_print_alike_stop(bare):
    (bare / "hat").rename(bare / "ha\nt")
    shutil.copytree(bare / "ha\nt", bare / r"ha\nt")
    with pytest.raises(UserError, match="two folders that are both printed as"):
        load_data(str(bare))


def test_folders_may_lie_in_each_other_more_deeply_than_python_calls(photos):
    photo = sorted((photos / "train" / "hat").iterdir())[0].read_bytes()
    there = os.open(photos / "train" / "hat", os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=there)
        deeper = os.open("d", os.O_RDONLY, dir_fd=there)
        os.close(there)
        there = deeper
    with os.fdopen(os.open("photo.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=there), "wb") as stream:
        stream.write(photo)
    os.close(there)
    assert len(load_data(str(photos)).train) == 36
    os.system(f"rm -rf {photos}")


def test_a_pipe_a_socket_and_a_link_in_streamed_data_are_listed_and_counted(photos, monkeypatch):
    monkeypatch.setattr("econet.data.load.fits_memory", lambda *_: False)
    folder = photos / "train" / "hat"
    os.mkfifo(folder / "pipe.jpg")
    (folder / "away.jpg").symlink_to("/etc/hostname")
    with pytest.raises(UserError, match=r"2 of 62 files cannot be used: train/hat/away\.jpg \(a link that leaves"):
        load_data(str(photos))
    data = load_data(str(photos), skip_bad=True)
    assert {line.path: line.set_aside for line in data.listing} == {
        "train/hat/away.jpg": "a link that leaves the folder",
        "train/hat/pipe.jpg": "not a regular file",
    }


def test_names_of_any_bytes_work_and_are_printed_escaped(photos):
    folder = photos / "train" / "hat"
    names = [b"\xff\xfe.jpg", "mütze-🎩.jpg".encode(), b"two\nlines.jpg"]
    for path, name in zip(sorted(folder.iterdir()), names, strict=False):
        path.rename(folder / os.fsdecode(name))
    data = load_data(str(photos))
    shown = {line.path for line in data.listing}
    assert {r"train/hat/\xff\xfe.jpg", "train/hat/mütze-🎩.jpg", r"train/hat/two\nlines.jpg"} <= shown
    "".join(shown).encode()


def test_the_folder_is_never_written_to(photos):
    (photos / "train" / "hat" / "bad.jpg").write_bytes(b"no picture")
    before = tree(photos)
    load_data(str(photos), skip_bad=True)
    with pytest.raises(UserError):
        load_data(str(photos))
    assert tree(photos) == before


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda root: None, "has 0 class folders"),
        (lambda root: (root / "cat").mkdir(), "has 1 class folders"),
        (lambda root: [(root / name).mkdir() for name in ("cat", "dog")], "class 'cat' has no usable picture"),
        (lambda root: (root / "test" / "cat").mkdir(parents=True), "has no train/"),
        (lambda root: [(root / name).mkdir() for name in ("train", "val", "valid")], "has both val/ and valid/"),
    ],
)
def test_folders_that_are_no_data_are_refused(tmp_path, make, what):
    make(tmp_path)
    with pytest.raises(UserError, match=what):
        load_data(str(tmp_path))


def test_classes_that_other_systems_confuse_are_warned_about(photos):
    for split in ("train", "validation", "test"):
        shutil.copytree(photos / split / "hat", photos / split / "Hat")
    assert "upper and lower case" in load_data(str(photos)).warnings[0]
    assert "(Hat, hat)" in load_data(str(photos)).warnings[0]
