"""`evaluate`: the accuracy of files on images that chose nothing, each with its interval."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from econet.data.dataset import Dataset, Images
from econet.deployment.parity import agreement
from econet.deployment.predictor import Predictor, softmax
from econet.errors import UserError
from econet.jobs.options import PARITY_DROP, DataOptions
from econet.jobs.run_data import check_same_data, load, load_again, sized_as, split_as
from econet.measurement.accuracy import evaluate_predictions, predictions_of, write_predictions
from econet.report.answers import predictions_path
from econet.runs.artifact_records import EvaluatedData, Evaluation
from econet.runs.folder import Run, open_run
from econet.runs.record import read_record, write_record
from econet.training.progress import Progress

Split = Literal["test", "validation"]


def evaluate(
    target: Path, data: DataOptions | None, split: Split, progress: Progress, *, data_dir: Path | None = None
) -> list[Evaluation]:
    """Evaluate every artifact of a run folder, or one file, and write the records beside them.

    A run without an artifact gets its `model.onnx` first. A file that lies in a run knows its data, which may now
    be in `data_dir`; any other needs `data`. A file alone needs no torch.
    Raises UserError where the data are not those the run was made with.
    """
    run = open_run(target) if target.is_dir() else Run(target.parent)
    if data is None and not run.exists:
        raise UserError(
            f"which images should {target} be evaluated on?", "it does not lie in a run folder", "--data DATA"
        )
    if data is not None:
        dataset = load(split_as(data, run.config.data) if run.exists else sized_as(data, Predictor(target).preprocess))
    else:
        dataset = load_again(run.config.data, data_dir=data_dir)
        check_same_data(run.config.data, dataset, run.folder)
    if not target.is_dir():
        return evaluate_artifacts([(target, None)], dataset, split, progress)
    if not run.artifacts():
        from econet.jobs.export import export_run

        export_run(run, dataset, int8=False, parity_drop=PARITY_DROP, progress=progress)
    return evaluate_artifacts([(path, run) for path in run.artifacts()], dataset, split, progress)


def evaluate_artifacts(
    targets: Sequence[tuple[Path, Run | None]], dataset: Dataset, split: Split, progress: Progress
) -> list[Evaluation]:
    """Evaluate files on the same images; one that comes with its run is compared with torch in the same read."""
    return [_evaluated(path, run, dataset, split, progress) for path, run in targets]


def record_path(artifact: Path) -> Path:
    """`model.int8.onnx` -> `model.int8.evaluation.json` beside it."""
    return artifact.with_name(f"{artifact.stem}.evaluation.json")


def _evaluated(path: Path, run: Run | None, dataset: Dataset, split: Split, progress: Progress) -> Evaluation:
    began = time.monotonic()
    images = dataset.test if split == "test" else dataset.validation
    if not len(images):
        raise UserError(f"{dataset.name} has no {split} images", "the split is empty", "--proof validation")
    predictor = Predictor(path)
    order = class_order(predictor, dataset, path)
    logits = predictor.logits(images.pixels)[:, order]
    predictions = predictions_of(logits, softmax(logits), images.labels)
    agreed = None
    if run is not None:
        agreed = agreement(_torch(run, images, dataset.classes), logits)
    evaluation = evaluate_predictions(
        predictions,
        dataset.classes,
        subject=path.name,
        precision=predictor.precision,
        data=EvaluatedData(name=dataset.name, fingerprint=dataset.fingerprint, split=split, images=len(images)),
        predictions_sha256=write_predictions(predictions_path(path), predictions),
        test_reads=_reads_before(path) + (split == "test"),
        seconds=round(time.monotonic() - began, 3),
        torch_agreement=agreed,
    )
    write_record(record_path(path), evaluation)
    low, high = evaluation.accuracy_interval
    progress.note(f"{path}: {evaluation.accuracy:.2%} ({low:.2%} to {high:.2%}) of {len(images)} {split} images")
    return evaluation


def _torch(run: Run, images: Images, classes: tuple[str, ...]) -> NDArray[np.float32]:
    """Logits of the run's network in the order of `classes`, matched by name.

    Imported here: a file on its own is evaluated where torch is not installed.
    """
    from econet.jobs.export import torch_logits
    from econet.training.weights import trained_network

    data = run.config.data
    order = [data.classes.index(name) for name in classes]
    return torch_logits(trained_network(run), images.pixels, data.preprocess)[:, order]


def class_order(predictor: Predictor, dataset: Dataset, path: Path) -> list[int]:
    """Where each class of the data stands among the file's logits. Raises UserError where the classes differ."""
    if set(predictor.classes) != set(dataset.classes):
        missing = sorted(set(dataset.classes) ^ set(predictor.classes))
        raise UserError(
            f"{path} cannot be evaluated on {dataset.name}",
            f"their classes differ: {', '.join(missing[:5])}",
            "the data the file was trained on",
        )
    wanted, own = dataset.preprocess, predictor.preprocess
    if (wanted.channels, wanted.resize_size) != (own.channels, own.resize_size):
        raise UserError(
            f"{path} cannot be evaluated on {dataset.name} as it was loaded",
            f"the file takes images of {own.resize_size} with {own.channels} channels, these are {wanted.resize_size} "
            f"with {wanted.channels}",
            f"data of that kind; where the command has it, --image-size {own.image_size[0]}",
        )
    return [predictor.classes.index(name) for name in dataset.classes]


def _reads_before(path: Path) -> int:
    """How often the test split was read by this artifact before."""
    record = record_path(path)
    return read_record(record, Evaluation).test_reads if record.exists() else 0
