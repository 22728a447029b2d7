"""`evaluate`: the accuracy of files on images that chose nothing, each with its interval."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from econet.data.dataset import Dataset, Images
from econet.data.stream import in_parts
from econet.deployment.artifact_file import check_runs, open_artifact
from econet.deployment.confidence import probabilities_of
from econet.deployment.parity import agreement
from econet.deployment.predictor import Predictor, softmax
from econet.errors import UserError
from econet.images.preprocess import Preprocess, cropped
from econet.images.views import Views
from econet.jobs.benchmark import artifacts_for
from econet.jobs.foreign import ForeignPictures, cannot_tell, foreign_pictures, sureness
from econet.jobs.options import PARITY_DROP, DataOptions
from econet.jobs.run_data import check_same_data, load, load_again, sized_as, split_as
from econet.measurement.accuracy import Predictions, evaluate_predictions, predictions_of, write_predictions
from econet.measurement.ties import accuracy_ties_shared
from econet.runs.artifact_records import EvaluatedData, Evaluation, Precision
from econet.runs.beside import beside, runtimes_of
from econet.runs.choices import RuntimeName
from econet.runs.folder import Run, open_run
from econet.runs.handcrafted_records import HandcraftedConfig
from econet.runs.record import read_record, write_record
from econet.training.progress import Progress

Split = Literal["test", "validation"]
# What results on ten views bear in their names, so that those of the centre stay beside them.
_TEN_VIEWS = "ten-views"


def evaluate(
    target: Path,
    data: DataOptions | None,
    split: Split,
    progress: Progress,
    *,
    data_dir: Path | None = None,
    views: Views = "centre",
    runtime: RuntimeName | None = None,
    others: Sequence[DataOptions] = (),
) -> list[Evaluation]:
    """Evaluate every artifact of a run folder, or one file, and write the records beside them.

    A run without an artifact gets its `model.onnx` first; one of hand-crafted features answers from its arrays. A file
    that lies in a run knows its data, which may now be in `data_dir`; any other needs `data`. A file alone needs no
    torch. A `runtime` answers instead of the format's own, and of a run folder for those files alone that it runs; its
    records bear its name, `model.openvino.evaluation.json`. Of the pictures of `others`, sources that a network never
    learned from, is measured how many its files notice as none of their classes.
    Raises UserError where the data are not those the run was made with, or have no ten `views`, where no file is for
    the `runtime`, and where one cannot say what is none of its classes.
    """
    if others and (split != "test" or views != "centre"):
        raise UserError(
            f"--other was given with --{'split ' + split if split != 'test' else 'views ' + views}",
            "whether foreign pictures are noticed is measured against the centre of test images",
            "leave one of the two out",
        )
    if not target.is_dir():
        check_runs(target, runtime)
    run = open_run(target) if target.is_dir() else Run(target.parent)
    dataset = _dataset(target, run, data, data_dir)
    foreign = foreign_pictures(others, dataset)
    if not target.is_dir():
        return evaluate_artifacts([(target, None)], dataset, split, progress, views, runtime, foreign)
    if isinstance(run.recorded, HandcraftedConfig):
        _check_plain(run, views, runtime)
        if others:
            raise cannot_tell(run.folder)
        return [_evaluated_features(run, dataset, split, progress)]
    if not run.artifacts():
        from econet.jobs.export import export_run

        export_run(run, dataset, int8=False, parity_drop=PARITY_DROP, progress=progress)
    targets = [(path, run) for path in artifacts_for(run, runtime)]
    return evaluate_artifacts(targets, dataset, split, progress, views, runtime, foreign)


def evaluate_artifacts(
    targets: Sequence[tuple[Path, Run | None]],
    dataset: Dataset,
    split: Split,
    progress: Progress,
    views: Views = "centre",
    runtime: RuntimeName | None = None,
    foreign: Sequence[ForeignPictures] = (),
) -> list[Evaluation]:
    """Evaluate files on the same images; one that comes with its run is compared with torch in the same read.

    On ten views none is: whether a file answers as its network does is told by the centre. Raises UserError where a
    file is asked about `foreign` pictures and holds no confidence.
    """
    return [_evaluated(path, run, dataset, split, progress, views, runtime, foreign) for path, run in targets]


def _dataset(target: Path, run: Run, data: DataOptions | None, data_dir: Path | None) -> Dataset:
    if run.exists:
        recorded = run.recorded.data
        if data is not None:
            return load(split_as(data, recorded))
        dataset = load_again(recorded, data_dir=data_dir)
        check_same_data(recorded, dataset, run.folder)
        return dataset
    if data is None:
        raise UserError(
            f"which images should {target} be evaluated on?", "it does not lie in a run folder", "--data DATA"
        )
    return load(sized_as(data, open_artifact(target).metadata.preprocess))


# Files


def record_path(artifact: Path, views: Views = "centre", runtime: RuntimeName | None = None) -> Path:
    """`model.int8.onnx` -> `model.int8.evaluation.json` beside it, or `model.int8.ten-views.evaluation.json`."""
    return beside(artifact, f"{_kind(views)}evaluation.json", runtime)


def answers_path(artifact: Path, views: Views = "centre", runtime: RuntimeName | None = None) -> Path:
    """`model.int8.onnx` -> `model.int8.predictions.npz` beside it, or `model.int8.ten-views.predictions.npz`."""
    return beside(artifact, f"{_kind(views)}predictions.npz", runtime)


def reads_before(artifact: Path) -> int:
    """How often the test images were read by this artifact before, on whatever views and in whatever runtime."""
    records = [record_path(artifact, views, runtime) for views in get_args(Views) for runtime in runtimes_of(artifact)]
    return max((read_record(path, Evaluation).test_reads for path in records if path.exists()), default=0)


def _kind(views: Views) -> str:
    return "" if views == "centre" else f"{_TEN_VIEWS}."


# Answers


def images_of(dataset: Dataset, split: Split) -> Images:
    """One split of the data. Raises UserError where it is empty."""
    images = dataset.test if split == "test" else dataset.validation
    if not len(images):
        raise UserError(f"{dataset.name} has no {split} images", "the split is empty", "--proof validation")
    return images


def answers(
    predictor: Predictor, dataset: Dataset, images: Images, views: Views
) -> tuple[NDArray[np.float32], Predictions]:
    """A file's scores [N, K] on `images` of `dataset`, its classes in the data's order, and the predictions in them.

    Scores are logits; on ten views averaged probabilities. Raises UserError where classes, size or views do not fit.
    """
    order = class_order(predictor, dataset, predictor.path)
    if views == "centre":
        logits = np.concatenate([predictor.logits(part) for part in in_parts(images.pixels)])[:, order]
        return logits, predictions_of(logits, probabilities_of(logits, predictor.confidence), images.labels)
    mean = np.concatenate([predictor.probabilities(part, views) for part in in_parts(images.pixels)])[:, order]
    return mean, predictions_of(mean, mean, images.labels)


def class_order(predictor: Predictor, dataset: Dataset, path: Path) -> list[int]:
    """Where each class of the data stands among the file's logits. Raises UserError where the classes differ."""
    return matched_classes(predictor.classes, predictor.preprocess, dataset, path)


