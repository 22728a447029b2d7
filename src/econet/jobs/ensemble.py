"""`evaluate --ensemble`: several files answer together, by the average of their probabilities."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from msgspec.structs import replace

from econet.data.dataset import Dataset, Images
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.files import check_writable, sha256_of
from econet.images.views import Views, ten_views
from econet.jobs.evaluate import Split, answers, class_order, evaluation_of, images_of, kept, reads_before
from econet.jobs.options import PARITY_DROP, DataOptions
from econet.jobs.run_data import check_same_data, load, sized_as, split_as
from econet.measurement.accuracy import Predictions
from econet.measurement.ensemble import averaged, equal_weights, tuned_weights
from econet.runs import provenance
from econet.runs.artifact_records import Ensemble, Evaluation, Member, WeightSearch
from econet.runs.folder import Run, open_run
from econet.training.progress import Progress

Weighting = Literal["equal", "tuned"]
# The record is `ensemble.evaluation.json`, the predictions `ensemble.predictions.npz`.
NAME = "ensemble"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an ensemble is asked: on which split, on which views, and where its weights come from."""

    split: Split = "test"
    views: Views = "centre"
    weighting: Weighting = "equal"


def evaluate_ensemble(
    targets: Sequence[Path],
    data: DataOptions | None,
    asked: Asked,
    folder: Path,
    progress: Progress,
    *,
    data_dir: Path | None = None,
) -> Evaluation:
    """Evaluate the average of several run folders or files and write one record, with its predictions, in `folder`.

    A run takes part with its `model.onnx`, made first where there is none; a file as it is. Weights that are `tuned`
    are found on validation images that no member was trained on, and then judged once on `asked.split`.
    Raises UserError where the members are fewer than two, of different precisions or classes, have not the same
    images, or where the images that would choose the weights were trained on or would judge them too.
    """
    began = time.monotonic()
    _check(targets, asked)
    dataset = _dataset(targets, data, asked, data_dir)
    predictors = [Predictor(_exported(target, progress, data_dir)) for target in targets]
    _check_members(predictors, dataset, asked)
    check_writable(folder)
    weights, search = _weights(predictors, dataset, asked, progress)
    answered = _answers(predictors, dataset, images_of(dataset, asked.split), asked.views)
    evaluation = evaluation_of(
        folder / NAME,
        averaged(answered, weights),
        dataset,
        asked.split,
        precision=predictors[0].precision,
        views=asked.views,
        began=began,
    )
    members = zip(predictors, weights, answered, strict=True)
    ensemble = Ensemble(
        weighting=asked.weighting,
        members=tuple(_member(predictor.path, folder, weight, alone) for predictor, weight, alone in members),
        search=search,
    )
    evaluation = replace(evaluation, ensemble=ensemble, test_reads=_reads(predictors, evaluation))
    return kept(evaluation, folder / NAME, progress)


def source_of(targets: Sequence[Path], data: DataOptions | None) -> str:
    """What the images are of, for the name of a folder: what was asked, else what the first run was made with."""
    runs = [run for run in map(_run_of, targets) if run is not None]
    if data is not None or not runs:
        return "" if data is None else data.source
    return runs[0].config.data.source


def _check(targets: Sequence[Path], asked: Asked) -> None:
    """Raises UserError for what no data and no file could mend."""
    if len({_file_of(target).resolve() for target in targets}) < max(2, len(targets)):
        raise UserError(
            f"{', '.join(map(str, targets))} {'make' if len(targets) > 1 else 'makes'} no ensemble",
            "it takes at least two, and each once",
            "--ensemble with two or more different runs or files",
        )
    if asked.weighting == "tuned" and asked.split == "validation":
        raise UserError(
            "--ensemble tuned cannot be judged with --split validation",
            "the weights are found on the validation images, which would flatter them",
            "--split test, or --ensemble equal",
        )
    lone = [target for target in targets if _run_of(target) is None]
    if asked.weighting == "tuned" and lone:
        raise UserError(
            f"--ensemble tuned cannot take {lone[0]}",
            "it lies in no run folder, so nobody knows which images it was not trained on",
            "the run folders it and the others come from, or --ensemble equal",
        )


def _run_of(target: Path) -> Run | None:
    """The run that a folder is or a file lies in. Raises UserError for a folder that is none."""
    if target.is_dir():
        return open_run(target)
    run = Run(target.parent)
    return run if run.exists else None


def _file_of(target: Path) -> Path:
    """The file that takes part: of a run its `model.onnx`."""
    return Run(target).artifact("fp32") if target.is_dir() else target


