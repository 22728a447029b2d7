"""A search by `econet shrink` in a process of its own, killed and taken up: what was finished is not lost or redone."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from disturbed.nursery import ENVIRONMENT
from econet.data.load import load_data
from econet.jobs.options import TrainOptions
from econet.jobs.search import JOURNAL, open_study
from econet.jobs.train import train
from econet.training.progress import Silent

MAX_KB = 25.0
# Of each finished trial its value, and when its run was finished.
Finished = dict[int, tuple[float | None, int]]


class Search:
    """One search for a file of at most 25 KB, of `trials` networks of nine epochs by two workers."""

    def __init__(self, run: Path, data_dir: Path, folder: Path, trials: int = 4) -> None:
        words = [sys.executable, "-m", "econet", "shrink", run, "--max-kb", MAX_KB, "--trials", trials]
        words += ["--epochs", 9, "--batch-size", 24, "--workers", 2, "--threads", 1, "--deterministic"]
        self.words = [str(word) for word in (*words, "--data-dir", data_dir, "--out", folder)]
        self.folder, self.trials = folder, trials

    def started(self) -> subprocess.Popen[bytes]:
        """The search in a process of its own, taken up where there is one."""
        resume = ["--resume"] if self.folder.exists() else []
        return subprocess.Popen([*self.words, *resume, "--quiet"], env=ENVIRONMENT)

    def finished(self) -> Finished:
        """The trials that came to their end."""
        if not (self.folder / JOURNAL).exists():
            return {}
        found = open_study(self.folder, 0).get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        runs = {trial.number: self.folder / "trials" / f"{trial.number:04d}" / "finished.json" for trial in found}
        return {trial.number: (trial.value, runs[trial.number].stat().st_mtime_ns) for trial in found}

    def check_kept(self, before: Finished) -> None:
        """Raises AssertionError where a trial finished before is lost, was trained again or has another value."""
        after = self.finished()
        assert {number: after.get(number) for number in before} == before

    def ended(self) -> dict[str, Any]:
        """The record, after the search was taken up to its end. Raises AssertionError where it is not whole."""
        before = self.finished()
        words = [*self.words, "--json", *(["--resume"] if self.folder.exists() else [])]
        done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, check=False)
        assert done.returncode == 0, done.stderr
        self.check_kept(before)
        record = json.loads(done.stdout)
        assert record["kept"]
        trained = [point for point in record["points"] if point["stage"] == "trial"]
        assert sum(point["outcome"] != "over budget" for point in trained) == self.trials
        return record


class Searches:
    """Searches one after the other, killed again and again until each is done. The first one is left in peace."""

    def __init__(self, data_dir: Path, folder: Path) -> None:
        self.data_dir, self.folder = data_dir, folder
        self.subject = folder / "subject"
        data = load_data("fashion-mnist", data_dir=data_dir, validation=0.15)
        options = TrainOptions(model="econet", width=0.5, epochs=6, batch_size=24, deterministic=True, threads=1)
        train(self.subject, data, options, Silent(), resume=True)
        began = time.monotonic()
        self._next().ended()
        self.seconds = time.monotonic() - began
        self.search = self._next()

    def at_random(self, number: int) -> str:
        """Kill the present search at a moment drawn by `number`: "killed", or "done" where it was quicker.

        Raises AssertionError where something that was finished is lost.
        """
        before, search = self.search.finished(), self.search
        process = search.started()
        try:
            status = process.wait(random.Random(number).uniform(0, self.seconds))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            search.check_kept(before)
            return "killed"
        assert status == 0
        self.finish()
        return "done"

    def finish(self) -> None:
        """Take the present search to its end and check it; the next one is begun anew."""
        self.search.ended()
        self.search = self._next()

    def _next(self) -> Search:
        shutil.rmtree(self.folder / "search", ignore_errors=True)
        return Search(self.subject, self.data_dir, self.folder / "search")
