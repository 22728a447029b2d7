"""ILSVRC's layout: labels by the devkit's numbers, and one clear line where a folder is not whole."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from econet.data.load import load_data
from econet.data.sources.imagenet import find_imagenet, imagenet, is_imagenet
from econet.errors import UserError
from ilsvrc_shape import DEVKIT, PER_CLASS, TEST_CLASSES, TRUTH

pytest_plugins = ["small_imagenet"]

WANTED = [DEVKIT[label] for label in TEST_CLASSES]


@pytest.fixture
def folder(small_imagenet, tmp_path):
    """A copy to be damaged."""
    return Path(shutil.copytree(small_imagenet, tmp_path / "imagenet"))


def wnids(files, classes) -> list[str]:
    return [classes[label] for label in files.labels]


def test_classes_are_the_sorted_wnids_and_a_training_picture_s_is_its_folder(small_imagenet):
    found = imagenet(small_imagenet)
    assert found.classes == tuple(sorted(DEVKIT))
    assert len(found.train) == 10 * PER_CLASS
    assert wnids(found.train, found.classes) == [Path(name).parent.name for name in found.train.names]
    assert found.validation is None


def test_a_flat_val_is_labelled_by_the_devkit_s_numbers_not_by_the_alphabet(small_imagenet):
    found = imagenet(small_imagenet)
    assert wnids(found.test, found.classes) == WANTED
    assert found.test.names[2] == "val/ILSVRC2012_val_00000003.JPEG"
    # The places of the classes in the alphabet are other numbers: nothing here could be right by accident.
    assert all(found.classes[label] != DEVKIT[label] for label in range(10))


def sort_out(folder: Path) -> None:
    """Bring a flat val/ into class folders, as the well-known script does."""
    for number, wnid in enumerate(WANTED, start=1):
        name = f"ILSVRC2012_val_{number:08d}.JPEG"
        (folder / "val" / wnid).mkdir(exist_ok=True)
        (folder / "val" / name).rename(folder / "val" / wnid / name)


def test_a_val_sorted_into_class_folders_needs_no_ground_truth(folder):
    sort_out(folder)
    (folder / TRUTH).unlink()
    (folder / "synsets.txt").unlink()
    found = imagenet(folder)
    by_number = dict(zip((name[-13:-5] for name in found.test.names), wnids(found.test, found.classes), strict=True))
    assert [by_number[f"{number:08d}"] for number in range(1, len(WANTED) + 1)] == WANTED


@pytest.mark.parametrize(
    "line", ["{wnid}", "{wnid} tench, Tinca tinca", "{id} {wnid} tench", "{wnid} {id} tench", "{id}: {wnid}"]
)
def test_the_list_of_synsets_may_be_bare_or_numbered(folder, line):
    lines = [line.format(wnid=wnid, id=number) for number, wnid in enumerate(DEVKIT, start=1)]
    if "{id}" in line:
        lines.reverse()  # where numbers are stated, the order of the lines says nothing
    (folder / "synsets.txt").write_text("\n".join(lines) + "\n")
    found = imagenet(folder)
    assert wnids(found.test, found.classes) == WANTED


def test_the_devkit_s_own_folder_and_later_name_of_the_list_are_found(folder):
    place = folder / "ILSVRC2012_devkit_t12" / "data"
    place.mkdir(parents=True)
    (folder / TRUTH).rename(place / TRUTH)
    (folder / "synsets.txt").unlink()
    (place / "map_clsloc.txt").write_text("".join(f"{wnid} {n} name\n" for n, wnid in enumerate(DEVKIT, start=1)))
    found = imagenet(folder)
    assert wnids(found.test, found.classes) == WANTED


def drop_class(folder: Path) -> None:
    shutil.rmtree(folder / "train" / DEVKIT[3])


def drop_from_val(folder: Path) -> None:
    sort_out(folder)
    shutil.rmtree(folder / "val" / DEVKIT[3])


def empty_class(folder: Path) -> None:
    for path in (folder / "train" / DEVKIT[3]).iterdir():
        path.unlink()


def drop_picture(folder: Path) -> None:
    (folder / "val" / "ILSVRC2012_val_00000005.JPEG").unlink()


def cut_truth(folder: Path) -> None:
    (folder / TRUTH).write_text("1\n2\n3\n")


def number_too_high(folder: Path) -> None:
    (folder / TRUTH).write_text("1\n" * 13 + "11\n")


def words_for_numbers(folder: Path) -> None:
    (folder / TRUTH).write_text("1\n" * 13 + "kit fox\n")


def sort_synsets(folder: Path) -> None:
    (folder / "synsets.txt").write_text("\n".join(sorted(DEVKIT)))


def names_for_synsets(folder: Path) -> None:
    (folder / "synsets.txt").write_text("\n".join([*DEVKIT[:9], "kit fox"]))


@pytest.mark.parametrize(
    ("damage", "what", "why"),
    [
        (drop_class, f"class {DEVKIT[3]} is missing from train", "has pictures of it in val"),
        (drop_from_val, f"class {DEVKIT[3]} is missing from val", "has pictures of it in train"),
        (empty_class, f"class {DEVKIT[3]} has no picture in train", DEVKIT[3]),
        (lambda folder: shutil.rmtree(folder / "val"), "has no val/", "what a network is tested on"),
        (lambda folder: (folder / TRUTH).unlink(), "have no labels", f"there is no {TRUTH}"),
        (lambda folder: (folder / TRUTH).write_text("\n"), f"{TRUTH} is empty", "no line"),
        (lambda folder: (folder / "synsets.txt").unlink(), "stand for no classes", "meta.mat"),
        (drop_picture, "holds 13 pictures, its ground truth 14 lines", "no picture is numbered 5"),
        (cut_truth, "holds 14 pictures, its ground truth 3 lines", "above the last line"),
        (number_too_high, f"{TRUTH} line 14 names no class", "it reads '11', and the classes are numbered 1 to 10"),
        (words_for_numbers, f"{TRUTH} line 14 names no class", "it reads 'kit fox'"),
        (sort_synsets, "synsets.txt is in the order of the alphabet", "which is another"),
        (names_for_synsets, "synsets.txt line 10 names no class", "begins with a wnid"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_folder_that_is_not_whole_is_refused_with_the_place(folder, damage, what, why):
    damage(folder)
    with pytest.raises(UserError) as caught:
        imagenet(folder)
    assert what in caught.value.what
    assert why in caught.value.why


def test_the_name_finds_it_below_a_data_folder_or_says_what_belongs_there(small_imagenet, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("ECONET_DATA", str(small_imagenet.parent))
    assert find_imagenet(None) == small_imagenet
    monkeypatch.delenv("ECONET_DATA")
    assert find_imagenet(small_imagenet) == small_imagenet
    with pytest.raises(UserError, match="imagenet is not on this machine") as caught:
        load_data("imagenet", data_dir=tmp_path)
    assert str(tmp_path) in caught.value.why
    assert "put train/ and val/ of ILSVRC2012 into a folder imagenet/" in caught.value.remedy


def test_a_folder_of_other_classes_is_no_imagenet(tmp_path):
    for name in ("n02119789", "hat"):
        (tmp_path / "train" / name).mkdir(parents=True)
    assert not is_imagenet(tmp_path)
    assert not is_imagenet(tmp_path / "train")


def test_it_loads_as_the_paper_has_it_with_val_as_the_test_split(small_imagenet):
    data = load_data(str(small_imagenet), validation=0.25)
    preprocess = data.preprocess
    assert (preprocess.image_size, preprocess.resize_size) == ((224, 224), (256, 256))
    assert (preprocess.resize, preprocess.crop) == ("shorter-side", "centre")
    assert np.bincount(data.train.labels).tolist() == [6] * 10
    assert np.bincount(data.validation.labels).tolist() == [2] * 10
    assert [data.classes[label] for label in data.test.labels] == WANTED
    assert data.name == "imagenet"
