"""The run folder: what lies in it, and a journal whose last line may be torn."""

import json

import pytest

from econet.errors import UserError
from econet.runs.folder import Run, open_run, read_history, truncate_history
from econet.runs.records import Epoch


def line(number: int) -> Epoch:
    return Epoch(
        epoch=number,
        step=10 * number,
        loss=1 / number,
        train_accuracy=0.5,
        validation_loss=2.0,
        validation_accuracy=0.25,
        lr=0.1,
        seconds=3.5 * number,
        images_per_s=100.0,
    )


@pytest.fixture
def run(tmp_path):
    made = Run(tmp_path)
    for number in (1, 2, 3):
        made.append_epoch(line(number))
    return made


def test_history_is_a_line_an_epoch(run):
    rows = [json.loads(row) for row in run.history_path.read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert run.history == [line(1), line(2), line(3)]


@pytest.mark.parametrize("kept", [1, 30, 100])
def test_a_torn_last_line_is_passed_over_and_dropped_by_the_resume(run, kept):
    whole = run.history_path.read_bytes()
    rows = whole.splitlines(keepends=True)
    run.history_path.write_bytes(rows[0] + rows[1] + rows[2][:kept])
    assert run.history == [line(1), line(2)]
    truncate_history(run.history_path, 2)
    assert run.history_path.read_bytes() == rows[0] + rows[1]
    run.append_epoch(line(3))
    assert run.history_path.read_bytes() == whole


def test_a_damaged_line_before_the_last_is_named(run):
    rows = run.history_path.read_bytes().splitlines(keepends=True)
    run.history_path.write_bytes(rows[0] + rows[1][:20] + b"\n" + rows[2])
    with pytest.raises(UserError, match="line 2 is not an epoch"):
        _ = run.history


def test_a_resume_drops_the_epochs_after_its_checkpoint(run):
    truncate_history(run.history_path, 1)
    assert run.history == [line(1)]
    assert [path.name for path in run.folder.iterdir()] == ["history.jsonl"]


def test_a_run_without_a_history_has_none(tmp_path):
    assert read_history(tmp_path / "history.jsonl") == []


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"it has no config\.json"):
        open_run(tmp_path)
    with pytest.raises(UserError, match="there is no such folder"):
        open_run(tmp_path / "absent")


def test_an_unfinished_run_has_no_result_and_says_how_to_get_one(run):
    with pytest.raises(UserError, match="is not finished") as caught:
        _ = run.finished
    assert caught.value.remedy == f"econet train --resume --out {run.folder}"


def test_artifacts_lie_in_the_folder_under_their_precision(run):
    assert run.artifacts() == []
    for precision in ("int8", "fp32"):
        run.artifact(precision).write_bytes(b"x")
    assert [path.name for path in run.artifacts()] == ["model.onnx", "model.int8.onnx"]
