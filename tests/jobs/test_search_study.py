"""The search's journal: shared by several processes, mended after a kill, and never losing what was finished."""

import os
import signal
import subprocess
import sys
import time

import optuna
import pytest
from optuna.trial import TrialState

from econet.jobs.search import (
    BEGAN,
    FOLDER,
    JOURNAL,
    Deadline,
    Watcher,
    counted,
    mend_journal,
    next_trial,
    open_study,
    queue_lost,
    seconds_spent,
    tell,
)
from econet.runs.records import Epoch

# A worker without a network: every point is "trained" in no time, but for one that sleeps while it holds a trial.
WORKER = """
import sys, time
from pathlib import Path
from econet.jobs.search import BEGAN, next_trial, open_study
folder, seed, sleep = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
study = open_study(folder, seed)
while (trial := next_trial(study, folder, 12, 100, lambda trials: False)) is not None:
    x = trial.suggest_int("x", 0, 1000)
    trial.set_user_attr(BEGAN, True)
    time.sleep(sleep)
    study.tell(trial, x / 1000)
"""


def started(folder, seed, sleep=0.0):
    return subprocess.Popen([sys.executable, "-c", WORKER, str(folder), str(seed), str(sleep)])


def finished(study):
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def line(epoch, accuracy):
    return Epoch(
        epoch=epoch,
        step=epoch,
        loss=1.0,
        train_accuracy=accuracy,
        validation_loss=1.0,
        validation_accuracy=accuracy,
        lr=0.1,
        seconds=1.0,
        images_per_s=1.0,
    )


def test_two_workers_share_one_journal_and_try_just_as_many_as_were_asked(tmp_path):
    workers = [started(tmp_path, seed) for seed in (1, 2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    study = open_study(tmp_path, 0)
    assert len(finished(study)) == 12
    assert sorted(trial.number for trial in finished(study)) == list(range(12))


def test_a_killed_workers_trial_is_failed_and_queued_again_with_its_folder(tmp_path):
    worker = started(tmp_path, 1, sleep=60)
    study = open_study(tmp_path, 0)
    deadline = time.monotonic() + 100
    while not any(BEGAN in trial.user_attrs for trial in study.get_trials(deepcopy=False)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(timeout=10)
    study = open_study(tmp_path, 0)
    (lost,) = study.get_trials(deepcopy=False)
    assert queue_lost(study) == [0]
    assert study.get_trials(deepcopy=False)[0].state == TrialState.FAIL
    again = next_trial(study, tmp_path, 1, 100, lambda trials: False)
    assert again.params == {}  # what is queued is told when it is asked for
    assert again.suggest_int("x", 0, 1000) == lost.params["x"]
    assert again.user_attrs[FOLDER] == 0
    assert next_trial(study, tmp_path, 1, 100, lambda trials: False) is None


def test_a_torn_last_line_is_dropped_and_all_before_it_kept(tmp_path):
    study = open_study(tmp_path, 0)
    for value in (0.25, 0.5):
        study.tell(study.ask(), value)
    whole = (tmp_path / JOURNAL).read_bytes()
    with (tmp_path / JOURNAL).open("ab") as stream:
        stream.write(b'{"op_code": 6, "worker_id": "half of a li')
    mend_journal(tmp_path)
    assert (tmp_path / JOURNAL).read_bytes() == whole
    assert [trial.value for trial in finished(open_study(tmp_path, 0))] == [0.25, 0.5]
    mend_journal(tmp_path / "nowhere")  # a search that has not begun has nothing to mend


def test_points_over_budget_do_not_count_but_only_so_many_are_looked_at(tmp_path):
    study = open_study(tmp_path, 0)
    for _ in range(3):
        trial = next_trial(study, tmp_path, 1, 4, lambda trials: False)
        trial.set_constraint("bytes", 0.5)
        study.tell(trial, state=TrialState.PRUNED)
    assert counted(study.get_trials()) == 0
    trained = next_trial(study, tmp_path, 1, 4, lambda trials: False)
    trained.set_user_attr(BEGAN, True)
    study.tell(trained, 0.5)
    assert next_trial(study, tmp_path, 2, 4, lambda trials: False) is None


def test_time_is_that_of_finished_and_running_trials_whatever_the_date_does(tmp_path, monkeypatch):
    study, now = open_study(tmp_path, 0), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert not Deadline(1.0)(study.get_trials())
    first = next_trial(study, tmp_path, 4, 9, lambda trials: False)
    now[0] += 5
    tell(study, first, 0.5)
    next_trial(study, tmp_path, 4, 9, lambda trials: False)
    now[0] += 2
    assert seconds_spent(study.get_trials()) == 5 + 2
    assert Deadline(7.0)(study.get_trials())
    assert not Deadline(7.1)(study.get_trials())
    assert not Deadline(None)(study.get_trials())


def test_a_weak_training_is_stopped_and_one_that_goes_on_tells_what_it_knew(tmp_path):
    study = open_study(tmp_path, 0, optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0))
    strong = study.ask()
    steps = []
    watcher = Watcher(strong, lambda: steps.append(1), float, known=[line(1, 0.6)])
    watcher.advance(1, 1.0, 1.0)
    watcher.epoch(line(2, 0.7), 3)
    watcher.epoch(line(3, 0.8), 3)
    study.tell(strong, 0.8)
    assert steps == [1]
    assert finished(study)[0].intermediate_values == {1: 0.6, 2: 0.7, 3: 0.8}
    weak = Watcher(study.ask(), lambda: None, float, known=())
    with pytest.raises(optuna.TrialPruned):
        weak.epoch(line(1, 0.1), 3)
    assert weak.epochs == 1
