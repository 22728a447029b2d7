"""`quantize`: a finished run goes on with fake quantization, until its int8 file answers as well as it can."""

import copy
from pathlib import Path

from msgspec.structs import replace
from torch import nn

from econet.compression.fake_quant import FakeQuantNetwork
from econet.compression.qdq_plan import Range
from econet.compression.quantization import activation_ranges, float_islands
from econet.compression.quantized_graph import Constants, QuantizedGraph, graph_of
from econet.data.dataset import Dataset
from econet.data.listing import write_listing
from econet.deployment.metadata import read_metadata
from econet.errors import UserError
from econet.files import folder_lock, sha256_of
from econet.jobs.export import calibration_images, float_warning
from econet.jobs.networks import float_file, quantized_architecture, untrained_quantized
from econet.jobs.options import QUANTIZE_EPOCHS, QuantizeOptions, TrainOptions, check_train_options
from econet.jobs.run_data import LISTING, check_same_data, data_config, holds_a_run, seen_by, tell_set_aside
from econet.jobs.teaching import changed, recorded_teachers, teachers_of
from econet.jobs.train import configured, describe, resolved
from econet.jobs.trial import measured_choices
from econet.runs import provenance
from econet.runs.folder import Run, open_run
from econet.runs.records import RunConfig
from econet.training import parallel
from econet.training.allocator import keep_large_blocks
from econet.training.checkpoint import remove_checkpoints
from econet.training.loop import CHECKPOINT_SECONDS, fit
from econet.training.progress import Progress

# The share of the steps in which the ranges of activations still move.
OBSERVED_SHARE = 0.25
# Folded weights carry batch norm's scale: pulled towards zero they would shrink the answers.
_WEIGHT_DECAY = 0.0


