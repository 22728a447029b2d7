"""`train`: from images to a finished run folder, or from an unfinished one to its end."""

import platform
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from msgspec import structs
from torch import nn

from econet.data.dataset import Dataset
from econet.data.listing import write_listing
from econet.data.unlabelled import without_labels
from econet.errors import UserError, read_from
from econet.files import folder_lock
from econet.jobs import handcrafted
from econet.jobs.options import TrainOptions, check_train_options
from econet.jobs.run_data import (
    LISTING,
    check_same_data,
    data_config,
    holds_a_run,
    seen_by,
    tell_set_aside,
    training_mean,
)
from econet.jobs.starting import begin_with, begin_with_recorded, named_model, started_network, thawed
from econet.jobs.teaching import asked_teacher, check_features, recorded_teachers, teachers_of
from econet.jobs.trial import measured_asking, measured_choices
from econet.models import catalog
from econet.models.architecture import from_data
from econet.runs import provenance
from econet.runs.folder import Run
from econet.runs.record import digest
from econet.runs.records import STEP_MARKS, MachineChoices, Plan, RunConfig, TrainingConfig
from econet.statistics.streams import stream_seed
from econet.training import machine, parallel
from econet.training.allocator import keep_large_blocks
from econet.training.checkpoint import remove_checkpoints
from econet.training.defaults import DECAY, RATE, augment_for, defaults_for
from econet.training.loop import CHECKPOINT_SECONDS, fit
from econet.training.plan import planned
from econet.training.progress import Progress
from econet.training.starts import find_start
from econet.training.teachers import Teachers
from econet.training.towers import check_resumed, check_towers, is_towers
from econet.version import __version__


@dataclass(frozen=True, slots=True)
class Fixed:
    """What a run measures and plans when it begins, known before: several trainings may so be given the same time."""

    machine: MachineChoices
    plan: Plan


def train(
    folder: Path,
    dataset: Dataset,
    options: TrainOptions,
    progress: Progress,
    *,
    module: nn.Module | None = None,
    resume: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    fixed: Fixed | None = None,
) -> Run:
    """Train in `folder` until the run is finished; with `resume` go on where a killed one stopped.

    `module` is a user's own network; without it the catalog builds `options.model`, or the network of `options.start`
    is built again. Hand-crafted features are fitted.
    `fixed` is what a new run would else measure and plan by itself.
    Raises UserError for options out of range, a folder in use, other data than the run's, training that fails.
    """
    check_train_options(options)
    run = Run(folder)
    if module is None and handcrafted.is_meant(run, options.named):
        return handcrafted.fit(run, dataset, options, progress, resume=resume)
    keep_large_blocks()
    parallel.join(machine.resolve_device(run.config.machine.device if resume and run.exists else options.device))
    with folder_lock(folder) if parallel.rank() == 0 else nullcontext():
        begun = run.exists
        parallel.wait_for_all()  # every process has looked before the first one writes
        if begun and not resume:
            raise holds_a_run(folder)
        if run.config.data.unlabelled if begun else options.self_supervised:
            dataset = _only_pictures(dataset)
        if begun:
            _check_own(run)
            if not run.is_finished:
                check_resumed(run.config.model, run.config.machine)
            check_same_data(run.config.data, dataset, folder)
            network = _resumed_network(run, dataset, module)
        else:
            if resume:
                progress.note(f"{folder} holds no run yet: starting afresh")
            network = _begin(run, dataset, options, module, progress, fixed)
        if run.is_finished:
            remove_checkpoints(run)  # a kill may have come before they were
            progress.note(f"{folder} is finished: nothing left to train")
            return run
        progress.note(describe(run.config))
        tell_set_aside(dataset, run.folder, progress.note)
        dataset = seen_by(dataset, run.config.architecture)
        fit(run, network, dataset, recorded_teachers(run), progress, checkpoint_seconds)
    return run


