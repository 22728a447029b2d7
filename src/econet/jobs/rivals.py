"""Hand-crafted features against the learned ones of `alexnet_small`: results kept by the program, and their table.

`python -m econet.jobs.rivals RUN...` keeps the records of evaluated runs in `recipes/results/handcrafted/`.
"""

import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean

from econet.errors import UserError
from econet.jobs.evaluate import record_path
from econet.jobs.recipe_file import last_model
from econet.jobs.recipes import read_recipe, recipe_names, recipes_folder, summary
from econet.models import catalog
from econet.runs.artifact_records import Evaluation
from econet.runs.folder import Run, open_run
from econet.runs.handcrafted_records import Fit, HandcraftedConfig, HandcraftedResult
from econet.runs.recipe_records import RecipeResult
from econet.runs.record import read_record, write_record
from econet.statistics.intervals import t_interval, wilson

NETWORK = "alexnet_small"
LEAST_SEEDS_FOR_INTERVAL = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A model on one data set: test accuracy and hours of each seed, the number of test images, and its size."""

    data: str
    model: str
    accuracies: tuple[float, ...]
    images: int
    parameters: int
    macs: int | None
    hours: tuple[float, ...]


def results_folder() -> Path:
    """Where the results of hand-crafted features lie."""
    return recipes_folder() / "results" / "handcrafted"


def keep(run: Run) -> Path:
    """Write the result of a finished and evaluated run; returns where.

    Raises UserError where the run is a network's, or was not evaluated on the test images.
    """
    config = run.recorded
    if not isinstance(config, HandcraftedConfig):
        raise UserError(f"{run.folder} holds a network", "networks' results come from their recipes", "econet recipe")
    evaluation = read_record(record_path(run.weights_path), Evaluation)
    if evaluation.data.split != "test":
        raise UserError(
            f"{run.folder} was evaluated on {evaluation.data.split}",
            "a published result is of the test images",
            f"econet evaluate {run.folder}",
        )
    path = results_folder() / f"{config.data.name}-{config.model}-seed-{config.seed}.json"
    fit, finished = read_record(run.fit_path, Fit), run.finished
    write_record(path, HandcraftedResult(config=config, fit=fit, finished=finished, evaluation=evaluation))
    return path


def rows() -> list[Row]:
    """Every model with results, by data set; of each the network first, then the hand-crafted ones."""
    found = [*_network_rows(), *_handcrafted_rows()]
    order = [NETWORK, *catalog.HANDCRAFTED]
    return sorted(found, key=lambda row: (row.data, order.index(row.model)))


def table() -> str:
    """The rows in Markdown."""
    lines = [
        "| data | model | test accuracy (95 %) | seeds | parameters | MACs | minutes to train, machine shared |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows():
        macs = "not counted" if row.macs is None else f"{row.macs / 1e6:.1f} M"
        lines.append(
            f"| {row.data} | `{row.model}` | {_accuracy(row)} | {len(row.accuracies)} | {row.parameters:,} | {macs} "
            f"| {60 * fmean(row.hours):.0f} |"
        )
    return "\n".join(lines)


def _accuracy(row: Row) -> str:
    """The mean with a t interval over seeds; of fewer than three, or of equal ones, Wilson's over test images."""
    mean = fmean(row.accuracies)
    if len(row.accuracies) >= LEAST_SEEDS_FOR_INTERVAL and len(set(row.accuracies)) > 1:
        (low, high), of = t_interval(list(row.accuracies)), "over seeds"
    else:
        (low, high), of = wilson(round(mean * row.images), row.images), "over test images"
    return f"{100 * mean:.2f} % ({100 * low:.2f} to {100 * high:.2f} {of})"


def _handcrafted_rows() -> list[Row]:
    def place(result: HandcraftedResult) -> tuple[str, str]:
        return result.config.data.name, result.config.model

    kept = [read_record(path, HandcraftedResult) for path in sorted(results_folder().glob("*.json"))]
    return [
        _row(
            *where,
            evaluations=[each.evaluation for each in same],
            parameters=same[0].fit.cost.parameters,
            macs=None,
            hours=[each.finished.seconds / 3600 for each in same],
        )
        for where, group in groupby(sorted(kept, key=place), key=place)
        if (same := list(group))
    ]


def _network_rows() -> list[Row]:
    """From the results of every recipe whose last step trains the network, in the precision it publishes."""
    found: list[Row] = []
    for name in recipe_names():
        recipe = read_recipe(name)
        paths = sorted((recipes_folder() / "results" / name).glob("seed-*.json"))
        if last_model(recipe) != NETWORK or not paths:
            continue
        results = [read_record(path, RecipeResult) for path in paths]
        first = summary(results[0])
        evaluations = [
            next(each for each in result.evaluations if each.precision == result.precision) for result in results
        ]
        hours = [result.hours for result in results]
        found.append(_row(recipe.data, NETWORK, evaluations, first["parameters"], first["macs"], hours))
    return found


def _row(
    data: str, model: str, evaluations: list[Evaluation], parameters: int, macs: int | None, hours: list[float]
) -> Row:
    accuracies = tuple(each.accuracy for each in evaluations)
    return Row(data, model, accuracies, evaluations[0].data.images, parameters, macs, tuple(hours))


def main() -> int:
    """Keep the results of the runs named."""
    for word in sys.argv[1:]:
        sys.stdout.write(f"recorded in {keep(open_run(Path(word)))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
