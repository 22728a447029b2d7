"""What comparisons that repeat one have in common: a folder with a comparison in each of its folders."""

from pathlib import Path

import msgspec

from econet.errors import UserError
from econet.files import write_whole
from econet.jobs.compare import CONFIG, compare_once
from econet.jobs.options import CompareOptions
from econet.runs.comparison_records import Comparison, ComparisonConfig, Side
from econet.runs.record import read_record, write_record
from econet.training.progress import Progress

PICTURES = "pictures.npz"


def check_repeated(folder: Path, options: CompareOptions, *, resume: bool) -> None:
    """Raises UserError where `folder` holds a comparison that this one would overwrite, or one of another kind."""
    if not (folder / CONFIG).exists():
        return
    if not resume:
        raise UserError(f"{folder} holds a comparison already", "it has a config.json", "--resume, or --out NEW")
    recorded = read_record(folder / CONFIG, ComparisonConfig)
    if recorded.folds != options.folds:
        held = "without folds" if recorded.folds is None else f"of {recorded.folds} folds"
        raise UserError(f"{folder} holds a comparison {held}", "its config.json says so", "--out NEW")
    if options.folds is None and recorded.seeds == 1:
        raise UserError(f"{folder} holds a comparison of one seed", "its config.json says so", "--out NEW")


def compare_within(folder: Path, options: CompareOptions, progress: Progress, *, resume: bool) -> Comparison:
    """One of the comparisons, begun or gone on with."""
    return compare_once(folder, options, progress, resume=resume and (folder / CONFIG).exists())


def bring_along(folder: Path, home: Path, options: CompareOptions) -> None:
    """The pictures and the `config.json` of the comparison that stands for all, as those of all."""
    write_whole(folder / PICTURES, (home / PICTURES).read_bytes())
    config = read_record(home / CONFIG, ComparisonConfig)
    asked = msgspec.structs.replace(config, seed=options.seed, seeds=options.seeds, folds=options.folds)
    write_record(folder / CONFIG, asked)


def moved(side: Side, folder: str) -> Side:
    """A side's row, as seen from the folder around its comparison's."""
    run = None if side.run is None else f"{folder}/{side.run}"
    return msgspec.structs.replace(side, run=run, artifact=f"{folder}/{side.artifact}")
