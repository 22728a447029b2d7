"""Which file of a trained network a search hands over."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from econet.errors import UserError
from econet.jobs import shrink_further
from econet.jobs.shrink_further import best_file
from econet.jobs.shrink_task import Task
from econet.runs.shrink_records import Budgets, FileCost
from econet.training.progress import Silent

BYTES = {"int8": 100_000, "fp32": 330_000}


@pytest.fixture
def handed_over(monkeypatch, tmp_path):
    """The precision of the file that is handed over, for accuracies by precision; the subject has 90 %."""

    def choose(accuracies: dict[str, float], **budgets: float) -> str:
        stated = Budgets(**budgets)
        steps = [
            (SimpleNamespace(folder=tmp_path), SimpleNamespace(file=precision, accuracy_validation=found(accuracy)))
            for precision, accuracy in accuracies.items()
        ]
        monkeypatch.setattr(shrink_further, "candidate_steps", lambda *_: steps)
        monkeypatch.setattr(shrink_further, "architecture_of", lambda _: SimpleNamespace(input=(1, 28, 28)))
        plan = SimpleNamespace(subject_accuracy=0.9, subject_bytes=1_000_000)
        task = Task(tmp_path, SimpleNamespace(budgets=stated), plan, None, None)
        monkeypatch.setattr(Task, "scales", SimpleNamespace(weighed=weighed))
        monkeypatch.setattr(Task, "dataset", lambda *_: None)
        return best_file(task, SimpleNamespace(folder=tmp_path), Silent())[1].precision

    def found(accuracy):
        return SimpleNamespace(artifact=accuracy)

    def weighed(path: Path) -> FileCost:
        size = BYTES[path.name]
        return FileCost(precision=path.name, bytes=size, macs=1000, parameters=1, latency_ms=0.2, energy_mj=None)

    return choose


def test_int8_is_handed_over_where_it_is_nearly_as_good(handed_over):
    assert handed_over({"int8": 0.896, "fp32": 0.9}, max_latency_ms=1.0) == "int8"
    assert handed_over({"int8": 0.9, "fp32": 0.9}, max_kb=1000) == "int8"


def test_fp32_is_handed_over_where_int8_costs_more_than_half_a_point_and_the_budget_allows_it(handed_over):
    assert handed_over({"int8": 0.894, "fp32": 0.9}, max_latency_ms=1.0) == "fp32"
    assert handed_over({"int8": 0.8, "fp32": 0.9}, max_kb=200) == "int8"  # the larger file is over budget


def test_a_file_within_the_accepted_drop_comes_before_a_smaller_one_beyond_it(handed_over):
    assert handed_over({"int8": 0.888, "fp32": 0.8905}, max_latency_ms=1.0, max_drop=0.01) == "fp32"
    assert handed_over({"int8": 0.891, "fp32": 0.893}, max_latency_ms=1.0, max_drop=0.01) == "int8"


def test_with_a_drop_alone_bytes_count_as_the_search_counts_them(handed_over):
    """A drop of two points: 3.3 times the bytes are worth 2 * log2(3.3) = 3.4 points, and half a point is int8's."""
    assert handed_over({"int8": 0.881, "fp32": 0.9}, max_drop=0.02) == "int8"
    assert handed_over({"int8": 0.879, "fp32": 0.9}, max_drop=0.02) == "fp32"  # beyond the drop
    assert handed_over({"int8": 0.86, "fp32": 0.87}, max_drop=0.02) == "int8"
    assert handed_over({"int8": 0.83, "fp32": 0.87}, max_drop=0.02) == "fp32"


def test_a_run_whose_files_all_failed_is_refused(handed_over):
    with pytest.raises(UserError, match="gives no file"):
        handed_over({}, max_kb=100)
