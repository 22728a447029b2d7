"""`compare --seeds N`: the same comparison with several seeds, because one training may be lucky."""

from dataclasses import replace
from pathlib import Path

import msgspec

from econet.errors import UserError
from econet.files import write_whole
from econet.jobs.compare import CONFIG, RECORD, compare_once
from econet.jobs.options import CompareOptions, check_compare_options
from econet.report.page import write_page
from econet.runs.comparison_records import Comparison, ComparisonConfig, Repeat, Side, Verdict
from econet.runs.record import read_record, write_record
from econet.training.progress import Progress

PICTURES = "pictures.npz"


def compare(folder: Path, options: CompareOptions, progress: Progress, *, resume: bool = False) -> Comparison:
    """The comparison that `options` asks for, in `folder`: record, page, and the runs beside them.

    With several seeds each has a folder `seed-<n>` of its own; the answer is yes when all say yes, no when all say
    no, else undecided, and the page shows the seed with the middle difference. The data are split by the first seed
    for all of them, so that they differ by training alone.
    Raises UserError for options out of range, data that changed, or training that fails.
    """
    check_compare_options(options)
    options = replace(options, data=replace(options.data, seed=options.seed))
    if options.seeds == 1:
        return compare_once(folder, options, progress, resume=resume)
    _check_folder(folder, resume)
    found: list[Comparison] = []
    for seed in range(options.seed, options.seed + options.seeds):
        progress.note(f"seed {seed}, {len(found) + 1} of {options.seeds}")
        inner = _folder(folder, seed)
        started = (inner / CONFIG).exists()
        found.append(compare_once(inner, replace(options, seed=seed, seeds=1), progress, resume=resume and started))
    comparison = _combined(folder, found, options)
    write_record(folder / RECORD, comparison)
    write_page(folder)
    return comparison


def _check_folder(folder: Path, resume: bool) -> None:
    """Raises UserError where `folder` holds a comparison that this one would overwrite."""
    if not (folder / CONFIG).exists():
        return
    if not resume:
        raise UserError(f"{folder} holds a comparison already", "it has a config.json", "--resume, or --out NEW")
    if read_record(folder / CONFIG, ComparisonConfig).seeds == 1:
        raise UserError(f"{folder} holds a comparison of one seed", "its config.json says so", "--out NEW")


def _folder(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}"


def _combined(folder: Path, found: list[Comparison], options: CompareOptions) -> Comparison:
    """The middle seed's record with all seeds' answers beside it; its pictures and config come along."""
    middle = sorted(found, key=lambda each: each.difference.candidate_minus_baseline)[len(found) // 2]
    home = _folder(folder, middle.seed)
    write_whole(folder / PICTURES, (home / PICTURES).read_bytes())
    config = read_record(home / CONFIG, ComparisonConfig)
    write_record(folder / CONFIG, msgspec.structs.replace(config, seed=options.seed, seeds=options.seeds))
    answers = {each.verdict for each in found}
    verdict: Verdict = found[0].verdict if len(answers) == 1 else "undecided"
    said = ", ".join(f"seed {each.seed} {each.verdict}" for each in found)
    return msgspec.structs.replace(
        middle,
        sides=tuple(_moved(side, home.name) for side in middle.sides),
        verdict=verdict,
        reason=f"{said}; of the middle seed {middle.seed}: {middle.reason}",
        repeats=tuple(
            Repeat(
                folder=_folder(folder, each.seed).name, seed=each.seed, difference=each.difference, verdict=each.verdict
            )
            for each in found
        ),
        seconds=msgspec.structs.replace(
            middle.seconds,
            training=sum(each.seconds.training for each in found),
            total=sum(each.seconds.total for each in found),
        ),
        test_reads=max(each.test_reads for each in found),
        margin_for_yes=max(each.margin_for_yes for each in found),
    )


def _moved(side: Side, folder: str) -> Side:
    run = None if side.run is None else f"{folder}/{side.run}"
    return msgspec.structs.replace(side, run=run, artifact=f"{folder}/{side.artifact}")
