"""The machinery of a search: one study in a journal that several processes share and a kill does not hurt.

The journal (optuna's JournalStorage, `search.journal`) is the search's only memory: what was tried, what came of it,
what is being tried now. A lock of the system guards it, so that a dead process leaves no stale one behind.
"""

import fcntl
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import optuna
from optuna.pruners import BasePruner, MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from econet.jobs.turns import alone
from econet.runs.records import Epoch
from econet.training.progress import Silent

JOURNAL = "search.journal"
# Set when a trial came past the budgets and its training began: only such count against the number asked for.
BEGAN = "began"
FOLDER = "folder"
# When a trial was asked for and how long it took, by a clock that nobody sets, unlike that of optuna's own dates.
ASKED, TOOK = "asked", "took"
STARTUP_TRIALS = 8
_NAME = "search"


class _SystemLock(JournalFileOpenLock):
    """The journal's lock as a lock of the operating system: void when its holder dies."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._stream: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Wait for it."""
        self._stream = self._path.open("ab")
        fcntl.flock(self._stream, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Let go of it."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def open_study(folder: Path, seed: int, pruner: BasePruner | None = None) -> Study:
    """The study whose journal lies in `folder`, begun where there is none; each process gives its own `seed`."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal = folder / JOURNAL
    lock = _SystemLock(folder / f".{JOURNAL}.lock")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, group=True)
        storage = JournalStorage(JournalFileBackend(str(journal), lock))
        return optuna.create_study(
            storage=storage,
            study_name=_NAME,
            direction="maximize",
            load_if_exists=True,
            sampler=sampler,
            pruner=pruner or MedianPruner(n_startup_trials=4, n_warmup_steps=1),
        )


def mend_journal(folder: Path) -> None:
    """Drop a last line that a kill tore in the middle. To be called while no worker is alive."""
    journal = folder / JOURNAL
    if not journal.exists():
        return
    content = journal.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with journal.open("r+b") as stream:
            stream.truncate(whole)


def queue_lost(study: Study) -> list[int]:
    """Trials that were running when their process died are failed and queued again; returns their numbers.

    A queued one goes on in the folder of the lost one, where its training may have a checkpoint.
    """
    lost = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in lost:
        study.tell(trial.number, state=TrialState.FAIL)
        kept = {FOLDER: trial.user_attrs.get(FOLDER, trial.number)}
        study.enqueue_trial(trial.params, user_attrs=kept)
    return [trial.number for trial in lost]


def next_trial(
    study: Study, folder: Path, most: int, most_looks: int, out_of_time: Callable[[list[FrozenTrial]], bool]
) -> Trial | None:
    """The next point to try, of this worker alone; None where `most` have been trained or are, or time is up.

    Points over budget are not trained and do not count, but no more than `most_looks` points are looked at.
    What is queued is always taken.
    """
    with alone(folder / ".asking"):
        trials = study.get_trials(deepcopy=False)
        queued = any(trial.state == TrialState.WAITING for trial in trials)
        if not queued and (len(trials) >= most_looks or counted(trials) >= most):
            return None
        if out_of_time(trials):
            return None
        trial = study.ask()
        trial.set_user_attr(ASKED, time.monotonic())
        if FOLDER not in trial.user_attrs:
            trial.set_user_attr(FOLDER, trial.number)
        return trial


def tell(study: Study, trial: Trial, value: float | None = None) -> None:
    """What came of a trial: the `value` to maximise, or none; and how long it took."""
    trial.set_user_attr(TOOK, time.monotonic() - trial.user_attrs[ASKED])
    study.tell(trial, value, state=TrialState.PRUNED if value is None else TrialState.COMPLETE)


def counted(trials: Sequence[FrozenTrial]) -> int:
    """How many of `trials` were trained or are running."""
    done = (TrialState.COMPLETE, TrialState.PRUNED)
    return sum(
        trial.state == TrialState.RUNNING or (trial.state in done and BEGAN in trial.user_attrs) for trial in trials
    )


def seconds_spent(trials: Sequence[FrozenTrial]) -> float:
    """Seconds of all workers together that went into trials which came to an end or are running."""
    now = time.monotonic()
    known = [trial.user_attrs for trial in trials if trial.state not in (TrialState.FAIL, TrialState.WAITING)]
    return sum(each.get(TOOK, now - each[ASKED]) for each in known if ASKED in each)


class Watcher(Silent):
    """Listens to one trial's training: tells the study every epoch, stops a weak one, gives way to timings.

    `between_steps` is called with every step; `score` turns validation accuracy into what the study maximises.
    """

    def __init__(
        self,
        trial: Trial,
        between_steps: Callable[[], None],
        score: Callable[[float], float],
        *,
        known: Sequence[Epoch],
    ) -> None:
        self._trial, self._between_steps, self._score = trial, between_steps, score
        self.best: float | None = None
        self.epochs = 0
        for line in known:  # a training that goes on: what an earlier process told died with its trial
            self._tell(line)

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        """Give way."""
        self._between_steps()

    def epoch(self, line: Epoch, epochs: int) -> None:
        """Report, and raise TrialPruned where the trial is weak; the last epoch is let come to its end."""
        self._tell(line)
        if line.epoch < epochs and self._trial.should_prune():
            raise optuna.TrialPruned

    def _tell(self, line: Epoch) -> None:
        self.epochs = line.epoch
        self.best = max(self.best or 0.0, line.validation_accuracy)
        self._trial.report(self._score(line.validation_accuracy), line.epoch)


class Deadline:
    """Whether the seconds of all workers together are used up, resumes included."""

    def __init__(self, worker_seconds: float | None) -> None:
        self._worker_seconds = worker_seconds

    def __call__(self, trials: list[FrozenTrial]) -> bool:
        """For `next_trial`."""
        return self._worker_seconds is not None and seconds_spent(trials) >= self._worker_seconds
