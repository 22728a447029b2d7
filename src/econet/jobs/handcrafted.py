"""`train` and `evaluate` for hand-crafted features: a linear classifier fitted on them, in a run folder. No torch."""

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from math import prod
from statistics import median

import numpy as np

from econet.data.dataset import Dataset
from econet.data.listing import write_listing
from econet.data.stream import as_streamed
from econet.errors import UserError
from econet.files import folder_lock, sha256_of
from econet.images.preprocess import Pixels, cropped
from econet.jobs.options import TrainOptions
from econet.jobs.run_data import LISTING, check_same_data, data_config, holds_a_run
from econet.measurement.machine import describe_machine
from econet.models import catalog
from econet.models.handcrafted import features
from econet.models.handcrafted.features import Hog, SiftFisher
from econet.models.handcrafted.fisher import Codebook
from econet.models.handcrafted.model import HandcraftedModel, all_features, read_model, shapes_of, write_model
from econet.runs import provenance
from econet.runs.folder import Run
from econet.runs.handcrafted_records import CodebookLearning, Cost, Fit, FitConfig, HandcraftedConfig, Trial
from econet.runs.record import write_record
from econet.runs.records import Finished
from econet.training.codebook import learn_codebook
from econet.training.linear_classifier import choose_classifier
from econet.training.progress import Progress
from econet.version import __version__

# From a classifier that hardly moves to one that learns its training images by heart.
PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
MOST_ITERATIONS = 300
_TIMED_CALLS = 30
# Settings of a network's training that a classifier on fixed features has not.
_OF_NETWORKS = (
    "epochs",
    "batch_size",
    "optimizer",
    "schedule_marks",
    "lr",
    "bias_lr",
    "weight_decay",
    "label_smoothing",
    "ema",
    "colour_noise",
    "mixup",
    "cutmix",
    "patience",
    "teacher",
    "match_features",
    "teacher_views",
    "start",
)


def is_meant(run: Run, model: str) -> bool:
    """Whether the run in a folder, or the model that is asked for where there is none, is a hand-crafted one."""
    return isinstance(run.recorded, HandcraftedConfig) if run.exists else model in catalog.HANDCRAFTED


def fit(run: Run, dataset: Dataset, options: TrainOptions, progress: Progress, *, resume: bool) -> Run:
    """Fit `options.model` in the folder of `run`; with `resume` an unfinished fit is done again as it was asked.

    The penalty on its weights is chosen on validation. No checkpoint is kept: a fit takes minutes.
    Raises UserError for options that only a network has, a folder in use, other data than the run's.
    """
    with folder_lock(run.folder):
        if run.exists and not resume:
            raise holds_a_run(run.folder)
        config = _asked_before(run, dataset) if run.exists else _begin(run, dataset, options)
        if run.is_finished:
            progress.note(f"{run.folder} is finished: nothing left to fit")
            return run
        _fit(run, config, dataset, progress)
    return run


def model_of(run: Run) -> HandcraftedModel:
    """The fitted model of a finished run. Raises UserError where its arrays are damaged or a library is missing."""
    run.finished  # noqa: B018 - raises where the fit did not come to its end
    record = features.from_data(run.recorded.architecture)
    _libraries(record)
    return read_model(run.weights_path, record)


def _asked_before(run: Run, dataset: Dataset) -> HandcraftedConfig:
    config = run.recorded
    if not isinstance(config, HandcraftedConfig):
        raise holds_a_run(run.folder)
    check_same_data(config.data, dataset, run.folder)
    return config


def _begin(run: Run, dataset: Dataset, options: TrainOptions) -> HandcraftedConfig:
    """Check what is asked and write `config.json`."""
    _check(options)
    preprocess = dataset.preprocess
    switches = {**options.switches, **({} if options.width is None else {"width": options.width})}
    shape = (preprocess.channels, *preprocess.image_size)
    architecture = catalog.architecture(options.named, shape, len(dataset.classes), **switches)
    record = features.from_data(architecture)
    _check_room(record, dataset, 1 if options.augment == "none" else 2)
    config = HandcraftedConfig(
        created=provenance.now(),
        command=provenance.command(),
        econet=__version__,
        python=platform.python_version(),
        libraries=_libraries(record),
        git_commit=provenance.git_commit(),
        data=data_config(dataset),
        model=options.named,
        architecture=architecture,
        fit=FitConfig(
            mirrored=options.augment != "none",
            penalties=PENALTIES,
            most_iterations=MOST_ITERATIONS,
            threads=options.threads or 1,
        ),
        cpu=describe_machine().cpu,
        seed=options.seed,
        warnings=dataset.warnings,
    )
    if dataset.listing:
        write_listing(run.folder / LISTING, dataset)
    write_record(run.config_path, config)
    return config


def _check(options: TrainOptions) -> None:
    """Raises UserError for what was asked and cannot be had."""
    for name in _OF_NETWORKS:
        if getattr(options, name) is not None:
            option = "--from" if name == "start" else f"--{name.replace('_', '-')}"
            raise UserError(
                f"{options.model} has no {option}",
                "its features are fixed, and its classifier is fitted until it no longer changes",
                f"leave {option} out, or choose another --model",
            )
    if options.self_supervised:
        raise UserError(
            f"{options.model} cannot be trained --self-supervised",
            "its features are fixed, and its classifier needs labels",
            "another --model",
        )
    if options.augment not in (None, "none", "light"):
        raise UserError(
            f"{options.model} cannot be given --augment {options.augment}",
            "its features are computed once for each image, and for its mirror image",
            "--augment light (mirror images) or --augment none",
        )