def describe(config: RunConfig) -> str:
    """One line on what was chosen for this machine, and how long the run will be."""
    choices, plan = config.machine, config.plan
    measured = ", ".join(f"{name} {rate:.0f}" for name, rate in choices.measured_images_per_s.items())
    origin = f"measured images/s: {measured}" if measured else "fixed, nothing measured"
    return (
        f"{choices.device}, {choices.threads} thread{'s' * (choices.threads > 1)}, {choices.precision} ({origin}); "
        f"{plan.steps} steps of {config.training.batch_size} images, {plan.epochs} epochs"
    )


def _begin(
    run: Run,
    dataset: Dataset,
    options: TrainOptions,
    module: nn.Module | None,
    progress: Progress,
    fixed: Fixed | None,
) -> nn.Module:
    """Build the network, choose for the machine, fix the plan and write `config.json`; returns the network."""
    torch.manual_seed(stream_seed(options.seed, "initialisation"))
    preprocess = dataset.preprocess
    start = None if options.start is None else find_start(options.start)
    if module is None:
        input_shape = (preprocess.channels, *preprocess.image_size)
        architecture = started_network(options, start, input_shape, len(dataset.classes))
        network, name = catalog.network(architecture), named_model(options, start)
    else:
        network, architecture = module, catalog.describe_object(module)
        name = str(architecture.get("name", type(module).__name__))
    if catalog.takes_raw_pixels(architecture):
        catalog.set_mean_image(network, training_mean(dataset))
        dataset = seen_by(dataset, architecture)
    options = with_augmentation(options, dataset, progress)
    training = resolved(options, name, len(dataset.train), run.folder)
    _check_processes(training, name, architecture)
    _check_length(training, dataset)
    if start is not None:
        begin_with(network, start, dataset, progress)
        training = thawed(training, options, start, dataset.classes, name, run.folder)
    data = data_config(dataset)
    teacher = None if training.teacher is None else teachers_of(training.teacher, data, run.folder)
    if training.teacher is not None and teacher is not None:
        check_features(training.teacher, name, network, teacher)
    choices = fixed.machine if fixed else measured_choices(network, teacher, dataset, training, options)
    plan = fixed.plan if fixed else None
    config = configured(training, choices, teacher, dataset, name, architecture, options.seed, plan=plan)
    if parallel.rank() == 0:
        if dataset.listing:
            write_listing(run.folder / LISTING, dataset)
        run.write_config(config)
    parallel.wait_for_all()
    return network


def configured(
    training: TrainingConfig,
    choices: MachineChoices,
    teacher: Teachers | None,
    dataset: Dataset,
    model: str,
    architecture: dict[str, Any],
    seed: int,
    *,
    parent: str | None = None,
    plan: Plan | None = None,
    pruning_sha256: str | None = None,
) -> RunConfig:
    """A new run's `config.json`: what was resolved and chosen, the plan that follows, and where it comes from."""
    if plan is None:
        rate = max(choices.measured_images_per_s.values(), default=None)
        asking_s = measured_asking(teacher, dataset, training, choices)
        plan = planned(training, len(dataset.train), len(dataset.validation), rate, asking_s)
    plan = structs.replace(plan, frozen_steps=round(training.thaw * plan.steps))
    return RunConfig(
        created=provenance.now(),
        command=provenance.command(),
        econet=__version__,
        python=platform.python_version(),
        torch=str(torch.__version__),
        git_commit=provenance.git_commit(),
        parent=parent,
        data=data_config(dataset),
        model=model,
        architecture=architecture,
        architecture_sha256=digest(architecture),
        pruning_sha256=pruning_sha256,
        training=training,
        plan=plan,
        machine=choices,
        seed=seed,
        warnings=dataset.warnings,
    )


def _only_pictures(dataset: Dataset) -> Dataset:
    """The data without labels. Raises UserError where a turned picture would have another shape."""
    height, width = dataset.preprocess.image_size
    if height != width:
        raise UserError(
            f"--self-supervised cannot learn from pictures of {height} x {width}",
            "it turns them by 90 degrees, and they must keep their shape",
            "square pictures",
        )
    return without_labels(dataset)


def _check_own(run: Run) -> None:
    """Raises UserError for a run that another command made from its parent, unless there is nothing left to do."""
    config = run.config
    if config.parent is not None and (catalog.is_quantized(config.architecture) or not run.is_finished):
        raise UserError(
            f"{run.folder} was not begun by `econet train`",
            f"it was made from {config.parent}",
            run.resume_command,
        )


