"""What came out of a search's trials is trained further: the finalists, then the network that is handed over."""

import time
from typing import Any

from msgspec.structs import replace

from econet.errors import UserError
from econet.jobs.budgets import over_budget
from econet.jobs.shrink_steps import candidate_steps
from econet.jobs.shrink_task import POINT, Task, architecture_of, read_point
from econet.jobs.train import train
from econet.runs.folder import Run
from econet.runs.record import write_record
from econet.runs.shrink_records import FileCost, Stage, TrialPoint
from econet.training.progress import Progress

# What int8 may cost in accuracy before the three to four times larger fp32 file is taken instead, where that keeps the
# budgets. Half a point is what chance makes of two files on some thousand validation images (at 2 % of them answered
# differently a standard error of 0.45 points on 1,000): a smaller loss is no reason for so many more bytes.
INT8_PRICE = 0.005


def further(
    task: Task, point: TrialPoint, start: Run, run: Run, progress: Progress, *, stage: Stage, **length: Any
) -> TrialPoint:
    """Train the network of `point` on from the finished run `start` in `run`; write its files and its `point.json`.

    `length` is handed to the training (epochs or time_s, threads). What is done already is not done again.
    """
    done = read_point(run.folder)
    if done is not None:
        return done
    began = time.monotonic()
    architecture = architecture_of(start)
    asked = task.training(architecture, start=start.folder, **length)
    dataset = task.dataset(architecture.input[1])
    train(run.folder, dataset, asked, progress, module=task.network(architecture), resume=run.exists)
    accuracy, cost, over = best_file(task, run, progress)
    point = replace(
        point,
        stage=stage,
        outcome="over budget" if over else "trained",
        cost=cost,
        over=over,
        accuracy=accuracy,
        epochs=point.epochs + run.finished.epochs,
        seconds=round(time.monotonic() - began, 3),
    )
    write_record(run.folder / POINT, point)
    return point


def best_file(task: Task, run: Run, progress: Progress) -> tuple[float, FileCost, dict[str, float]]:
    """(validation accuracy, cost, how far over budget) of that file of a finished run which may ship.

    That is one that keeps the budgets before one that does not, then one within the accepted drop, then the one with
    the better score, in which int8 has `INT8_PRICE` to its credit.
    Raises UserError where no file of the run answers as its network does.
    """
    side = architecture_of(run).input[1]
    found: list[tuple[float, FileCost, dict[str, float]]] = []
    for home, export in candidate_steps(run, task.dataset(side), progress):
        cost = task.scales.weighed(home.folder / export.file)
        over = over_budget(cost, task.config.budgets, trained=True)
        found.append((export.accuracy_validation.artifact, cost, over))
    if not found:
        raise UserError(f"{run.folder} gives no file", "neither int8 nor fp32 kept its parity", "another --seed")

    def worth(each: tuple[float, FileCost, dict[str, float]]) -> tuple[float, bool, float]:
        accuracy, cost, over = each
        price = INT8_PRICE if cost.precision == "int8" else 0.0
        return -max(over.values(), default=0.0), task.within_drop(accuracy), task.score(accuracy, cost) + price

    return max(found, key=worth)


def line_of(point: TrialPoint) -> str:
    """What came of a point, for people who wait."""
    said = point.fault or ("" if point.accuracy is None else f"{point.accuracy:.2%}")
    return f"{point.stage} {point.number}: {point.outcome}, {said} after {point.epochs} epochs: {point.network}"