def _exported(target: Path, progress: Progress, data_dir: Path | None) -> Path:
    """The file that takes part, made first where a run has none."""
    path = _file_of(target)
    if target.is_dir() and not path.exists():
        from econet.jobs.export import export

        export(Run(target), int8=False, parity_drop=PARITY_DROP, progress=progress, data_dir=data_dir)
    return path


def _dataset(targets: Sequence[Path], data: DataOptions | None, asked: Asked, data_dir: Path | None) -> Dataset:
    """The images that all members share, loaded as the first run had them."""
    runs = [run for run in map(_run_of, targets) if run is not None]
    if not runs:
        if data is None:
            raise UserError(
                "which images should the ensemble be evaluated on?", "no member lies in a run folder", "--data DATA"
            )
        return load(sized_as(data, Predictor(targets[0]).preprocess))
    found: dict[DataOptions, Dataset] = {}
    for run in runs:
        config = run.config.data
        wanted = split_as(data or DataOptions(config.source, data_dir=data_dir), config)
        if wanted not in found:
            found[wanted] = load(wanted)
            _check_shared(next(iter(found.values())), found[wanted], asked, run)
        if data is None:
            check_same_data(config, found[wanted], run.folder)
    return next(iter(found.values()))


def _check_shared(first: Dataset, own: Dataset, asked: Asked, run: Run) -> None:
    """Raises UserError where a member's images, as it had them split, are not those of the first."""
    if own.fingerprint == first.fingerprint:
        return
    if asked.weighting == "tuned" or asked.split == "validation":
        raise UserError(
            f"{run.folder} held out other validation images than the first member",
            "what is validation for one was trained on by the other",
            "runs trained on one split (in Python: load the data once, train with several seeds), or --ensemble equal",
        )
    if own.classes != first.classes or not _same_images(own.test, first.test):
        raise UserError(
            f"{run.folder} has other test images than the first member",
            "its data, their split or their size differ, so what is test for one may be trained on by the other",
            "members trained on the same data, split the same way",
        )


def _same_images(one: Images, other: Images) -> bool:
    return np.array_equal(one.labels, other.labels) and np.array_equal(one.pixels, other.pixels)


def _check_members(predictors: Sequence[Predictor], dataset: Dataset, asked: Asked) -> None:
    """Raises UserError where a member does not fit the images or the others, before any of them is asked."""
    first = predictors[0]
    for predictor in predictors:
        class_order(predictor, dataset, predictor.path)
        if asked.views == "ten":
            ten_views(images_of(dataset, asked.split).pixels[:1], predictor.preprocess)
        if predictor.precision != first.precision:
            raise UserError(
                f"{predictor.path} is {predictor.precision}, {first.path} is {first.precision}",
                "the record of an ensemble states one precision",
                "files of one precision; a run folder takes part with its model.onnx",
            )


def _weights(
    predictors: Sequence[Predictor], dataset: Dataset, asked: Asked, progress: Progress
) -> tuple[tuple[float, ...], WeightSearch | None]:
    equal = equal_weights(len(predictors))
    if asked.weighting == "equal":
        return equal, None
    answered = _answers(predictors, dataset, images_of(dataset, "validation"), asked.views)
    tuned = tuned_weights(answered)
    search = WeightSearch(
        images=len(answered[0]),
        accuracy=_accuracy(averaged(answered, tuned)),
        accuracy_equal=_accuracy(averaged(answered, equal)),
    )
    found = ", ".join(f"{weight:g}" for weight in tuned)
    progress.note(f"weights {found}: {search.accuracy:.2%} of {search.images} validation images")
    return tuned, search


def _answers(predictors: Sequence[Predictor], dataset: Dataset, images: Images, views: Views) -> list[Predictions]:
    """Each member's predictions, its probabilities in float32: not those on disk, which are halves."""
    return [answers(predictor, dataset, images, views)[1] for predictor in predictors]


def _member(path: Path, folder: Path, weight: float, predictions: Predictions) -> Member:
    return Member(
        file=provenance.relative_to(path, folder),
        sha256=sha256_of(path),
        weight=weight,
        accuracy=_accuracy(predictions),
    )


def _accuracy(predictions: Predictions) -> float:
    return float((predictions.predicted == predictions.truth).mean())


def _reads(predictors: Sequence[Predictor], evaluation: Evaluation) -> int:
    """Test reads of the ensemble: one more than those of the member that was tested most often, or of its own."""
    this_one = evaluation.data.split == "test"
    return max(evaluation.test_reads, *(reads_before(predictor.path) + this_one for predictor in predictors))
