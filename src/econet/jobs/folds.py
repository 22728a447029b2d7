"""`compare --folds K`: every picture is proof once, so that few of them go as far as they can."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from econet.errors import UserError
from econet.jobs import judge
from econet.jobs.compare import RECORD
from econet.jobs.options import CompareOptions
from econet.jobs.repeated import bring_along, check_repeated, compare_within, moved
from econet.jobs.sides import Role, contender
from econet.measurement.accuracy import Predictions, evaluate_predictions, read_predictions, write_predictions
from econet.measurement.losses import difference_of
from econet.report.answers import pooled_path, predictions_path
from econet.report.page import write_page
from econet.runs.comparison_records import Comparison, Repeat, Side
from econet.runs.difference import Difference
from econet.runs.record import write_record
from econet.statistics.folds import folds_interval
from econet.statistics.intervals import margin_for_yes, provable_margin
from econet.training.progress import Progress


def compare_folds(folder: Path, options: CompareOptions, progress: Progress, *, resume: bool) -> Comparison:
    """The comparison in `options.folds` parts, each in a folder `fold-<n>`, and one answer over all pictures.

    Each part is judged by networks that were trained on the others. The page shows the networks of the fold with the
    middle difference. Raises UserError where the source brings a test split of its own, or a side is no model: a run
    or a file has seen pictures that are to be its proof.
    """
    assert options.folds is not None
    _check_sides(options)
    check_repeated(folder, options, resume=resume)
    found: list[Comparison] = []
    for fold in range(options.folds):
        progress.note(f"fold {fold + 1} of {options.folds}")
        asked = replace(options, folds=None, data=replace(options.data, fold=(fold, options.folds)))
        found.append(compare_within(folder / _name(fold), asked, progress, resume=resume))
    comparison = _pooled(folder, found, options)
    write_record(folder / RECORD, comparison)
    write_page(folder)
    return comparison


def _name(fold: int) -> str:
    return f"fold-{fold}"


def _check_sides(options: CompareOptions) -> None:
    """Raises UserError where a side, or a teacher, is not trained in the folds themselves."""
    asked: list[tuple[Role, str]] = [("baseline", options.baseline), ("candidate", options.candidate)]
    if options.teacher not in ("none", "baseline"):
        asked.append(("teacher", options.teacher))
    for role, name in asked:
        if contender(role, name).model is None:
            raise UserError(
                f"--{role} {name} cannot take part in folds",
                "it was trained before, on pictures that are to be its proof now",
                "the name of a model",
            )


def _pooled(folder: Path, found: list[Comparison], options: CompareOptions) -> Comparison:
    """The middle fold's record, its difference and its accuracies over the pictures of all folds."""
    differences = [each.difference for each in found]
    place = sorted(range(len(found)), key=lambda fold: differences[fold].candidate_minus_baseline)[len(found) // 2]
    middle = found[place]
    bring_along(folder, folder / _name(place), options)
    whole = _over_all(differences)
    verdict, reason = judge.reason(whole, middle.margin)
    seconds = [each.seconds for each in found]
    return msgspec.structs.replace(
        middle,
        sides=_sides_over_all(folder, found, place),
        difference=whole,
        verdict=verdict,
        reason=f"{reason}; each judged by networks that had not seen it, in {len(found)} folds",
        provable_margin=provable_margin(whole.images),
        margin_for_yes=margin_for_yes(whole.interval),
        repeats=tuple(
            Repeat(folder=_name(fold), seed=each.seed, difference=each.difference, verdict=each.verdict, fold=fold)
            for fold, each in enumerate(found)
        ),
        folds=len(found),
        ledger=(),
        seconds=msgspec.structs.replace(
            middle.seconds,
            training=sum(each.training for each in seconds),
            total=sum(each.total for each in seconds),
        ),
        test_reads=max(each.test_reads for each in found),
        warnings=tuple(dict.fromkeys(warning for each in found for warning in each.warnings)),
    )


def _over_all(differences: list[Difference]) -> Difference:
    """The difference over the pictures of all folds, with an interval that knows of the folds."""
    counts = [(each.n10, each.n01, each.images) for each in differences]
    n10, n01, images = (sum(column) for column in zip(*counts, strict=True))
    whole = difference_of(n10, n01, images)
    return msgspec.structs.replace(whole, interval=folds_interval(counts), method="folds")


def _sides_over_all(folder: Path, found: list[Comparison], place: int) -> tuple[Side, ...]:
    """The sides of the middle fold that every fold has, their accuracies over the pictures of all folds."""
    sides: list[Side] = []
    for side in found[place].sides:
        alike = [each for fold in found for each in fold.sides if _key(each) == _key(side)]
        if len(alike) == len(found):
            sides.append(_over_all_pictures(folder, moved(side, _name(place)), alike, found[0].data.classes))
    return tuple(sides)


def _key(side: Side) -> tuple[str, str]:
    return side.role, side.precision


def _over_all_pictures(folder: Path, side: Side, alike: list[Side], classes: tuple[str, ...]) -> Side:
    """`side` with the evaluation of what its likes answered in all folds; the answers are kept beside."""
    parts = [
        read_predictions(predictions_path(folder / _name(fold) / each.artifact)) for fold, each in enumerate(alike)
    ]
    whole = Predictions(
        truth=np.concatenate([part.truth for part in parts]),
        predicted=np.concatenate([part.predicted for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
    )
    known = side.evaluation
    evaluation = evaluate_predictions(
        whole,
        classes,
        subject=known.subject,
        precision=known.precision,
        data=msgspec.structs.replace(known.data, images=len(whole)),
        predictions_sha256=write_predictions(pooled_path(folder, side), whole),
        test_reads=max(each.evaluation.test_reads for each in alike),
        seconds=sum(each.evaluation.seconds for each in alike),
    )
    return msgspec.structs.replace(side, evaluation=evaluation)
