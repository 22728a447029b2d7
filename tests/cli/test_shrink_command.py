"""`econet shrink` and `train --tune` in the terminal: what is printed, and the exit codes."""

import json

import pytest

from econet.jobs import shrink as room
from econet.jobs import tune as tuning
from econet.jobs.options import TrainOptions
from econet.jobs.shrink_options import ShrinkOptions
from made_search import made_search, unreachable_search


@pytest.fixture
def searched(monkeypatch):
    """Let the job answer with a made record; what it was asked lies in the list."""
    asked: list[ShrinkOptions] = []

    def answer(record):
        def job(folder, options, progress, *, resume=False):
            asked.append(options)
            folder.mkdir(parents=True, exist_ok=True)
            return record

        monkeypatch.setattr(room, "shrink", job)
        return asked

    return answer


def test_a_kept_budget_ends_with_0_and_tells_the_front_the_budget_and_what_to_type_next(
    econet, searched, run_folder, tmp_path
):
    asked = searched(made_search())
    ended = econet("shrink", run_folder, "--max-kb", "30", "--max-drop", "0.02", "--out", tmp_path / "s")
    assert ended.code == 0, ended.err
    assert "C9 P64/2" in ended.out
    assert "file size" in ended.out
    assert "Yes: the budget is kept. 91.0 % of 1,000 test pictures: -0.4 points" in ended.out
    assert f"next: econet predict {tmp_path / 's' / 'final/model.int8.onnx'} IMAGE" in ended.err
    (options,) = asked
    assert (options.run, options.data) == (run_folder, None)
    assert (options.budgets.max_kb, options.budgets.max_drop, options.time_s) == (30, 0.02, 300)


def test_a_budget_that_is_not_kept_ends_with_1_and_the_budget_that_would_be(econet, searched, run_folder, tmp_path):
    searched(unreachable_search())
    ended = econet("shrink", run_folder, "--max-kb", "10", "--epochs", "2", "--out", tmp_path / "s")
    assert ended.code == 1
    assert "The nearest point is C8 P64/2: 20.0 KB" in ended.out
    # 20 KB and the search's own margin.
    assert f"next: econet shrink {run_folder} --epochs 2 --max-kb 23" in ended.err


def test_a_loss_that_is_too_large_ends_with_1_and_asks_for_more_time(econet, searched, run_folder, tmp_path):
    searched(made_search(verdict="no"))
    ended = econet("shrink", run_folder, "--max-kb", "30", "--out", tmp_path / "s")
    assert ended.code == 1
    assert "--time" in ended.err.splitlines()[-1]


def test_the_whole_record_comes_as_json(econet, searched, run_folder, tmp_path):
    searched(made_search())
    ended = econet("shrink", run_folder, "--max-kb", "30", "--out", tmp_path / "s", "--json")
    record = json.loads(ended.out)
    assert record["proof"]["budgets"] == [{"name": "bytes", "allowed": 30000.0, "found": 28000.0, "kept": True}]
    assert record["folder"] == str(tmp_path / "s")


def test_data_are_told_from_a_run_by_looking(econet, searched, tmp_path):
    asked = searched(made_search())
    ended = econet("shrink", "cifar10", "--max-macs", "1000000", "--image-size", "16", "--out", tmp_path / "s")
    assert ended.code == 0, ended.err
    assert (asked[0].run, asked[0].data.source, asked[0].data.image_size) == (None, "cifar10", 16)


def test_no_budget_is_refused(econet, run_folder, tmp_path):
    ended = econet("shrink", run_folder, "--out", tmp_path / "s")
    assert ended.code == 2
    assert "no budget was stated" in ended.err
    assert not (tmp_path / "s").exists()


def test_the_search_extra_is_named_where_it_is_missing(in_a_fresh_process, run_folder, tmp_path):
    refused = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "optuna":
            raise ModuleNotFoundError("No module named 'optuna'", name="optuna")
sys.meta_path.insert(0, Absent())
from econet.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
    words = ("shrink", str(run_folder), "--max-kb", "30", "--out", str(tmp_path / "s"))
    ended = in_a_fresh_process(refused, *words)
    assert ended.returncode == 2
    assert ended.stderr.endswith('try: pip install "econet[search]"\n')


def test_tuning_comes_before_training_and_its_settings_are_trained_with(econet, clothes_folder, tmp_path, monkeypatch):
    asked: list[tuple[TrainOptions, int]] = []

    def tune(folder, dataset, options, trials, progress, *, module=None):
        asked.append((options, trials))
        from dataclasses import replace

        return replace(options, lr=0.0123)

    monkeypatch.setattr(tuning, "tune", tune)
    words = ("train", "fashion-mnist", "--data-dir", clothes_folder, "--validation", "0.15", "--epochs", "1")
    words += ("--batch-size", "24", "--width", "0.25", "--deterministic", "--threads", "1", "--tune", "7", "--json")
    ended = econet(*words, "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    assert asked[0][1] == 7
    assert json.loads(ended.out)["config"]["training"]["lr"] == 0.0123
    econet(*words, "--resume", "--out", tmp_path / "run")
    assert len(asked) == 1  # a run that began keeps its own settings
