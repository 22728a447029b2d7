"""The training loop: every step is a function of the recorded plan, so a killed run ends with the same bits."""

import time
from dataclasses import dataclass
from dataclasses import replace as replace_counters
from functools import partial
from math import nan, sqrt
from pathlib import Path

import numpy as np
import torch
from msgspec.structs import replace
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from econet.data.augmentation import Augmenter, pictures
from econet.data.dataset import Dataset
from econet.data.split import choosing_half
from econet.data.unlabelled import TURNS
from econet.files import sha256_of, write_whole
from econet.runs import provenance
from econet.runs.folder import Run, truncate_history
from econet.runs.record import write_record
from econet.runs.records import Epoch, Finished, RunConfig
from econet.statistics.streams import stream_seed
from econet.training import machine, parallel
from econet.training.averaging import Average
from econet.training.chance import check_chance
from econet.training.checkpoint import (
    Counters,
    read_checkpoint,
    read_epoch_start,
    remove_checkpoints,
    state_of,
    write_checkpoint,
)
from econet.training.hint import Hint, hint_for
from econet.training.inference import logits_of
from econet.training.interruption import Request, stop_requests
from econet.training.kept_logits import KeptLogits, kept_logits_for
from econet.training.lessons import Lessons
from econet.training.optimizers import Optimizers
from econet.training.parallel import Sharing
from econet.training.progress import Progress
from econet.training.schedules import Plateau
from econet.training.setback import DIVERGED_LOSS, Diverged, all_finite, factor, hopeless, told
from econet.training.shortage import shortage_told
from econet.training.step import Forward, learn
from econet.training.teachers import Teachers
from econet.training.thawing import Thawing, rate_factor
from econet.training.towers import sharing_for
from econet.training.turning import TurnedPictures, learned_nothing
from econet.training.watch import Watch

CHECKPOINT_SECONDS = 10.0
# Large networks write theirs for seconds: at least so many times as long they then train before the next.
CHECKPOINT_REST = 20.0


@dataclass
class Learner:
    """Everything one training holds in memory."""

    run: Run
    config: RunConfig
    sharing: Sharing
    network: nn.Module
    average: Average
    optimizers: Optimizers
    lessons: Lessons
    kept: KeptLogits | None
    hint: Hint | None
    thawing: Thawing
    validation: Augmenter | TurnedPictures
    validation_labels: Tensor
    files: tuple[Path, ...]
    choosing: Tensor
    device: torch.device
    counters: Counters
    progress: Progress
    checkpoint_seconds: float


