"""The listing tells, of a folder that changed, what changed."""

import shutil
from pathlib import Path

import msgspec
import pytest

from econet.data.listing import describe_change, read_listing, write_listing
from econet.data.load import load_data
from econet.errors import UserError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "clothing"


@pytest.fixture
def photos(tmp_path):
    return Path(shutil.copytree(FIXTURES, tmp_path / "photos"))


@pytest.fixture
def listing(photos, tmp_path):
    write_listing(tmp_path / "run" / "data.jsonl", load_data(str(photos)))
    return tmp_path / "run" / "data.jsonl"


def test_a_listing_has_a_line_a_file_and_reads_back(photos, listing):
    assert read_listing(listing) == load_data(str(photos)).listing
    rows = [msgspec.json.decode(row) for row in listing.read_bytes().splitlines()]
    assert len(rows) == 60
    assert rows[0].keys() == {"path", "bytes", "sha256", "label", "split", "set_aside"}


def test_added_removed_changed_and_moved_files_are_told(photos, listing):
    hats = sorted((photos / "train" / "hat").iterdir())
    dresses = sorted((photos / "train" / "dress").iterdir())
    shutil.copyfile(hats[0], photos / "train" / "hat" / "new.jpg")
    hats[1].unlink()
    shutil.copyfile(dresses[1], dresses[0])
    change = describe_change(listing, load_data(str(photos)))
    assert "1 added (train/hat/new.jpg)" in change
    assert f"1 removed (train/hat/{hats[1].name})" in change
    assert f"1 changed (train/dress/{dresses[0].name})" in change
    assert "another split" not in change


def test_files_that_fell_into_another_split_are_told(tmp_path):
    bare = tmp_path / "bare"
    for name in ("hat", "dress"):
        shutil.copytree(FIXTURES / "train" / name, bare / name)
    write_listing(tmp_path / "data.jsonl", load_data(str(bare), seed=0))
    assert "in another split" in describe_change(tmp_path / "data.jsonl", load_data(str(bare), seed=1))


def test_the_same_files_are_called_the_same(photos, listing):
    assert "are the same" in describe_change(listing, load_data(str(photos), image_size=32))


def test_without_a_listing_nothing_is_claimed(tmp_path):
    assert "no list of its files was kept" in describe_change(tmp_path / "data.jsonl", load_data(str(FIXTURES)))


def test_a_set_without_files_writes_no_listing(tmp_path):
    write_listing(tmp_path / "data.jsonl", load_data("fashion-mnist"))
    assert not (tmp_path / "data.jsonl").exists()


def test_a_damaged_line_is_named(listing):
    listing.write_bytes(listing.read_bytes()[:-30])
    with pytest.raises(UserError, match=r"data\.jsonl line 60 is damaged"):
        read_listing(listing)