def _check_room(record: features.Handcrafted, dataset: Dataset, copies: int) -> None:
    """Raises UserError where the pictures are streamed, or their features would not fit into this machine."""
    if as_streamed(dataset.train.pixels) is not None:
        raise UserError(
            f"{record.name} cannot be fitted on pictures that stay on disk",
            "its solver goes over the features of all of them at once",
            "fewer pictures, or --model econet",
        )
    count = copies * len(dataset.train) + len(dataset.validation)
    needed = 4 * count * shapes_of(record)["weights"][1]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > 0.8 * memory:
        raise UserError(
            f"the features of {count:,} pictures need {needed / 1e9:.1f} GB of memory",
            f"{record.name} holds them whole, and this machine has {memory / 1e9:.1f} GB",
            "--augment none, or a smaller --image-size",
        )


def _libraries(record: features.Handcrafted) -> dict[str, str]:
    """The versions of what computes these features. Raises UserError where one of them is not installed."""
    of_features = "scikit-image" if isinstance(record.features, Hog) else "opencv-python-headless"
    try:
        return {name: version(name) for name in ("numpy", "scikit-learn", of_features)}
    except PackageNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed", f"{record.name} needs it", 'pip install "econet[classical]"'
        ) from error


def _fit(run: Run, config: HandcraftedConfig, dataset: Dataset, progress: Progress) -> None:
    """Codebook, features, classifier and cost; the weights, then `fit.json`, then `finished.json`."""
    from threadpoolctl import threadpool_limits

    began, asked = time.perf_counter(), config.fit
    progress.note(f"{config.model} is fitted until it no longer changes: --time sets it no limit")
    record = features.from_data(config.architecture)
    train, validation = (cropped(part.pixels, dataset.preprocess) for part in (dataset.train, dataset.validation))
    with threadpool_limits(asked.threads):
        codebook, learning = _codebook(record.features, train, config.seed, progress)
        started = time.perf_counter()
        values = all_features(train, record.features, codebook, mirrored=asked.mirrored)
        held_out = all_features(validation, record.features, codebook, mirrored=False)
        seconds = round(time.perf_counter() - started, 3)
        progress.note(f"{values.shape[1]:,} features of {len(values) + len(held_out):,} images in {seconds:.0f} s")
        classifier, trials = choose_classifier(
            (values, np.tile(dataset.train.labels, 2 if asked.mirrored else 1)),
            (held_out, dataset.validation.labels),
            penalties=asked.penalties,
            most_iterations=asked.most_iterations,
            tell=lambda trial: progress.note(_line(trial)),
        )
        model = HandcraftedModel(record, classifier.weights, classifier.bias, codebook)
        write_model(run.weights_path, model)
        cost = _cost(run, model, validation, config.libraries)
    best = max(trials, key=lambda trial: trial.validation_accuracy)
    made = Fit(
        feature_length=values.shape[1],
        feature_seconds=seconds,
        codebook=learning,
        trials=tuple(trials),
        penalty=best.penalty,
        cost=cost,
    )
    write_record(run.fit_path, made)
    write_record(run.finished_path, _finished(run, trials, best, len(values), time.perf_counter() - began))


def _codebook(
    kind: Hog | SiftFisher, pixels: Pixels, seed: int, progress: Progress
) -> tuple[Codebook | None, CodebookLearning | None]:
    if isinstance(kind, Hog):
        return None, None
    codebook, learning = learn_codebook(pixels, kind, seed)
    progress.note(f"{kind.gaussians} Gaussians from {learning.descriptors:,} descriptors in {learning.seconds:.0f} s")
    return codebook, learning


def _line(trial: Trial) -> str:
    ending = "" if trial.converged else ", not converged"
    return (
        f"penalty {trial.penalty:g}: validation accuracy {trial.validation_accuracy:.2%} "
        f"after {trial.iterations} passes in {trial.seconds:.0f} s{ending}"
    )


def _cost(run: Run, model: HandcraftedModel, pixels: Pixels, libraries: dict[str, str]) -> Cost:
    """What one answer costs, by Python's clock around it: pixels to logits, one picture at a time."""
    times: list[float] = []
    for call in range(_TIMED_CALLS):
        picture = pixels[call % len(pixels)][None]
        start = time.perf_counter()
        model.logits(picture)
        times.append(time.perf_counter() - start)
    return Cost(
        parameters=sum(prod(shape) for shape in shapes_of(model.record).values()),
        macs=None,
        bytes=run.weights_path.stat().st_size,
        latency_ms=1000 * median(times),
        runtime="Python, one thread, " + ", ".join(f"{name} {number}" for name, number in libraries.items()),
    )


def _finished(run: Run, trials: list[Trial], best: Trial, images: int, seconds: float) -> Finished:
    """A pass of the solver is a step and an epoch; still improving where the last penalty tried was the best."""
    passes = sum(trial.iterations for trial in trials)
    return Finished(
        steps=passes,
        epochs=passes,
        seconds=seconds,
        images=passes * images,
        validation_accuracy=best.validation_accuracy,
        still_improving=best is trials[-1],
        stopped_early=False,
        weights_sha256=sha256_of(run.weights_path),
        finished=provenance.now(),
    )