def quantize(
    folder: Path,
    parent: Run,
    dataset: Dataset,
    options: QuantizeOptions,
    progress: Progress,
    *,
    module: nn.Module | None = None,
    resume: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Run:
    """Train the network of `parent` with fake quantization in `folder`; with `resume` go on where it was stopped.

    `module` is the network of a run that was trained with an object of the user's own. Ranges start from training
    images. Raises UserError where the parent cannot be quantized, the data are other ones, or training fails.
    """
    asked = _training_options(parent, options)
    check_train_options(asked)
    if parallel.processes() > 1:
        raise UserError(
            f"{parallel.processes()} processes cannot quantize together",
            "each would see other ranges",
            "the same command without torchrun",
        )
    keep_large_blocks()
    run = Run(folder)
    with folder_lock(folder):
        if run.exists and not resume:
            raise holds_a_run(folder)
        check_same_data(parent.config.data, dataset, parent.folder)
        dataset = seen_by(dataset, parent.config.architecture)
        if run.exists:
            network = _resumed(run, parent, dataset, module)
        else:
            if resume:
                progress.note(f"{folder} holds no run yet: starting afresh")
            network = _begin(run, parent, dataset, asked, module)
        if run.is_finished:
            remove_checkpoints(run)  # a kill may have come before they were
            progress.note(f"{folder} is finished: nothing left to train")
            return run
        for line in (describe(run.config), *run.config.warnings):
            progress.note(line)
        tell_set_aside(dataset, folder, progress.note)
        fit(run, network, dataset, recorded_teachers(run, copy.deepcopy(module)), progress, checkpoint_seconds)
    return run


def parent_of(run: Run) -> Run:
    """The run that a quantized run was made from. Raises UserError where it is none, or its parent is gone."""
    if run.config.parent is None or "quantized" not in run.config.architecture:
        raise UserError(f"{run.folder} is not a quantized run", "it records no parent", f"econet quantize {run.folder}")
    return open_run(run.folder / run.config.parent)


def _training_options(parent: Run, options: QuantizeOptions) -> TrainOptions:
    """All of training's settings: what was asked, else the parent's own, fit for fine-tuning."""
    before = parent.config.training
    epochs = QUANTIZE_EPOCHS if options.epochs is None and options.time_s is None else options.epochs
    teacher = options.teacher or (parent.folder if options.taught else None)
    return TrainOptions(
        model=parent.config.model.replace("alexnet_towers", "alexnet"),  # the same network, on one device
        epochs=epochs,
        time_s=options.time_s,
        batch_size=options.batch_size or before.batch_size,
        optimizer="sgd",
        schedule="cosine",
        lr=options.lr,
        weight_decay=_WEIGHT_DECAY,
        label_smoothing=before.label_smoothing,
        ema=before.ema,
        augment=options.augment or before.augment,
        colour_noise=before.colour_noise,
        crop_chunk=before.crop_chunk,
        mixup=options.mixup,
        cutmix=options.cutmix,
        teacher=teacher,
        distil=options.distil,
        temperature=options.temperature,
        teacher_weight=options.teacher_weight,
        teacher_views=options.teacher_views,
        seed=options.seed,
        deterministic=options.deterministic,
        device=options.device,
        threads=options.threads,
    )


def _begin(run: Run, parent: Run, dataset: Dataset, asked: TrainOptions, module: nn.Module | None) -> FakeQuantNetwork:
    """Plan the int8 file, choose for the machine, fix the length and write `config.json`; returns the network."""
    graph, constants, ranges, islands = _calibrated(parent, dataset, module, asked.seed)
    network = FakeQuantNetwork(graph)
    network.take(constants, ranges)
    training = replace(
        resolved(asked, asked.named, len(dataset.train), run.folder),
        from_weights=provenance.relative_to(parent.folder, run.folder),
        from_weights_sha256=parent.finished.weights_sha256,
    )
    teacher = None
    if training.teacher is not None:
        teacher = teachers_of(training.teacher, data_config(dataset), run.folder, copy.deepcopy(module))
    choices = measured_choices(network, teacher, dataset, training, asked)
    where = provenance.relative_to(parent.folder, run.folder)
    architecture = quantized_architecture(parent.config.architecture, graph)
    config = configured(training, choices, teacher, dataset, asked.named, architecture, asked.seed, parent=where)
    config = replace(config, warnings=(*config.warnings, *islands))
    if dataset.listing:
        write_listing(run.folder / LISTING, dataset)
    run.write_config(config)
    network.take(constants, ranges, observe=observed_steps(config))
    return network


def observed_steps(config: RunConfig) -> int:
    """In how many of the first steps the ranges still move."""
    return max(1, int(OBSERVED_SHARE * config.plan.steps))


def _calibrated(
    parent: Run, dataset: Dataset, module: nn.Module | None, seed: int
) -> tuple[QuantizedGraph, Constants, dict[str, Range], tuple[str, ...]]:
    """The parent's planned graph, its folded weights, its calibrated ranges, and a warning for what stays float."""
    model = float_file(parent, module)
    ranges = activation_ranges(model, calibration_images(dataset, seed))
    metadata = read_metadata(model, parent.folder)
    graph, constants = graph_of(model, metadata.preprocess, ranges)
    network = FakeQuantNetwork(graph)
    network.take(constants, ranges)
    islands = float_islands(network.file(metadata))
    return graph, constants, ranges, (float_warning(islands),) if islands else ()


def _resumed(run: Run, parent: Run, dataset: Dataset, module: nn.Module | None) -> FakeQuantNetwork:
    """The network of an unfinished run; the checkpoint fills in its weights, or the parent where there is none yet."""
    check_same_data(run.config.data, dataset, run.folder)
    network = untrained_quantized(run)
    if run.is_finished or run.has_checkpoint:
        return network
    if sha256_of(parent.weights_path) != run.config.training.from_weights_sha256:
        raise changed("run that is quantized", parent)
    _, constants, ranges, _ = _calibrated(parent, dataset, module, run.config.seed)
    network.take(constants, ranges, observe=observed_steps(run.config))
    return network