def resolved(options: TrainOptions, model: str, train_images: int, folder: Path) -> TrainingConfig:
    """Every training setting with a value: what was asked, else the model's default."""
    usual = defaults_for(model)
    optimizer = options.optimizer or usual.optimizer
    same = optimizer == usual.optimizer
    return TrainingConfig(
        epochs=options.epochs if options.time_s is None else None,
        time_s=options.time_s,
        batch_size=min(options.batch_size or usual.batch_size, train_images),
        optimizer=optimizer,
        schedule=options.schedule,
        schedule_marks=STEP_MARKS if options.schedule_marks is None else options.schedule_marks,
        bias_lr=options.bias_lr,
        colour_noise=options.colour_noise,
        crop_chunk=options.crop_chunk,
        lr=_first(options.lr, usual.lr if same else RATE[optimizer]),
        weight_decay=_first(options.weight_decay, usual.weight_decay if same else DECAY[optimizer]),
        label_smoothing=_first(options.label_smoothing, usual.label_smoothing),
        ema=_first(options.ema, usual.ema),
        augment=options.augment or "light",
        patience=options.patience,
        setbacks=options.setbacks,
        teacher=asked_teacher(options, folder),
        mixup=options.mixup or 0.0,
        cutmix=options.cutmix or 0.0,
        from_weights=None,
    )


def with_augmentation(options: TrainOptions, dataset: Dataset, progress: Progress) -> TrainOptions:
    """`options` with the augmentation that suits so many pictures a class, where none is asked for."""
    if options.augment is not None:
        return options
    classes = 1 if dataset.unlabelled else len(dataset.classes)
    chosen = augment_for(len(dataset.train), classes)
    if chosen != "light":
        each = f"{len(dataset.train) / classes:.0f} training pictures" + ("" if dataset.unlabelled else " a class")
        progress.note(f"augmentation {chosen}: {each} (--augment chooses another)")
    return replace(options, augment=chosen)


def _check_processes(training: TrainingConfig, model: str, architecture: dict[str, Any]) -> None:
    """Raises UserError where the processes of `torchrun` cannot share this training."""
    count = parallel.processes()
    if is_towers(model):
        check_towers(from_data(architecture), training.optimizer)
    if count == 1:
        return
    if training.time_s is not None:
        raise UserError(
            f"{count} processes cannot train by --time",
            "nothing is measured under torchrun, so the length must be given",
            "--epochs N",
        )
    if training.batch_size % count and not is_towers(model):
        raise UserError(
            f"{count} processes cannot share batches of {training.batch_size} images",
            "each process takes an equal part of every batch",
            f"--batch-size {-(-training.batch_size // count) * count}",
        )


def _check_length(training: TrainingConfig, dataset: Dataset) -> None:
    """Raises UserError where a time is to be planned for pictures that are decoded while training."""
    if training.time_s is not None and dataset.statistics is not None:
        raise UserError(
            f"{dataset.name} cannot be trained on by --time",
            "its pictures stay on disk, and how fast they can be read is not known before they are",
            "--epochs N",
        )


def _first(asked: float | None, usual: float) -> float:
    return usual if asked is None else asked


def _resumed_network(run: Run, dataset: Dataset, module: nn.Module | None) -> nn.Module:
    """The network of an unfinished run; the checkpoint fills in its weights."""
    torch.manual_seed(stream_seed(run.config.seed, "initialisation"))
    if module is None:
        with read_from(run.config_path):
            network = catalog.network(run.config.architecture)
    elif catalog.describe_object(module) != run.config.architecture:
        raise UserError(
            f"{run.folder} was made with another network",
            f"it records {run.config.architecture.get('object')} and its parameters' shapes",
            "hand over the same kind of network",
        )
    else:
        network = module
    if run.has_checkpoint:
        return network
    if catalog.takes_raw_pixels(run.config.architecture):
        catalog.set_mean_image(network, training_mean(dataset))
    if run.config.training.from_weights is not None:
        begin_with_recorded(network, run, seen_by(dataset, run.config.architecture))
    return network
