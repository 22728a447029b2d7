"""What a comparison tells of its data: leaked pictures are counted, and both sides judged without them."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from econet.data.load import load_data
from econet.jobs.data_health import data_health, summary
from econet.jobs.options import DataOptions
from econet.measurement.accuracy import Predictions
from econet.runs.check_records import Leak
from econet.training.progress import Silent

PHOTOS = str(Path(__file__).parents[1] / "fixtures" / "clothing")


@pytest.fixture(scope="module")
def photos():
    return load_data(PHOTOS)


@pytest.fixture
def health(photos, tmp_path):
    return data_health(tmp_path, DataOptions(PHOTOS), photos, "test", Silent())


def answers(right) -> Predictions:
    truth = np.zeros(len(right), np.uint16)
    return Predictions(truth, np.where(right, 0, 1).astype(np.uint16), np.ones((len(right), 2)))


def leaking(health, places):
    leak = Leak(split="test", other="train", exact=1, near=len(places) - 1, share=len(places) / 4, places=places)
    return replace(health, duplicates=replace(health.duplicates, leaks=(leak,)))


def test_accuracy_without_the_leaked_pictures_is_that_of_the_others(health):
    # Four pictures, the second and the third in training: of the others the large side has both, the small one.
    large, small = answers([True, True, True, True]), answers([False, True, True, True])
    told = summary(leaking(health, (1, 2)), "test", large, small)
    assert (told.exact, told.near, told.images) == (1, 1, 2)
    assert told.without == (1.0, 0.5)


def test_where_nothing_leaked_or_all_did_there_is_nothing_to_leave_out(health):
    sides = answers([True, False]), answers([True, True])
    assert summary(health, "test", *sides).without is None
    assert summary(leaking(health, (0, 1)), "test", *sides).without is None


def test_the_data_are_looked_over_once_and_again_when_they_changed(photos, health, tmp_path):
    kept = (tmp_path / "check.json").stat().st_mtime_ns
    assert data_health(tmp_path, DataOptions(PHOTOS), photos, "test", Silent()) == health
    assert (tmp_path / "check.json").stat().st_mtime_ns == kept
    other = data_health(tmp_path, DataOptions(PHOTOS), photos, "validation", Silent())
    assert other.duplicates.searched == "validation"
    assert (tmp_path / "check.json").stat().st_mtime_ns > kept
