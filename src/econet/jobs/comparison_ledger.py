"""The ledger of a comparison as far as its own files tell it: no image is read again."""

from pathlib import Path

from econet.jobs import judge
from econet.jobs.ledger_steps import Entry, steps_of
from econet.jobs.lineage import kind_of, named
from econet.measurement.accuracy import read_predictions
from econet.report.answers import predictions_path
from econet.runs.comparison_records import Side
from econet.runs.folder import Run
from econet.runs.ledger_records import Kind, LedgerStep


def comparison_ledger(folder: Path, sides: list[Side], classes: tuple[str, ...]) -> tuple[LedgerStep, ...]:
    """From the baseline's file to the candidate's float file, and from that to its 8-bit file; as far as they exist."""
    baseline, _ = judge.pair(sides)
    candidates = sorted((side for side in sides if side.role == "candidate"), key=lambda side: side.precision)
    return steps_of([_entry(folder, side) for side in (baseline, *candidates)], classes)


def _entry(folder: Path, side: Side) -> Entry:
    kind, name = _made(folder, side)
    return Entry(
        kind=kind,
        name=name,
        file=side.artifact,
        predictions=read_predictions(predictions_path(folder / side.artifact)),
        benchmark=side.benchmark,
    )


def _made(folder: Path, side: Side) -> tuple[Kind, str]:
    """What made this file of the one before, and its name."""
    if side.run is None:
        return "trained", side.name
    run = Run(folder / side.run)
    if side.precision == "int8" and kind_of(run) != "quantized":
        return "int8", "8 bits, plain"
    return kind_of(run), named(run)
