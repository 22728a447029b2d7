"""What a run's folder tells, as one screen: a line a fact, the course of its training, its files."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from econet.cli.curve import curve
from econet.cli.handcrafted_screen import handcrafted_screen
from econet.cli.terminal import table
from econet.report import numbers
from econet.runs.artifact_records import Benchmark, Evaluation, Export
from econet.runs.beside import beside
from econet.runs.folder import Run
from econet.runs.handcrafted_records import HandcraftedConfig
from econet.runs.record import Record, read_record
from econet.runs.records import Epoch, RunConfig

if TYPE_CHECKING:
    from rich.console import RenderableType

_KINDS: dict[str, type[Record]] = {"export": Export, "evaluation": Evaluation, "benchmark": Benchmark}
_EPOCHS_SHOWN = 3
_CURVE_WIDTH = 60


def records_of(artifact: Path) -> dict[str, Record | None]:
    """The records beside an artifact, None for one that was not made."""
    found: dict[str, Record | None] = {}
    for name, kind in _KINDS.items():
        path = beside(artifact, f"{name}.json")
        found[name] = read_record(path, kind) if path.is_file() else None
    return found


def screen(run: Run) -> "list[RenderableType]":
    """The run in one screen. Raises UserError where a record of it is damaged."""
    config, history = run.recorded, run.history
    if isinstance(config, HandcraftedConfig):
        return handcrafted_screen(run, config)
    parts: list[RenderableType] = [_facts(run, config)]
    if history:
        parts += ["", *_history(history, config.plan.epochs)]
    if run.artifacts():
        parts += ["", _files(run)]
    return parts + [Text(f"warning: {warning}") for warning in config.warnings]


def _facts(run: Run, config: RunConfig) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True, style="bold")
    facts.add_column()
    rows = {
        "run": f"{run.folder}, {_state(run, config)}",
        "data": _data(config),
        "network": _network(config),
        "training": _training(config),
        "plan": f"{config.plan.epochs} epochs of {numbers.whole(config.plan.steps_per_epoch)} steps, "
        f"{config.training.batch_size} images a step",
        "machine": _machine(config),
        "made": f"{config.created} by econet {config.econet}, torch {config.torch}, seed {config.seed}",
        "command": config.command,
    }
    for name, text in rows.items():
        facts.add_row(Text(name), Text(text))
    return facts


def _state(run: Run, config: RunConfig) -> str:
    if not run.is_finished:
        return f"not finished: {run.resume_command}"
    finished = run.finished
    early = " (stopped early)" if finished.stopped_early else ""
    epochs, took = f"{finished.epochs} of {config.plan.epochs} epochs{early}", numbers.seconds(finished.seconds)
    accuracy = numbers.percent(finished.validation_accuracy)
    return f"finished after {epochs} in {took}: validation accuracy {accuracy}"


def _data(config: RunConfig) -> str:
    data = config.data
    held_out = numbers.percent(data.validation_fraction, 0)
    name = numbers.shown(data.name)
    return f"{name}, {len(data.classes)} classes, {held_out} held out for validation (seed {data.split_seed})"


def _network(config: RunConfig) -> str:
    height, width = config.data.preprocess.image_size
    text = f"{config.model} for {height}x{width}x{config.data.preprocess.channels}"
    return text + (f", made from {config.parent}" if config.parent else "")


def _training(config: RunConfig) -> str:
    training = config.training
    parts = [
        f"{training.optimizer}, {training.schedule}, learning rate {training.lr:g}",
        f"weight decay {training.weight_decay:g}, label smoothing {training.label_smoothing:g}",
        f"average {training.ema:g}",
        f"augmentation {training.augment}",
    ]
    parts += [f"{name} {shape:g}" for name, shape in (("mixup", training.mixup), ("CutMix", training.cutmix)) if shape]
    if training.teacher is not None:
        parts.append(f"taught by {' and '.join(each.run for each in training.teacher.runs)}")
    if training.from_weights is not None:
        parts.append(f"starting from {training.from_weights}")
    if config.plan.frozen_steps:
        parts.append(f"the last layer alone for the first {config.plan.frozen_steps} of {config.plan.steps} steps")
    if config.data.unlabelled:
        parts.append("self-supervised: no label is read")
    return ", ".join(parts)


def _machine(config: RunConfig) -> str:
    machine = config.machine
    threads = f"{machine.threads} thread{'s' * (machine.threads > 1)}"
    chosen = "fixed" if machine.deterministic else "measured at the start"
    return f"{machine.cpu}, {machine.device}, {threads}, {machine.precision} ({chosen})"


def _history(history: list[Epoch], epochs: int) -> "list[RenderableType]":
    """The course of the validation accuracy, and its last epochs in figures."""
    accuracies = [epoch.validation_accuracy for epoch in history]
    ends = f"validation accuracy {numbers.percent(min(accuracies))} to {numbers.percent(max(accuracies))}"
    rows = [
        [
            f"{epoch.epoch} of {epochs}",
            f"{epoch.loss:.3f}",
            numbers.percent(epoch.train_accuracy),
            numbers.percent(epoch.validation_accuracy),
            f"{epoch.lr:.2g}",
            numbers.whole(epoch.images_per_s),
            numbers.seconds(epoch.seconds),
        ]
        for epoch in history[-_EPOCHS_SHOWN:]
    ]
    headings = ["Epoch", "Loss", "Train", "Validation", "Rate", "Images/s", "Time"]
    return [Text(f"{curve(accuracies, _CURVE_WIDTH)}  {ends}"), "", table(headings, rows)]


def _files(run: Run) -> Table:
    rows: list[list[str]] = []
    for path in run.artifacts():
        records = records_of(path)
        export, evaluation, benchmark = (records[name] for name in _KINDS)
        row = [path.name, numbers.file_size(path.stat().st_size), "", "", "", ""]
        if isinstance(export, Export):
            row[2] = f"{numbers.percent(export.parity.top1_agreement, 2)}"
        if isinstance(evaluation, Evaluation):
            digits = numbers.digits_for(evaluation.accuracy_interval)
            row[3] = f"{numbers.percent(evaluation.accuracy, digits)} ({evaluation.data.split})"
        if isinstance(benchmark, Benchmark):
            row[4] = "not counted" if benchmark.macs is None else numbers.magnitude(benchmark.macs)
            row[5] = numbers.per_image(benchmark.latency_ms.p50)
        rows.append(row)
    return table(["File", "Size", "Parity", "Accuracy", "MACs", "Time"], rows)