def matched_classes(classes: tuple[str, ...], own: Preprocess, dataset: Dataset, path: Path) -> list[int]:
    """Where each class of the data stands among `classes`. Raises UserError where they, or the images' size, differ."""
    if set(classes) != set(dataset.classes):
        missing = sorted(set(dataset.classes) ^ set(classes))
        raise UserError(
            f"{path} cannot be evaluated on {dataset.name}",
            f"their classes differ: {', '.join(missing[:5])}",
            "the data the file was trained on",
        )
    wanted = dataset.preprocess
    if (wanted.channels, wanted.resize_size) != (own.channels, own.resize_size):
        raise UserError(
            f"{path} cannot be evaluated on {dataset.name} as it was loaded",
            f"the file takes images of {own.resize_size} with {own.channels} channels, these are {wanted.resize_size} "
            f"with {wanted.channels}",
            f"data of that kind; where the command has it, --image-size {own.image_size[0]}",
        )
    return [classes.index(name) for name in dataset.classes]


def _torch(run: Run, images: Images, classes: tuple[str, ...]) -> NDArray[np.float32]:
    """Logits of the run's network in the order of `classes`, matched by name.

    Imported here: a file on its own is evaluated where torch is not installed.
    """
    from econet.jobs.export import torch_logits
    from econet.jobs.networks import network_of

    data, network = run.config.data, network_of(run)
    order = [data.classes.index(name) for name in classes]
    return np.concatenate([torch_logits(network, part, data.preprocess) for part in in_parts(images.pixels)])[:, order]


