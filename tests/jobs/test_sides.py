"""The sides of a comparison: told apart by looking, fit for the data, and a candidate of the right width."""

import shutil
from dataclasses import replace

import pytest

from econet.errors import UserError
from econet.jobs import sides as room
from econet.jobs.run_data import load
from econet.jobs.sides import contender, line_up, macs_of, width_within
from econet.models import architecture, catalog, cost
from econet.runs.comparison_records import ComparisonConfig
from econet.runs.record import read_record

pytest_plugins = ["small_comparison"]


@pytest.fixture(scope="module")
def pictures(some_pictures):
    return load(some_pictures)


@pytest.fixture
def asked(compared):
    """What a comparison asks, to be altered."""
    import msgspec

    recorded = read_record(compared.folder / "config.json", ComparisonConfig)
    return lambda **change: msgspec.structs.replace(recorded, **change)


def macs(model, width=None):
    switches = {} if width is None else {"width": width}
    return cost.macs(architecture.from_data(catalog.architecture(model, (1, 28, 28), 10, **switches)))


def test_a_model_a_run_and_a_file_are_told_apart(compared):
    assert contender("baseline", "alexnet_small").model == "alexnet_small"
    assert contender("baseline", "mine.networks:small").model == "mine.networks:small"
    run, file = compared.folder / "candidate", compared.folder / "candidate" / "model.onnx"
    assert contender("candidate", str(run)).run.folder == run
    assert contender("candidate", str(file)).file == file


def test_a_run_that_was_stopped_cannot_take_part(compared, tmp_path):
    shutil.copytree(compared.folder / "candidate", tmp_path / "stopped")
    (tmp_path / "stopped" / "finished.json").unlink()
    with pytest.raises(UserError, match="is not finished") as told:
        contender("candidate", str(tmp_path / "stopped"))
    assert "--resume" in told.value.remedy


def test_the_width_found_is_the_widest_that_keeps_a_tenth_of_the_macs(pictures):
    limit = macs("alexnet_small") // 10
    width = width_within("econet", limit, pictures)
    assert macs("econet", width) <= limit < macs("econet", width + 0.01)


def test_no_width_is_looked_for_where_a_model_has_none(pictures):
    assert width_within("alexnet_small", 1, pictures) is None
    assert width_within("mine.networks:small", 1, pictures) is None


def test_a_limit_no_width_can_keep_is_told(pictures):
    with pytest.raises(UserError, match="no width of econet fits 1000 MACs") as told:
        width_within("econet", 1000, pictures)
    assert "--width" in told.value.remedy


def test_macs_are_the_same_counted_from_name_run_and_file(compared, pictures):
    folder = compared.folder / "baseline"
    expected = macs("alexnet_small")
    for word in ("alexnet_small", str(folder), str(folder / "model.onnx"), str(folder / "model.int8.onnx")):
        assert macs_of(contender("baseline", word), pictures) == expected


def test_a_user_s_network_has_no_macs_before_it_is_exported(pictures, tmp_path, monkeypatch):
    (tmp_path / "mine_sides.py").write_text(
        "from torch import nn\n\ndef small(classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, classes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert macs_of(contender("baseline", "mine_sides:small"), pictures) is None


def test_the_lineup_fits_the_candidate_to_the_baseline_unless_told_otherwise(asked, pictures):
    found = line_up(asked(), pictures)
    assert (found.baseline.model, found.candidate.model, found.teacher) == ("alexnet_small", "econet", None)
    assert found.width == width_within("econet", int(0.1 * macs("alexnet_small")), pictures)
    assert line_up(asked(width=0.5), pictures).width == 0.5


def test_the_teacher_is_a_side_of_its_own_only_where_it_is_not_the_baseline(asked, pictures):
    assert line_up(asked(teacher="none"), pictures).teacher is None
    assert line_up(asked(teacher="resnet_small"), pictures).teacher.model == "resnet_small"


def test_a_picture_too_small_for_a_side_is_told_before_training(asked, some_pictures):
    small = load(replace(some_pictures, image_size=16))
    with pytest.raises(UserError, match="image size 16 is smaller than alexnet_small can take"):
        line_up(asked(), small)


def test_a_file_for_other_images_is_told_before_training(asked, compared, some_pictures):
    larger = load(replace(some_pictures, image_size=32))
    file = compared.folder / "candidate" / "model.int8.onnx"
    with pytest.raises(UserError, match=r"the file takes images of \(28, 28\) with 1 channels"):
        line_up(asked(candidate=str(file)), larger)


def test_a_run_on_other_data_is_told_before_training(asked, compared, some_pictures):
    other = load(replace(some_pictures, seed=4))
    for role in ("baseline", "candidate", "teacher"):
        with pytest.raises(UserError, match="belongs to other data"):
            line_up(asked(**{role: str(compared.folder / "baseline")}), other)


def test_artifacts_are_named_by_what_they_hold(compared):
    file = compared.folder / "candidate" / "model.int8.onnx"
    found = room.artifact_of_file("candidate", file)
    assert (found.precision, found.name, found.run) == ("int8", "econet", None)
    assert [each.precision for each in room.artifacts_of("teacher", compared.run("baseline"))] == ["fp32"]
