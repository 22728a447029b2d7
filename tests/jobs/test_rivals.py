"""The table of hand-crafted features against a network holds the figures of the kept results, and no others."""

import json
import sys
from pathlib import Path

import pytest

from econet.errors import UserError
from econet.jobs import recipes, rivals
from econet.jobs.evaluate import evaluate
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.runs.artifact_records import Evaluation
from econet.runs.handcrafted_records import HandcraftedResult
from econet.runs.record import read_record
from econet.statistics.intervals import t_interval, wilson
from econet.training.progress import Silent

BASELINE = "fashion-mnist-baseline"
COMMITTED = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="module")
def run(clothes_data, clothes_folder, tmp_path_factory):
    """A fitted run on the small real data set, evaluated on its 100 test images."""
    folder = tmp_path_factory.mktemp("runs") / "hog"
    made = train(folder, clothes_data, TrainOptions(model="hog_linear", augment="none", threads=1), Silent())
    evaluate(folder, None, "test", Silent(), data_dir=clothes_folder)
    return made


@pytest.fixture
def kept_in(tmp_path, monkeypatch):
    """A checkout's folder of recipes with the baseline's recipe and its first committed result."""
    folder = tmp_path / "recipes"
    (folder / "results" / BASELINE).mkdir(parents=True)
    (folder / f"{BASELINE}.toml").write_bytes((COMMITTED / f"{BASELINE}.toml").read_bytes())
    first = Path("results") / BASELINE / "seed-0.json"
    (folder / first).write_bytes((COMMITTED / first).read_bytes())
    for room in (recipes, rivals):
        monkeypatch.setattr(room, "recipes_folder", lambda: folder)
    return folder


def test_a_run_is_kept_with_its_records_and_without_predictions(run, kept_in, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rivals", str(run.folder)])
    assert rivals.main() == 0
    path = kept_in / "results" / "handcrafted" / "fashion-mnist-hog_linear-seed-0.json"
    assert capsys.readouterr().out == f"recorded in {path}\n"
    result = read_record(path, HandcraftedResult)
    assert result.evaluation == read_record(run.folder / "weights.evaluation.json", Evaluation)
    assert (result.config, result.finished) == (run.recorded, run.finished)
    assert list(path.parent.iterdir()) == [path]


def test_the_table_holds_both_sides_each_with_its_interval(run, kept_in):
    rivals.keep(run)
    result = json.loads((kept_in / "results" / BASELINE / "seed-0.json").read_bytes())
    network = result["evaluations"][0]["accuracy"]
    lines = rivals.table().splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| fashion-mnist | `alexnet_small` |")
    assert f"{100 * network:.2f} %" in lines[2]
    right = round(100 * read_record(run.folder / "weights.evaluation.json", Evaluation).accuracy)
    low, high = wilson(right, 100)
    assert lines[3].startswith(
        f"| fashion-mnist | `hog_linear` | {right:.2f} % ({100 * low:.2f} to {100 * high:.2f} over test images) | 1 |"
    )
    assert "| not counted |" in lines[3]


def test_three_seeds_that_differ_have_an_interval_over_seeds(run, kept_in):
    path = rivals.keep(run)
    record = json.loads(path.read_bytes())
    for seed, accuracy in enumerate((0.80, 0.81, 0.83)):
        record["evaluation"]["accuracy"] = accuracy
        path.with_name(f"fashion-mnist-hog_linear-seed-{seed}.json").write_text(json.dumps(record))
    low, high = t_interval([0.80, 0.81, 0.83])
    assert f"81.33 % ({100 * low:.2f} to {100 * high:.2f} over seeds) | 3 |" in rivals.table()


def test_what_is_no_result_is_not_kept(run, kept_in, trained):
    with pytest.raises(UserError, match="holds a network"):
        rivals.keep(trained("network", epochs=1))
    path = run.folder / "weights.evaluation.json"
    evaluation = path.read_bytes()
    try:
        path.write_bytes(evaluation.replace(b'"split": "test"', b'"split": "validation"'))
        with pytest.raises(UserError, match="was evaluated on validation"):
            rivals.keep(run)
    finally:
        path.write_bytes(evaluation)
    assert not rivals.results_folder().exists()
