"""A real search in miniature: the budget is kept on the file, and the test images are read once."""

import csv
import io
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from disturbed.searches import MAX_KB, Search
from econet.deployment import graph, parity
from econet.deployment.model_file import read_model
from econet.errors import UserError
from econet.jobs import shrink as room
from econet.jobs.options import DataOptions, TrainOptions
from econet.jobs.shrink import shrink
from econet.jobs.shrink_options import ShrinkOptions
from econet.jobs.train import train
from econet.measurement import latency, quiet_latency
from econet.runs.artifact_records import Evaluation
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.runs.shrink_records import Budgets, Shrink
from econet.training.progress import Silent
from teller import Teller


@pytest.fixture(scope="module")
def subject(clothes_data, tmp_path_factory) -> Run:
    """econet at half its width after a few epochs on 271 pictures."""
    folder = tmp_path_factory.mktemp("subject") / "run"
    options = TrainOptions(model="econet", width=0.5, epochs=6, batch_size=24, deterministic=True, threads=1)
    return train(folder, clothes_data, options, Silent())


@pytest.fixture(scope="module")
def asked(subject, clothes_folder) -> ShrinkOptions:
    return ShrinkOptions(
        run=subject.folder,
        data_dir=clothes_folder,
        budgets=Budgets(max_kb=MAX_KB, max_latency_ms=50.0),
        trials=3,
        epochs=3,
        workers=2,
        threads=1,
        batch_size=24,
        deterministic=True,
    )


