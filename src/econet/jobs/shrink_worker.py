"""One worker of a budget search: `python -m econet.jobs.shrink_worker FOLDER SEED [--finalist N] [--data-dir D]`.

It tries point after point until enough were trained or time is up, or trains one finalist, and prints a line a point.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from optuna.pruners import MedianPruner

from econet.errors import UserError
from econet.jobs.search import FOLDER, Deadline, next_trial, open_study
from econet.jobs.shrink_further import further, line_of
from econet.jobs.shrink_task import FINALISTS, TRIALS, Task, open_task
from econet.jobs.shrink_trial import points_of, try_out
from econet.jobs.turns import Turns, among_others
from econet.jobs.workers import MEND, Parent
from econet.runs.folder import Run
from econet.training.interruption import Interrupted
from econet.training.progress import Silent

WORKERS_LOCK = ".workers"
# Points that are over budget cost a fraction of a second each; beyond so many for one trained the budget is hopeless.
LOOKS_A_TRIAL = 30
LEAST_LOOKS = 150


class _GivesWay(Silent):
    """A listener that lets timings pass."""

    def __init__(self, between_steps: Callable[[], None]) -> None:
        self._between_steps = between_steps

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        """Give way."""
        self._between_steps()


def search(task: Task, seed: int, workers: int, between_steps: Callable[[], None]) -> None:
    """Try points until enough were trained or time is up."""
    plan = task.plan
    pruner = MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, plan.trial_epochs // 3))
    study = open_study(task.folder, seed, pruner)
    worker_seconds = None if plan.trial_seconds is None else plan.trial_seconds * workers
    looks = LEAST_LOOKS + LOOKS_A_TRIAL * task.config.trials
    while True:
        trial = next_trial(study, task.folder, task.config.trials, looks, Deadline(worker_seconds))
        if trial is None:
            return
        with task.turns.working():
            point = try_out(task, study, trial, between_steps)
        between_steps()
        if point.outcome != "over budget":
            print(line_of(point))


def finalist(task: Task, number: int, between_steps: Callable[[], None]) -> None:
    """Train the network of trial `number` further, and weigh and judge its files."""
    study = open_study(task.folder, task.config.seed)
    trial = next(each for each in study.get_trials(deepcopy=False) if each.number == number)
    (point,) = (each for each in points_of(study) if each.number == number)
    start = Run(task.home(TRIALS, int(trial.user_attrs[FOLDER])))
    run = Run(task.home(FINALISTS, number))
    with task.turns.working():
        point = further(
            task,
            point,
            start,
            run,
            _GivesWay(between_steps),
            stage="finalist",
            epochs=task.plan.finalist_epochs,
            threads=1,
        )
    print(line_of(point))


def main() -> int:
    """Parse the words of the process and do what they say; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("seed", type=int)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--finalist", type=int)
    parser.add_argument("--data-dir", type=Path)
    asked = parser.parse_args()
    parent = Parent()
    try:
        with among_others(asked.folder / WORKERS_LOCK), Turns(asked.folder) as turns:
            task = open_task(asked.folder, asked.data_dir, turns)

            def between_steps() -> None:
                parent.check()
                task.turns.give_way()

            if asked.finalist is None:
                search(task, asked.seed, asked.workers, between_steps)
            else:
                finalist(task, asked.finalist, between_steps)
    except UserError as error:
        print(error, file=sys.stderr)
        return MEND
    except Interrupted as stopped:
        return 128 + stopped.number
    return 0


if __name__ == "__main__":
    sys.exit(main())
