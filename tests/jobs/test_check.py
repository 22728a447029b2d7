"""`check`: copies, leaks, missing classes and wrong labels are named, and the data's own folder stays as it is."""

import csv
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import econet
from econet.data.load import load_data
from econet.errors import UserError
from econet.jobs.check import CheckOptions, check, quick_check
from econet.jobs.health import AllPictures, void_reasons
from econet.jobs.label_check import FOLDS, doubted_labels, folds_of, judged
from econet.jobs.options import DataOptions, TrainOptions
from econet.runs.check_records import Check, DuplicateHealth, Leak
from econet.runs.record import read_record
from econet.statistics.intervals import provable_margin
from econet.training.progress import Silent

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


@pytest.fixture
def photos(tmp_path) -> Path:
    """A copy of the photo folder, to plant things in."""
    return Path(shutil.copytree(PHOTOS, tmp_path / "photos"))


def some(folder, split, label, place=0):
    return sorted((folder / split / label).iterdir())[place]


def looked_at(folder, tmp_path, **more) -> Check:
    return check(tmp_path / "out", CheckOptions(DataOptions(str(folder)), **more), Silent())


def digest_of(folder):
    """Names, contents and times of everything in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.stat()
        digest.update(f"{path.relative_to(folder)} {status.st_mtime_ns} {status.st_mode}".encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def pairs(record, kind):
    return [(each.picture.path, each.partner.path) for each in record.findings if each.kind == kind]


def test_a_healthy_folder_is_fit_and_its_margin_told(tmp_path):
    record = looked_at(PHOTOS, tmp_path)
    assert record.void == record.findings == ()
    assert record.provable_margin == provable_margin(15)
    assert [(each.split, each.images, each.imbalance) for each in record.splits] == [
        ("train", 35, 1.0),
        ("validation", 10, 1.0),
        ("test", 15, 1.0),
    ]
    assert record.sizes.files == 60
    assert record == read_record(tmp_path / "out" / "check.json", Check)


def test_a_training_photo_in_test_voids_a_comparison(photos, tmp_path):
    shutil.copy(some(photos, "train", "hat"), photos / "test" / "hat" / "again.jpg")
    record = looked_at(photos, tmp_path)
    assert record.void == (
        "1 test picture is in training too, pixel for pixel",
        "6.2 % of the test pictures have a duplicate in training, more than 5 %",
    )
    assert pairs(record, "exact duplicate") == [
        ("test/hat/again.jpg", some(photos, "train", "hat").relative_to(photos).as_posix())
    ]
    assert record.findings[0].leak
    leak = record.duplicates.leaks[0]
    assert (leak.split, leak.other, leak.exact, leak.near) == ("test", "train", 1, 0)
    place = leak.places[0]
    assert load_data(str(photos)).test.files[place].name == "again.jpg"


def test_a_mirrored_and_saved_again_photo_is_near_and_leaks(photos, tmp_path):
    source = some(photos, "train", "pants", 1)
    with Image.open(source) as picture:
        turned = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).point(lambda value: int(value * 0.85))
        turned.save(photos / "test" / "pants" / "turned.jpg", quality=60)
    record = looked_at(photos, tmp_path)
    (finding,) = record.findings
    assert finding.kind == "near duplicate"
    assert (finding.picture.path, finding.partner.path) == (
        "test/pants/turned.jpg",
        source.relative_to(photos).as_posix(),
    )
    assert finding.mirrored
    assert finding.leak
    assert not finding.labels_differ
    assert record.duplicates.leaks[0].near == 1


def test_one_photo_under_two_labels_is_told_and_voids_nothing(photos, tmp_path):
    shutil.copy(some(photos, "train", "shoes"), photos / "train" / "shorts" / "copy.jpg")
    record = looked_at(photos, tmp_path)
    assert record.duplicates.conflicts == 1
    assert record.findings[0].labels_differ
    assert {record.findings[0].picture.label, record.findings[0].partner.label} == {"shoes", "shorts"}
    assert record.void == ()


@pytest.mark.parametrize("harm", ["no folder", "empty folder", "empty split"])
def test_a_class_missing_from_a_split_is_named(photos, tmp_path, harm):
    if harm == "empty split":
        shutil.rmtree(photos / "test")
        (photos / "test").mkdir()
    else:
        shutil.rmtree(photos / "test" / "hat")
        if harm == "empty folder":
            (photos / "test" / "hat").mkdir()
    record = looked_at(photos, tmp_path)
    missing = list(record.data.classes) if harm == "empty split" else ["hat"]
    assert record.void == tuple(f"class {name!r} has no picture in test" for name in missing)
    assert record.splits[-1].missing == tuple(missing)
    assert record.splits[0].images == 35
    assert (tmp_path / "out" / "page.html").exists()


def test_odd_sizes_and_files_set_aside_are_listed(photos, tmp_path):
    Image.effect_noise((300, 40), 60).save(photos / "train" / "hat" / "strip.png")
    (photos / "train" / "hat" / "torn.jpg").write_bytes(some(photos, "train", "hat").read_bytes()[:400])
    record = looked_at(photos, tmp_path)
    told = {each.kind: (each.picture.path, each.reason) for each in record.findings}
    assert told["odd size"] == ("train/hat/strip.png", "300 x 40 is smaller than the 64 x 64 it is enlarged to")
    assert told["set aside"][0] == "train/hat/torn.jpg"
    assert record.set_aside == 1
    assert record.sizes.odd == 1


def test_the_table_has_a_line_for_every_finding(photos, tmp_path):
    shutil.copy(some(photos, "train", "hat"), photos / "test" / "hat" / "again.jpg")
    record = looked_at(photos, tmp_path)
    with (tmp_path / "out" / "findings.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(record.findings) == 1
    assert (rows[0]["path"], rows[0]["leak"], rows[0]["score"]) == ("test/hat/again.jpg", "yes", "1.0")
    assert rows[0]["partner_split"] == "train"


def test_the_data_are_never_written_to(photos, tmp_path):
    before = digest_of(photos)
    looked_at(photos, tmp_path)
    assert digest_of(photos) == before


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_classes_are_a_user_s_error(tmp_path, count):
    folder = tmp_path / "photos"
    folder.mkdir()
    if count:
        shutil.copytree(PHOTOS / "train" / "hat", folder / "hat")
    with pytest.raises(UserError, match=f"has {count} class folders"):
        looked_at(folder, tmp_path)


def test_two_photos_a_class_are_enough(tmp_path):
    folder = tmp_path / "photos"
    for label in ("hat", "dress"):
        (folder / label).mkdir(parents=True)
        for place in range(3):
            shutil.copy(some(PHOTOS, "train", label, place), folder / label)
    assert looked_at(folder, tmp_path).findings == ()


def test_rows_are_those_of_the_makers_file(clothes_folder):
    data = load_data("fashion-mnist", data_dir=clothes_folder, validation=0.15)
    rows = np.concatenate([data.train.rows, data.validation.rows])
    assert sorted(rows) == list(range(320))
    whole = load_data("fashion-mnist").train
    place = int(data.validation.rows[3])
    original = np.flatnonzero(whole.rows == place)
    held = load_data("fashion-mnist").validation
    pixels = whole.pixels[original[0]] if len(original) else held.pixels[np.flatnonzero(held.rows == place)[0]]
    np.testing.assert_array_equal(data.validation.pixels[3], pixels)


def test_the_rule_of_near_duplicates_begins_beyond_five_percent():
    def with_share(share, exact=0):
        leak = Leak(split="test", other="train", exact=exact, near=5, share=share, places=())
        return DuplicateHealth(
            searched="test", images=100, copies=0, near_pairs=5, conflicts=0, leaks=(leak,), seconds=0.0
        )

    assert void_reasons((), with_share(0.05)) == ()
    assert len(void_reasons((), with_share(0.051))) == 1
    assert len(void_reasons((), with_share(0.01, exact=1))) == 1
    assert void_reasons((), None) == ()


def test_a_folder_with_a_check_is_not_written_over(tmp_path):
    options = CheckOptions(DataOptions(str(PHOTOS)))
    first = check(tmp_path, options, Silent())
    with pytest.raises(UserError, match="holds a check already"):
        check(tmp_path, options, Silent())
    assert check(tmp_path, options, Silent(), resume=True) == first


def test_the_quick_part_looks_for_copies_of_the_proof_alone(clothes_data):
    planted = replace(
        clothes_data,
        test=replace(
            clothes_data.test, pixels=np.concatenate([clothes_data.train.pixels[:3], clothes_data.test.pixels[3:]])
        ),
    )
    record = quick_check(DataOptions("fashion-mnist"), planted, "test", Silent())
    leak = record.duplicates.leaks[0]
    assert (leak.exact, set(leak.places) >= {0, 1, 2}) == (3, True)
    assert record.duplicates.searched == "test"
    assert record.labels is None


def test_copies_share_a_fold_and_classes_are_spread():
    labels = np.repeat(np.arange(3), 40)
    groups = np.arange(120)
    groups[[5, 50, 100]] = 5
    fold = folds_of(labels, groups, seed=1)
    assert len(set(fold[[5, 50, 100]])) == 1
    for label in range(3):
        counts = np.bincount(fold[labels == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 3
    assert (fold == folds_of(labels, groups, seed=1)).all()
    assert (fold != folds_of(labels, groups, seed=2)).any()


def test_a_class_too_small_for_the_folds_is_never_flagged(clothes_data):
    pictures = AllPictures(clothes_data)
    labels = pictures.labels
    # Networks that are always sure of class 0, whatever is shown.
    sure = np.full((len(labels), 10), 0.01, np.float32)
    sure[:, 0] = 0.91
    few = replace(clothes_data, train=clothes_data.train.take(np.flatnonzero(clothes_data.train.labels != 9)))
    few = replace(few, validation=few.validation.take(np.flatnonzero(few.validation.labels != 9)))
    few = replace(few, test=few.test.take(np.flatnonzero(few.test.labels != 9)))
    assert all(
        each.picture.label != "ankle boot"
        for each in judged(AllPictures(few), sure[: len(few.train) + len(few.validation) + len(few.test)]).findings
    )


def test_planted_wrong_labels_are_among_the_doubted(tmp_path):
    """Trousers, sneakers and bags are told apart within seconds; a bag called a trouser is then found."""
    whole = load_data("fashion-mnist")
    parts = [
        part.take(np.flatnonzero(np.isin(part.labels, (1, 7, 8)))[:count])
        for part, count in zip(AllPictures(whole).parts, (700, 60, 60), strict=True)
    ]
    train = parts[0]
    planted = np.flatnonzero(train.labels == 8)[:12]
    labels = train.labels.copy()
    labels[planted] = 1
    data = replace(whole, train=replace(train, labels=labels), validation=parts[1], test=parts[2])
    options = TrainOptions(
        width=0.5, epochs=5, batch_size=16, optimizer="adamw", lr=0.004, deterministic=True, threads=1
    )
    pictures = AllPictures(data)
    doubts = doubted_labels(tmp_path, pictures, np.arange(len(pictures.labels)), options, Silent())
    flagged = {each.picture.place: each.suggested for each in doubts.findings if each.picture.split == "train"}
    assert sum(flagged.get(int(place)) == "bag" for place in planted) >= 8
    assert len(doubts.findings) <= 24
    assert doubts.health.folds == FOLDS
    with np.load(tmp_path / "confidences.npz", allow_pickle=False) as kept:
        assert kept["probabilities"].shape == (len(pictures.labels), 10)


def test_data_that_no_network_learns_in_that_time_are_checked_all_the_same(photos, tmp_path):
    record = looked_at(photos, tmp_path, training=TrainOptions(time_s=0.001, threads=1))
    assert record.labels is None
    assert "too short" in record.labels_reason
    assert record.duplicates.images == 60


def test_from_python_it_is_one_call(tmp_path):
    record = econet.check(str(PHOTOS), quick=True, out=tmp_path / "out")
    assert record.void == ()
    assert (tmp_path / "out" / "findings.csv").exists()