@pytest.fixture(scope="module", autouse=True)
def in_a_hurry():
    """Short timings in this process; workers and fresh processes time as always."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "benchmark", partial(latency.benchmark, rounds=3, round_seconds=0.001))
        patch.setattr(latency, "latencies", partial(latency.latencies, rounds=3, round_seconds=0.001))
        patch.setattr(latency, "_THROUGHPUT_SECONDS", 0.001)
        patch.setattr(latency, "peak_memory_bytes", lambda *_: 50_000_000)
        patch.setattr(quiet_latency, "PAUSE_SECONDS", 0.0)
        yield


@pytest.fixture(scope="module")
def found(asked, tmp_path_factory) -> tuple[Path, Shrink, list[str]]:
    """The folder, the record and the notes of a search of three networks by two workers."""
    folder, teller = tmp_path_factory.mktemp("found") / "search", Teller()
    return folder, shrink(folder, asked, teller), teller.notes


def test_a_stated_budget_is_kept_on_the_file_itself(found):
    folder, record, _ = found
    proof = record.proof
    assert record.kept
    assert record.reachable is None
    path = folder / proof.artifact
    held = {each.name: each for each in proof.budgets}
    assert held["bytes"].found == path.stat().st_size <= 1000 * MAX_KB
    assert held["latency_ms"].found == sorted(proof.latency.processes_ms)[1] <= 50.0
    assert proof.benchmark.macs == graph.macs(read_model(path))
    assert len(proof.latency.processes_ms) == len(proof.latency.subject_ms) == 3


def test_the_test_images_are_read_once_and_only_at_the_end(found, subject):
    folder, record, _ = found
    assert record.test_reads == 1
    evaluations = sorted(folder.rglob("*.evaluation.json"))
    assert [path.parent.name for path in evaluations] in (["final"], [record.proof.run.split("/")[-1]])
    assert read_record(evaluations[0], Evaluation).data.split == "test"
    assert read_record(subject.folder / "model.evaluation.json", Evaluation).test_reads == 1


def test_what_is_over_budget_is_never_trained(found):
    folder, record, _ = found
    over = [point for point in record.points if (point.stage, point.outcome) == ("trial", "over budget")]
    assert over  # the starting forms are larger than 25 KB
    for point in over:
        assert point.cost.bytes > 0.995 * 1000 * MAX_KB
        assert (point.accuracy, point.epochs) == (None, 0)
        assert not (folder / "trials" / f"{point.number:04d}").exists()


def test_what_was_weighed_before_training_is_what_the_trained_file_weighs(found):
    _, record, _ = found
    trials = {point.number: point for point in record.points if point.stage == "trial"}
    finalists = [point for point in record.points if point.stage == "finalist" and point.cost.precision == "int8"]
    for point in finalists:
        before = trials[point.number].cost
        assert point.cost.bytes == pytest.approx(before.bytes, rel=0.01)
        assert point.cost.macs == before.macs


def test_as_many_networks_are_trained_as_were_asked_and_the_best_are_trained_on(found, asked):
    folder, record, notes = found
    outcomes = Counter(point.outcome for point in record.points if point.stage == "trial")
    assert outcomes["trained"] + outcomes["stopped early"] + outcomes["failed"] == asked.trials
    final = record.points[-1]
    assert final.epochs == {"finalist": 2, "final": 5}[final.stage]  # one, one and three epochs
    run = Run(folder / "finalists" / f"{final.number:04d}")
    assert (run.folder / run.config.training.from_weights).resolve() == (
        folder / "trials" / f"{final.number:04d}"
    ).resolve()
    assert run.config.training.teacher is not None
    assert any(note.startswith("trial ") for note in notes)


def test_the_front_is_written_as_csv_picture_and_page(found):
    folder, record, _ = found
    rows = list(csv.DictReader(io.StringIO((folder / "front.csv").read_text())))
    assert [int(row["number"]) for row in rows] == [record.points[index].number for index in record.front]
    latencies = [float(row["latency_ms"]) for row in rows]
    accuracies = [float(row["validation_accuracy"]) for row in rows]
    assert latencies == sorted(latencies)
    assert accuracies == sorted(accuracies)
    assert (folder / "front.svg").read_text().startswith("<svg")
    page = (folder / "page.html").read_text()
    assert "Yes: the budget is kept" in page
    assert record.points[-1].network in page
    assert "read 1 time " in page


def test_a_finished_search_is_told_again_without_another_read(found, asked):
    folder, record, _ = found
    teller = Teller()
    assert shrink(folder, asked, teller, resume=True) == record
    assert any("nothing left to do" in note for note in teller.notes)
    with pytest.raises(UserError, match="holds a search already"):
        shrink(folder, asked, Silent())


def test_a_latency_nothing_can_reach_is_answered_with_the_nearest_point_before_any_training(asked, tmp_path):
    wanted = replace(asked, budgets=Budgets(max_latency_ms=1e-5))
    record = shrink(tmp_path / "s", wanted, Silent())
    assert not record.kept
    assert record.proof is None
    assert record.reachable.nearest.cost.latency_ms == record.reachable.least["latency_ms"] > 1e-5
    assert record.reachable.nearest.over["latency_ms"] > 0
    assert not (tmp_path / "s" / "trials").exists()
    assert "cannot be reached" in (tmp_path / "s" / "page.html").read_text()
    assert shrink(tmp_path / "s", wanted, Silent(), resume=True) == record


@pytest.mark.parametrize(
    ("budgets", "said"),
    [(Budgets(max_kb=0.5), "--max-kb 0.5 cannot be kept"), (Budgets(max_macs=100), "--max-macs 100 cannot be kept")],
)
def test_bytes_and_macs_that_no_file_can_have_are_refused_and_nothing_is_left(asked, budgets, said, tmp_path):
    with pytest.raises(UserError, match=said):
        shrink(tmp_path / "s", replace(asked, budgets=budgets), Silent())
    assert not [path for path in (tmp_path / "s").glob("*") if not path.name.startswith(".")]


def test_budgets_that_exclude_each_other_end_with_the_nearest_point(asked, tmp_path, monkeypatch):
    monkeypatch.setattr("econet.jobs.shrink_worker.LEAST_LOOKS", 8)
    monkeypatch.setattr("econet.jobs.shrink_worker.LOOKS_A_TRIAL", 0)
    _in_this_process(monkeypatch)
    # Each alone is possible: the smallest file has 2 KB, the smallest network 21,800 MACs, but not both at once.
    least = room.planning.least_files
    weighed = []
    monkeypatch.setattr(room.planning, "least_files", lambda *all_: weighed.append(least(*all_)) or weighed[0])
    with pytest.raises(UserError, match="cannot be kept"):
        shrink(tmp_path / "probe", replace(asked, budgets=Budgets(max_macs=1)), Silent())
    costs = weighed[0].costs
    small = min(costs, key=lambda cost: cost.bytes)
    light = min(costs, key=lambda cost: cost.macs)
    budgets = Budgets(max_kb=(small.bytes + 1) / 1000, max_macs=light.macs)
    record = shrink(tmp_path / "s", replace(asked, budgets=budgets, workers=1), Silent())
    assert not record.kept
    assert record.reachable.nearest.cost.bytes >= record.reachable.least["bytes"]
    assert "no network of the search keeps all budgets" in record.reason
    assert not (tmp_path / "s" / "trials").exists()


def _in_this_process(monkeypatch):
    """Workers run here, one after the other: what a test patched holds for them too."""
    from econet.jobs import shrink_worker

    def run(module, words, count, told):
        for each in words:
            monkeypatch.setattr(sys, "argv", [module, *each])
            assert shrink_worker.main() == 0

    monkeypatch.setattr(room, "run_workers", run)


@pytest.mark.slow
def test_data_trains_its_baseline_first_and_a_drop_alone_asks_for_a_smaller_file(clothes_folder, tmp_path, monkeypatch):
    _in_this_process(monkeypatch)
    monkeypatch.setattr(parity, "INT8_LEAST_AGREEMENT", 0.0)
    options = ShrinkOptions(
        data=DataOptions("fashion-mnist", data_dir=clothes_folder, validation=0.15),
        data_dir=clothes_folder,
        budgets=Budgets(max_drop=0.9),
        trials=1,
        epochs=1,
        workers=1,
        threads=1,
        batch_size=24,
        teacher="none",
        deterministic=True,
    )
    record = shrink(tmp_path / "s", options, Silent())
    assert record.subject_name == "alexnet_small"
    assert Run(tmp_path / "s" / "baseline").is_finished
    assert record.cost == "bytes"
    assert record.proof.verdict == "yes"
    assert record.proof.benchmark.bytes < record.subject_benchmark.bytes


def test_a_run_that_is_not_finished_and_a_folder_of_nothing_are_refused(asked, tmp_path):
    with pytest.raises(UserError, match="is not a run"):
        shrink(tmp_path / "s", replace(asked, run=tmp_path / "nothing"), Silent())
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_a_search_killed_with_9_goes_on_with_what_was_finished(asked, tmp_path):
    search = Search(asked.run, asked.data_dir, tmp_path / "search")
    process = search.started()
    deadline = time.monotonic() + 500
    while not (before := search.finished()):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    search.check_kept(before)
    search.ended()
    search.check_kept(before)