# Records


def _evaluated(
    path: Path,
    run: Run | None,
    dataset: Dataset,
    split: Split,
    progress: Progress,
    views: Views,
    runtime: RuntimeName | None,
    foreign: Sequence[ForeignPictures],
) -> Evaluation:
    began = time.monotonic()
    images = images_of(dataset, split)
    runtime = runtime or runtimes_of(path)[0]
    predictor = Predictor(path, runtime=runtime)
    if foreign and predictor.confidence is None:
        raise cannot_tell(path)
    scores, predictions = answers(predictor, dataset, images, views)
    agreed = None
    if run is not None and views == "centre":
        agreed = agreement(_torch(run, images, dataset.classes), scores)
    evaluation = evaluation_of(
        path, predictions, dataset, split, precision=predictor.precision, views=views, began=began, runtime=runtime
    )
    if split == "test" and views == "centre":
        found = sureness(predictor, scores, images.labels, foreign)
        evaluation = replace(evaluation, confidence=found)
    return kept(replace(evaluation, torch_agreement=agreed), path, progress)


def _check_plain(run: Run, views: Views, runtime: RuntimeName | None) -> None:
    """Raises UserError for what hand-crafted features have not."""
    if views != "centre":
        raise UserError(
            f"{run.folder} has no ten views",
            f"{run.recorded.model} is measured as it was published, on the centre of each picture",
            "--views centre",
        )
    if runtime is not None:
        raise UserError(
            f"{runtime} cannot run {run.folder}",
            f"{run.recorded.model} is no network: it answers from its arrays, and has no file",
            "leave --runtime out",
        )


def _evaluated_features(run: Run, dataset: Dataset, split: Split, progress: Progress) -> Evaluation:
    """A run of hand-crafted features, whose answers come from its arrays: it has no file, and torch no part in it."""
    from econet.jobs.handcrafted import model_of

    began = time.monotonic()
    images, data, path = images_of(dataset, split), run.recorded.data, run.weights_path
    order = matched_classes(data.classes, data.preprocess, dataset, path)
    logits = model_of(run).logits(cropped(np.asarray(images.pixels), data.preprocess))[:, order]
    predictions = predictions_of(logits, softmax(logits), images.labels)
    evaluation = evaluation_of(path, predictions, dataset, split, precision="fp32", views="centre", began=began)
    return kept(evaluation, path, progress)


def evaluation_of(
    artifact: Path,
    predictions: Predictions,
    dataset: Dataset,
    split: Split,
    *,
    precision: Precision,
    views: Views,
    began: float,
    runtime: RuntimeName | None = None,
) -> Evaluation:
    """Write the predictions beside `artifact` and count everything in them; `kept` then writes the record.

    `began` is the `time.monotonic()` at which this read of the images began, `runtime` what answered of a file.
    """
    evaluation = evaluate_predictions(
        predictions,
        dataset.classes,
        subject=artifact.name,
        precision=precision,
        data=EvaluatedData(name=dataset.name, fingerprint=dataset.fingerprint, split=split, images=len(predictions)),
        predictions_sha256=write_predictions(answers_path(artifact, views, runtime), predictions),
        test_reads=reads_before(artifact) + (split == "test"),
        seconds=round(time.monotonic() - began, 3),
    )
    return replace(evaluation, views=views, runtime=runtime, accuracy_ties_shared=accuracy_ties_shared(predictions))


def kept(evaluation: Evaluation, artifact: Path, progress: Progress) -> Evaluation:
    """Write the record beside `artifact`, say it in a line and hand it on."""
    write_record(record_path(artifact, evaluation.views, evaluation.runtime), evaluation)
    low, high = evaluation.accuracy_interval
    read = f"{evaluation.data.images} {evaluation.data.split} images"
    read += ", ten views each" if evaluation.views == "ten" else ""
    other = record_path(artifact, runtime=evaluation.runtime) != record_path(artifact)
    read += f", in {evaluation.runtime}" if other else ""
    progress.note(f"{artifact}: {evaluation.accuracy:.2%} ({low:.2%} to {high:.2%}) of {read}")
    return evaluation