def fit(
    run: Run,
    network: nn.Module,
    dataset: Dataset,
    teacher: Teachers | None,
    progress: Progress,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Finished:
    """Train `network` as the run's `config.json` says, from its newest checkpoint on, and finish the run folder.

    The caller holds the folder's lock. Raises TrainingFailed for a training that goes on diverging or is still at
    chance level after a fifth of its steps, UserError where memory runs out, and Interrupted after a signal; in all
    cases the checkpoint is whole.
    """
    learner = _prepare(run, network, dataset, teacher, progress, checkpoint_seconds)
    counters, config = learner.counters, learner.config
    progress.begin(f"{config.model} on {config.data.name}", config.plan.steps, counters.step)
    shortage = shortage_told(
        learner.network,
        teacher,
        config.training,
        config.data.preprocess,
        config.machine.precision,
        learner.device,
        hint=learner.hint,
        go_on=run.resume_command,
    )
    try:
        with shortage, stop_requests() as request:
            stopped_early = _run_epochs(learner, request)
    finally:
        progress.end()
    return _finish(learner, stopped_early)


def _prepare(
    run: Run,
    network: nn.Module,
    dataset: Dataset,
    teacher: Teachers | None,
    progress: Progress,
    checkpoint_seconds: float,
) -> Learner:
    config = run.config
    machine.apply(config.machine)
    device = machine.resolve_device(config.machine.device)
    parallel.join(device)
    sharing = sharing_for(config.model, config.training.optimizer, device)
    network = machine.placed(sharing.prepared(network), device)
    if teacher is not None:
        machine.placed(teacher, device).eval().requires_grad_(False)
    average = Average(network, config.training.ema)
    optimizers = Optimizers(network, config.training)
    kept = kept_logits_for(run, len(dataset.train), progress)
    validation, labels = _validation(dataset, device)
    learner = Learner(
        run=run,
        config=config,
        sharing=sharing,
        network=network,
        average=average,
        optimizers=optimizers,
        lessons=Lessons(dataset, config.training, config.seed, sharing, teacher, kept),
        kept=kept,
        hint=hint_for(network, teacher, config.training, config.seed, device),
        thawing=Thawing(network, config.plan),
        validation=validation,
        validation_labels=labels.to(device),
        files=dataset.train.files,
        choosing=torch.from_numpy(choosing_half(len(labels), dataset.split_seed)),
        device=device,
        counters=Counters(),
        progress=progress,
        checkpoint_seconds=checkpoint_seconds,
    )
    restored = read_checkpoint(run, network, average, optimizers, sharing.own, learner.hint)
    if restored is not None:
        learner.counters, fault = restored
        if fault:
            progress.note(f"a damaged checkpoint was passed over ({fault}); going on from the one before")
    if parallel.rank() == 0:
        truncate_history(run.history_path, learner.counters.epoch)
    if not learner.counters.epoch_images:  # a kill may have come between the checkpoint and its second name
        _save(learner, begins_epoch=True)
    return learner


def _validation(dataset: Dataset, device: torch.device) -> tuple[Augmenter | TurnedPictures, Tensor]:
    """The validation pictures as evaluation sees them, and their labels; without labels of their own, all turned."""
    store = Augmenter(pictures(dataset.validation), dataset.preprocess, "none", device)
    if not dataset.unlabelled:
        return store, torch.from_numpy(dataset.validation.labels)
    turned = TurnedPictures(store)
    return turned, turned.labels


def _run_epochs(learner: Learner, request: Request) -> bool:
    """Train to the planned end; returns whether it stopped early for want of progress."""
    plan, training = learner.config.plan, learner.config.training
    # torch.compile is typed as giving any callable; a compiled network is called like the plain one.
    forward: Forward = torch.compile(learner.network) if learner.config.machine.compile else learner.network
    if learner.hint is not None and learner.config.machine.compile:
        learner.hint.compile()
    while learner.counters.epoch < plan.epochs:  # not steps: a run killed before its last validation still owes it
        if training.patience is not None and learner.counters.waited >= training.patience:
            return True
        try:
            _run_epoch(learner, forward, request)
        except Diverged as fault:
            _go_back(learner, fault)
    return False


def _go_back(learner: Learner, fault: Diverged) -> None:
    """Begin the epoch again at a lower rate. Raises TrainingFailed where that was done as often as it may be."""
    counters, run = learner.counters, learner.run
    why = told(fault, learner.files)
    if counters.setbacks >= learner.config.training.setbacks:
        raise hopeless(run, learner.config, counters, why) from fault
    begun = read_epoch_start(
        run, learner.network, learner.average, learner.optimizers, learner.sharing.own, learner.hint
    )
    learner.counters = replace_counters(begun, seconds=counters.seconds, setbacks=counters.setbacks + 1)
    learner.progress.note(
        f"training diverged: {why} at step {counters.step}; going back to step {begun.step}, "
        f"on at {factor(learner.counters.setbacks):g} of the rate"
    )
    if parallel.rank() == 0:
        truncate_history(run.history_path, begun.epoch)
    _save(learner, begins_epoch=True)


def _run_epoch(learner: Learner, forward: Forward, request: Request) -> None:
    """Train from the present step to the end of its epoch, then validate and write the epoch's line."""
    counters, plan, config = learner.counters, learner.config.plan, learner.config
    batch_size = config.training.batch_size
    order = epoch_order(config.seed, counters.epoch, len(learner.lessons.labels))
    end = min((counters.epoch + 1) * plan.steps_per_epoch, plan.steps)
    left = order[(counters.step % plan.steps_per_epoch) * batch_size :].split(batch_size)[: end - counters.step]
    watch = Watch(counters, request, learner.device, partial(_save, learner), every=lambda: learner.checkpoint_seconds)
    for _ in learner.lessons.ask(counters.epoch, config.machine.precision, learner.progress):
        watch.count()
        watch.look()
    learner.lessons.expect(left)
    learner.thawing.prepare(counters.step)
    started, first = time.perf_counter(), counters.step
    for indices in left:
        if learner.thawing.begins(counters.step):
            learner.thawing.prepare(counters.step)
        loss = _one_step(learner, forward, indices)
        watch.count()
        rate = (counters.step - first) * batch_size / (time.perf_counter() - started)
        learner.progress.advance(counters.step, loss, rate)
        check_chance(learner.run, config, counters, learner.lessons.labels)
        watch.look()
    counters.epoch += 1
    _validate(learner, rate=(end - first) * batch_size / max(time.perf_counter() - started, 1e-9))
    watch.count()
    _save(learner, begins_epoch=True)


def epoch_order(seed: int, epoch: int, count: int) -> Tensor:
    """The order of the training images in `epoch`: a permutation that needs no state."""
    return torch.from_numpy(np.random.default_rng(stream_seed(seed, "order", epoch)).permutation(count))


def _one_step(learner: Learner, forward: Forward, indices: Tensor) -> float:
    """One optimizer step; returns the batch's loss. Raises Diverged before a hopeless one reaches the weights."""
    counters, config = learner.counters, learner.config
    learner.sharing.seed_dropout(config.seed, counters.step)
    lesson = learner.lessons.of(indices, counters.step, counters.step / config.plan.steps)
    loss, right = learn(
        forward,
        lesson.teacher,
        lesson.images,
        lesson.labels,
        config.training,
        config.machine.precision,
        mixed=lesson.mixed,
        hint=learner.hint,
    )
    totals = learner.sharing.totals(loss, right)
    value = totals[0].item()
    if not value < DIVERGED_LOSS:  # nor is nan
        raise Diverged("loss", value, indices)
    learner.sharing.finish_gradients(learner.network)
    rate = _rate_factor(learner, counters.step)
    stopped = not learner.optimizers.step(rate)
    if parallel.largest((stopped,), learner.device)[0]:
        raise Diverged("gradients", nan, indices)
    if learner.hint is not None:
        learner.hint.step(rate)
    learner.average.update(counters.step)
    counters.step += 1
    counters.epoch_loss += value * len(indices)
    counters.epoch_right += int(totals[1].item())
    counters.epoch_images += len(indices)
    return value


def _rate_factor(learner: Learner, step: int) -> float:
    training, counters = learner.config.training, learner.counters
    lowerings = int(counters.plateau.get("lowerings", 0))
    return rate_factor(training, learner.config.plan, step, lowerings) * factor(counters.setbacks)


def _validate(learner: Learner, rate: float) -> None:
    """Evaluate the averaged weights on validation and write the epoch's line."""
    counters, config = learner.counters, learner.config
    logits = logits_of(
        learner.average.network, learner.validation.plain, len(learner.validation_labels), config.machine.precision
    )
    labels = learner.validation_labels.cpu()
    right = (logits.argmax(1) == labels).double()
    # The other half states how sure the file is, so that nothing may stop by it.
    figures = [right.mean().item(), F.cross_entropy(logits, labels).item(), right[learner.choosing].mean().item()]
    accuracy, validation_loss, choosing = learner.sharing.agreed(figures)
    if not validation_loss < DIVERGED_LOSS:
        raise Diverged("validation loss", validation_loss)
    lowerings = int(counters.plateau.get("lowerings", 0))
    line = Epoch(
        epoch=counters.epoch,
        step=counters.step,
        loss=counters.epoch_loss / counters.epoch_images,
        train_accuracy=counters.epoch_right / counters.epoch_images,
        validation_loss=validation_loss,
        validation_accuracy=accuracy,
        lr=config.training.lr * _rate_factor(learner, counters.step - 1),
        seconds=counters.seconds,
        images_per_s=rate,
    )
    if parallel.rank() == 0:
        learner.run.append_epoch(line)
    learner.progress.epoch(line, config.plan.epochs)
    counters.epoch_loss, counters.epoch_right, counters.epoch_images = 0.0, 0, 0
    counters.waited = 0 if choosing > counters.best else counters.waited + 1
    counters.best = max(counters.best, choosing)
    plateau = Plateau(lowerings, counters.plateau.get("best", -1.0), int(counters.plateau.get("waited", 0)))
    plateau.see(accuracy)
    counters.plateau = {"lowerings": plateau.lowerings, "best": plateau.best, "waited": plateau.waited}


def _save(learner: Learner, *, begins_epoch: bool = False) -> None:
    """Write the checkpoint. Raises Diverged, in every process, where something in it is not finite."""
    began = time.perf_counter()
    tensors = learner.sharing.gathered(state_of(learner.network, learner.average, learner.optimizers, learner.hint))
    spoilt = parallel.rank() == 0 and not all_finite(tensors)
    if parallel.largest((spoilt,), learner.device)[0]:
        raise Diverged("weights", nan)
    if parallel.rank() == 0:
        write_checkpoint(learner.run, tensors, learner.counters, begins_epoch=begins_epoch)
    if learner.checkpoint_seconds >= CHECKPOINT_SECONDS:  # unless somebody asked for them more often
        rest = CHECKPOINT_REST * (time.perf_counter() - began)
        learner.checkpoint_seconds = max(CHECKPOINT_SECONDS, rest)


def _finish(learner: Learner, stopped_early: bool) -> Finished:
    """Write the averaged weights, then `finished.json`, then drop the checkpoints nobody needs any more."""
    run = learner.run
    weights = learner.sharing.whole_weights(learner.average.network)
    if parallel.rank() == 0:
        _write_result(learner, weights, stopped_early)
    parallel.wait_for_all()
    return run.finished


def _write_result(learner: Learner, weights: dict[str, Tensor], stopped_early: bool) -> None:
    run, counters, history = learner.run, learner.counters, learner.run.history
    plain = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    warning = None
    if learner.config.data.unlabelled:
        warning = learned_nothing(history[-1].validation_accuracy, len(learner.validation_labels) // len(TURNS))
    if warning:
        learner.progress.note(f"warning: {warning}")
    finished = Finished(
        steps=counters.step,
        epochs=counters.epoch,
        seconds=counters.seconds,
        images=counters.step * learner.config.training.batch_size,
        validation_accuracy=history[-1].validation_accuracy,
        still_improving=still_improving([line.validation_accuracy for line in history], len(learner.validation_labels)),
        stopped_early=stopped_early,
        weights_sha256="",
        finished=provenance.now(),
        setbacks=counters.setbacks,
        warnings=(warning,) if warning else (),
    )
    write_whole(run.weights_path, save(plain))
    if learner.kept is not None:
        learner.kept.remove()  # before the run is finished: a finished one is never looked at again
    write_record(run.finished_path, replace(finished, weights_sha256=sha256_of(run.weights_path)))
    remove_checkpoints(run)


def still_improving(accuracies: list[float], images: int) -> bool:
    """Whether the last tenth of the epochs beat the tenth before by more than one standard error of validation."""
    tenth = max(1, len(accuracies) // 10)
    if len(accuracies) < 2 * tenth:
        return True
    last = sum(accuracies[-tenth:]) / tenth
    before = sum(accuracies[-2 * tenth : -tenth]) / tenth
    return last - before > sqrt(last * (1 - last) / images)
