"""`compare --seeds N`: the same comparison with several seeds, because one training may be lucky."""

from dataclasses import replace
from pathlib import Path

import msgspec

from econet.jobs.compare import RECORD, compare_once
from econet.jobs.folds import compare_folds
from econet.jobs.options import CompareOptions, check_compare_options
from econet.jobs.repeated import bring_along, check_repeated, compare_within, moved
from econet.report.page import write_page
from econet.runs.comparison_records import Comparison, Repeat, Verdict
from econet.runs.record import write_record
from econet.training.progress import Progress


def compare(folder: Path, options: CompareOptions, progress: Progress, *, resume: bool = False) -> Comparison:
    """The comparison that `options` asks for, in `folder`: record, page, and the runs beside them.

    With several seeds each has a folder `seed-<n>` of its own; the answer is yes when all say yes, no when all say
    no, else undecided, and the page shows the seed with the middle difference. The data are split by the first seed
    for all of them, so that they differ by training alone.
    With folds each part of the pictures has a folder `fold-<n>`. Raises UserError for options out of range, data that
    changed, or training that fails.
    """
    check_compare_options(options)
    options = replace(options, data=replace(options.data, seed=options.seed))
    if options.folds is not None:
        return compare_folds(folder, options, progress, resume=resume)
    if options.seeds == 1:
        return compare_once(folder, options, progress, resume=resume)
    check_repeated(folder, options, resume=resume)
    found: list[Comparison] = []
    for seed in range(options.seed, options.seed + options.seeds):
        progress.note(f"seed {seed}, {len(found) + 1} of {options.seeds}")
        inner = _folder(folder, seed)
        found.append(compare_within(inner, replace(options, seed=seed, seeds=1), progress, resume=resume))
    comparison = _combined(folder, found, options)
    write_record(folder / RECORD, comparison)
    write_page(folder)
    return comparison


def _folder(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}"


def _combined(folder: Path, found: list[Comparison], options: CompareOptions) -> Comparison:
    """The middle seed's record with all seeds' answers beside it; its pictures and config come along."""
    middle = sorted(found, key=lambda each: each.difference.candidate_minus_baseline)[len(found) // 2]
    home = _folder(folder, middle.seed)
    bring_along(folder, home, options)
    answers = {each.verdict for each in found}
    verdict: Verdict = found[0].verdict if len(answers) == 1 else "undecided"
    said = ", ".join(f"seed {each.seed} {each.verdict}" for each in found)
    return msgspec.structs.replace(
        middle,
        sides=tuple(moved(side, home.name) for side in middle.sides),
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
