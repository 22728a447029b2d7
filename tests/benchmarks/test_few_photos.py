"""`benchmarks/few_photos.py`: what it draws, what it says of a difference, and that it goes on where it was stopped."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "few_photos.py"
PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    return importlib.import_module("few_photos")


def test_a_draw_has_as_many_of_each_class_and_is_another_one_each_time(bench, clothes_data):
    first, again, other = (bench.rows_of_each(clothes_data.train, 7, draw) for draw in (1, 1, 2))
    assert np.bincount(clothes_data.train.labels[first]).tolist() == [7] * 10
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_is_said_is_what_the_interval_allows(bench):
    # By hand: differences 0.1, 0.2, 0.3 have mean 0.2 and standard error 0.1 / sqrt(3); t(0.975, 2) is 4.303.
    gain = bench.difference([0.6, 0.7, 0.8], [0.5, 0.5, 0.5])
    assert gain["mean"] == pytest.approx(0.2)
    assert gain["interval"] == pytest.approx((0.2 - 4.303 * 0.1 / 3**0.5, 0.2 + 4.303 * 0.1 / 3**0.5), abs=1e-4)
    assert gain["says"] == "cannot be told by 3 draws"
    assert bench.difference([0.6, 0.61, 0.6], [0.5, 0.5, 0.5])["says"] == "helps"
    assert bench.difference([0.4, 0.41, 0.4], [0.5, 0.5, 0.5])["says"] == "harms"
    assert bench.difference([0.9, 0.9], [0.1, 0.1])["interval"] is None


def test_it_measures_all_ways_and_a_second_call_trains_nothing(bench, tmp_path, capsys, monkeypatch):
    words = [str(PHOTOS), "--photos", "2", "--draws", "1", "--steps", "1", "--image-size", "16"]
    words += ["--out", str(tmp_path / "out"), "--json", str(tmp_path / "record.json")]
    assert bench.main(words) == 0
    record = json.loads((tmp_path / "record.json").read_text())
    ways = record["photos_a_class"]["2"]
    assert list(ways) == ["nothing", "nothing, longer", "zoo", "self-supervised"]
    assert list(ways["self-supervised"]["more_than"]) == ["nothing", "nothing, longer"]
    outcomes = {(one["way"], one["photos"]): one for one in record["outcomes"]}
    assert outcomes["nothing, longer", 2]["steps"] == 2 * outcomes["nothing", 2]["steps"] == 2
    assert outcomes["self-supervised", None]["accuracy"] is None
    right = outcomes["zoo", 2]["accuracy"] * record["photos"]["test"]
    assert right == pytest.approx(round(right))
    said = capsys.readouterr().out
    assert "2 photos a class" in said
    assert "cannot be told by 1 draws" in said

    def never(*arguments, **named):
        raise AssertionError("trained again")

    monkeypatch.setattr(bench, "train", never)
    assert bench.main(words) == 0
    assert capsys.readouterr().out == said


def test_a_fault_of_the_user_is_two(bench, tmp_path, capsys):
    assert bench.main([str(tmp_path / "nowhere"), "--out", str(tmp_path)]) == 2
    assert "there is no folder" in capsys.readouterr().err
