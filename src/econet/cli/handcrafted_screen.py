"""A run of hand-crafted features as one screen: a line a fact, and what each penalty gave."""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from econet.cli.terminal import table
from econet.report import numbers
from econet.runs.artifact_records import Evaluation
from econet.runs.folder import Run
from econet.runs.handcrafted_records import Fit, HandcraftedConfig, Trial
from econet.runs.record import read_record

if TYPE_CHECKING:
    from rich.console import RenderableType


def handcrafted_screen(run: Run, config: HandcraftedConfig) -> "list[RenderableType]":
    """The run in one screen. Raises UserError where a record of it is damaged."""
    fitted = read_record(run.fit_path, Fit) if run.is_finished else None
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True, style="bold")
    facts.add_column()
    for name, text in _facts(run, config, fitted).items():
        facts.add_row(Text(name), Text(text))
    tried: list[RenderableType] = [] if fitted is None else ["", _tried(fitted.trials)]
    return [facts, *tried, *(Text(f"warning: {warning}") for warning in config.warnings)]


def _facts(run: Run, config: HandcraftedConfig, fitted: Fit | None) -> dict[str, str]:
    height, width = config.data.preprocess.image_size
    facts = {"run": f"{run.folder}, not finished: econet train --resume --out {run.folder}"}
    if fitted is not None:
        finished, cost = run.finished, fitted.cost
        accuracy, took = numbers.percent(finished.validation_accuracy), numbers.seconds(finished.seconds)
        facts["run"] = f"{run.folder}, fitted in {took}: validation accuracy {accuracy}"
        facts["features"] = f"{numbers.whole(fitted.feature_length)} of each image, designed, not learned"
        facts["size"] = (
            f"{numbers.magnitude(cost.parameters)} numbers, {numbers.file_size(cost.bytes)}; MACs not counted"
        )
        facts["time"] = f"{numbers.per_image(cost.latency_ms)} an image ({cost.runtime})"
    record = run.folder / "weights.evaluation.json"
    if record.is_file():
        evaluation = read_record(record, Evaluation)
        low, high = (numbers.percent(end) for end in evaluation.accuracy_interval)
        facts["accuracy"] = (
            f"{numbers.percent(evaluation.accuracy)} ({low} to {high}) on {evaluation.data.split} images"
        )
    return facts | {
        "data": f"{numbers.shown(config.data.name)}, {len(config.data.classes)} classes",
        "model": f"{config.model} for {height}x{width}x{config.data.preprocess.channels}"
        + (", mirror images learned too" if config.fit.mirrored else ""),
        "made": f"{config.created} by econet {config.econet}, seed {config.seed}",
        "command": config.command,
    }


def _tried(trials: tuple[Trial, ...]) -> Table:
    rows = [
        [
            f"{trial.penalty:g}",
            str(trial.iterations) + ("" if trial.converged else ", cut off"),
            numbers.percent(trial.train_accuracy),
            numbers.percent(trial.validation_accuracy),
            numbers.seconds(trial.seconds),
        ]
        for trial in trials
    ]
    return table(["Penalty", "Passes", "Train", "Validation", "Time"], rows)
