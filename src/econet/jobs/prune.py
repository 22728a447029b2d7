"""`prune`: channels out of a trained network, proven, and what is left trained on; a run of its own at every step."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from msgspec import structs
from torch import nn

from econet.data.dataset import Dataset
from econet.data.listing import write_listing
from econet.errors import UserError, read_from
from econet.files import folder_lock, sha256_of
from econet.jobs.narrowing import Step, narrowed, narrowed_again
from econet.jobs.options import PruneOptions, TrainOptions, check_prune_options
from econet.jobs.run_data import LISTING, check_same_data, data_config, holds_a_run, seen_by
from econet.jobs.teaching import check_features, recorded_teachers, teachers_of
from econet.jobs.train import configured, describe, resolved
from econet.jobs.trial import measured_choices
from econet.models import catalog
from econet.runs import provenance
from econet.runs.folder import Run, open_run
from econet.runs.pruning_records import Pruning
from econet.runs.record import write_record
from econet.training import parallel
from econet.training.allocator import keep_large_blocks
from econet.training.checkpoint import remove_checkpoints
from econet.training.loop import CHECKPOINT_SECONDS, fit
from econet.training.progress import Progress
from econet.training.untrained import finish_untrained

# Weights that are good already want smaller steps than fresh ones.
TUNING_RATE_SHARE = 0.3


def prune(
    origin: Run,
    folder: Path,
    dataset: Dataset,
    options: PruneOptions,
    progress: Progress,
    *,
    module: nn.Module | None = None,
    resume: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Run:
    """Cut a finished run to `options.ratio` of its MACs less, train it on, and leave all in `folder`.

    With several iterations those before the last are runs in `folder/step-<n>`. `resume` goes on where a killed one
    stopped. `module` is the user's own network where the run was trained on an object; it is not changed.
    Raises UserError, with nothing written, for options out of range, other data than the run's, and a network that
    cannot be cut so far.
    """
    check_prune_options(options)
    _check_origin(origin, folder, dataset)
    keep_large_blocks()
    with ExitStack() as locks:
        fresh = not Run(folder).exists and not (folder / "step-1").exists()
        locks.enter_context(folder_lock(folder))
        if not resume and not fresh:
            raise holds_a_run(folder)
        if resume and fresh:
            progress.note(f"{folder} holds no run yet: starting afresh")
        for step in _steps(origin, folder, options.iterations):
            if step.run.folder != folder:
                locks.enter_context(folder_lock(step.run.folder))
            _take(step, dataset, options, progress, module, checkpoint_seconds)
    return Run(folder)


def _steps(origin: Run, folder: Path, iterations: int) -> Iterator[Step]:
    parent = origin
    for number in range(1, iterations + 1):
        run = Run(folder if number == iterations else folder / f"step-{number}")
        yield Step(run, parent, origin, number)
        parent = run


def _check_origin(origin: Run, folder: Path, dataset: Dataset) -> None:
    """Raises UserError for a run that is none, is not finished, or was made with other data."""
    open_run(origin.folder)
    config = origin.config
    origin.finished  # noqa: B018 - raises where training did not come to its end
    check_same_data(config.data, dataset, origin.folder)
    if origin.folder.resolve() == folder.resolve():
        raise holds_a_run(folder)
    if parallel.processes() > 1:
        raise UserError("pruning takes one process", "torchrun started several", "econet prune without torchrun")


def _take(
    step: Step,
    dataset: Dataset,
    options: PruneOptions,
    progress: Progress,
    module: nn.Module | None,
    checkpoint_seconds: float,
) -> None:
    """One step, from wherever it stands to its end."""
    run = step.run
    if run.exists:
        record = run.pruning
        _check_same_cut(step, record, options)
        if run.is_finished:
            remove_checkpoints(run)  # a kill may have come before they were
            progress.note(f"{run.folder} is finished: nothing left to do")
            return
        network = _resumed(step, record, module)
    else:
        network = _begun(step, dataset, options, module, progress)
    seen = seen_by(dataset, run.config.architecture)
    if not run.config.plan.epochs:
        finish_untrained(run, network, seen)
        return
    progress.note(describe(run.config))
    fit(run, network, seen, recorded_teachers(run, copy.deepcopy(module)), progress, checkpoint_seconds)


def _begun(
    step: Step, dataset: Dataset, options: PruneOptions, module: nn.Module | None, progress: Progress
) -> nn.Module:
    """Cut the parent, choose for the machine, and write `pruning.json`, then `config.json`."""
    run, parent = step.run, step.parent.config
    network, architecture, record = narrowed(step, dataset, options, module)
    _tell(run, record, progress)
    seen = seen_by(dataset, architecture)
    asked = _tuning(step, options)
    training = resolved(asked, parent.model, len(seen.train), run.folder)
    if asked.lr is None:
        training = structs.replace(training, lr=training.lr * TUNING_RATE_SHARE)
    idle = asked.epochs == 0
    teacher = None
    if training.teacher is not None and not idle:
        teacher = teachers_of(training.teacher, data_config(seen), run.folder, copy.deepcopy(module))
        check_features(training.teacher, parent.model, network, teacher)
    choices = measured_choices(
        network, teacher, seen, training, replace(asked, deterministic=asked.deterministic or idle)
    )
    where = provenance.relative_to(step.parent.folder, run.folder)
    write_record(run.pruning_path, record)
    config = configured(
        training,
        choices,
        teacher,
        seen,
        parent.model,
        architecture,
        asked.seed,
        parent=where,
        pruning_sha256=sha256_of(run.pruning_path),
    )
    if dataset.listing:
        write_listing(run.folder / LISTING, dataset)
    run.write_config(config)
    return network


def _tell(run: Run, record: Pruning, progress: Progress) -> None:
    """Say what the cut took, what it could not take, and what proves it."""
    for held in record.held:
        progress.note(f"{held.layer} keeps {held.channels} of {held.of} channels: {held.reason}")
    progress.note(
        f"{run.folder}: {record.removed.macs:.1%} of the MACs and {record.removed.parameters:.1%} of the parameters "
        f"are gone (asked: {record.target:.1%}); answers as with those channels at zero, "
        f"to {record.proof.max_difference:.1e}"
    )


def _tuning(step: Step, options: PruneOptions) -> TrainOptions:
    """The training of one step: its part of the time, and its teacher."""
    asked = options.tuning
    time_s = None if asked.time_s is None else asked.time_s / options.iterations
    teachers = options.teachers(step.origin.folder)
    return replace(asked, model=step.origin.config.model, time_s=time_s, teacher=teachers)


def _check_same_cut(step: Step, record: Pruning, options: PruneOptions) -> None:
    """Raises UserError where the run was begun with another cut than is asked for now.

    --drop-lrn and --drop-mean show in the first step alone, of a network that had any: behind it there is none left.
    """
    parent = provenance.relative_to(step.parent.folder, step.run.folder)
    if record.lrn_factors is not None and not options.drop_lrn:
        raise UserError(
            f"{step.run.folder} was begun with --drop-lrn",
            "now its normalisation is to stay, with which it cannot be cut",
            "--drop-lrn, or --out NEW",
        )
    if record.mean_dropped and not options.drop_mean:
        raise UserError(
            f"{step.run.folder} was begun with --drop-mean",
            "now its mean image is to stay",
            "--drop-mean, or --out NEW",
        )
    for option, was, now in (
        ("RUN", record.parent, parent),
        ("--ratio", record.ratio, options.ratio),
        ("--keep", _in_words(record.asked_widths), _in_words(options.keep)),
        ("--dropout", record.dropout, options.dropout),
        ("--importance", record.importance, options.importance),
        ("--iterations", record.iterations, options.iterations),
    ):
        if was != now:
            raise UserError(
                f"{step.run.folder} was begun with {option} {was}", f"now it is {now}", f"{option} {was}, or --out NEW"
            )


def _in_words(widths: Mapping[str, int]) -> str:
    return " ".join(f"{layer}={width}" for layer, width in sorted(widths.items())) or "nothing"


def _resumed(step: Step, record: Pruning, module: nn.Module | None) -> nn.Module:
    """The network of an unfinished run; a checkpoint, where there is one, fills in its weights."""
    run = step.run
    if not run.has_checkpoint:
        return narrowed_again(step, record, module)
    architecture = run.config.architecture
    with read_from(run.config_path):
        if module is None:
            return catalog.network(architecture)
        return catalog.handed_over(copy.deepcopy(module), architecture)
