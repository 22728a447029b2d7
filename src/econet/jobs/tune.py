"""`train --tune N`: learning rate, weight decay, label smoothing and augmentation, searched on validation images.

Each trial trains the very network of the run for a share of its length; weak ones are stopped early. What was tried
lies in the run's folder: `search.journal`, `tuning.json`, and each trial's run under `tuning/`.
"""

import copy
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import msgspec
import optuna
from optuna.pruners import MedianPruner
from optuna.study import Study
from optuna.trial import Trial, TrialState
from torch import nn

from econet.data.dataset import Dataset
from econet.errors import UserError
from econet.files import folder_lock
from econet.jobs.options import TrainOptions, check_range, check_train_options
from econet.jobs.search import BEGAN, FOLDER, Watcher, counted, mend_journal, open_study, queue_lost
from econet.jobs.starting import named_model
from econet.jobs.train import resolved, train
from econet.models import catalog
from econet.runs.choices import Augment
from econet.runs.folder import Run
from econet.runs.record import read_record, write_record
from econet.runs.records import TrainingConfig
from econet.runs.tune_records import HyperParameters, TuneTrial, Tuning
from econet.training import parallel
from econet.training.progress import Progress

TUNING, TRIALS = "tuning.json", "tuning"
# Of the run's own length: ten trials then cost as much again as the run.
SHARE = 0.1
# How far from the model's usual rate and decay a trial may go, as a factor.
_RATE_FACTOR, _DECAY_FACTOR = 5.0, 10.0
_DECAY_FROM_NONE = (1e-5, 1e-2)
_SMOOTHINGS = (0.0, 0.05, 0.1)
_TRIAL = "settings"


@dataclass(frozen=True, slots=True)
class Search:
    """One search at work: where, on what, from which settings, and what stays as it was asked."""

    folder: Path
    dataset: Dataset
    asked: TrainOptions
    usual: TrainingConfig
    module: nn.Module | None
    progress: Progress


def tune(
    folder: Path,
    dataset: Dataset,
    options: TrainOptions,
    trials: int,
    progress: Progress,
    *,
    module: nn.Module | None = None,
) -> TrainOptions:
    """`options` with the best of `trials` settings, found on the validation images; what was tried before is kept.

    A rate, decay or smoothing that `options` fix is not searched, nor an augmentation other than `light`.
    Raises UserError where nothing can be searched or no trial could be trained; Interrupted after a signal.
    """
    check_range("--tune", trials, 1, 10_000)
    check_train_options(options)
    _check(options, module)
    with folder_lock(folder):
        path = folder / TUNING
        if path.exists():
            progress.note(f"{path}: tuned before")
            return _with(options, read_record(path, Tuning).chosen)
        mend_journal(folder)
        usual = resolved(options, named_model(options), len(dataset.train), folder)
        search = Search(folder, dataset, options, usual, module, progress)
        study = open_study(folder, options.seed, MedianPruner(n_startup_trials=3, n_warmup_steps=1))
        record = _searched(search, study, trials)
        write_record(path, record)
        progress.note(f"{path}: best of {len(record.trials)}: {_words(record.chosen)}")
        return _with(options, record.chosen)


def _check(options: TrainOptions, module: nn.Module | None) -> None:
    if parallel.processes() > 1:
        raise UserError(
            "--tune cannot be used under torchrun",
            "its trials are trained one after the other by one process",
            "econet train --tune N first, then the rate it found under torchrun",
        )
    if options.self_supervised:
        raise UserError(
            "--tune and --self-supervised were both given",
            "what tells turned pictures best need not be what helps to tell classes",
            "--tune with the training that follows",
        )
    if module is None and options.model in catalog.HANDCRAFTED:
        raise UserError(
            f"--tune cannot be used with {options.model}",
            "its classifier has no rate; its regularisation is chosen on validation images anyway",
            "leave --tune out",
        )


def _searched(search: Search, study: Study, trials: int) -> Tuning:
    """Try until `trials` settings were trained; returns what was tried and the best of it."""
    began = time.monotonic()
    lost = queue_lost(study)
    if lost:
        search.progress.note(f"{len(lost)} trials were running when the search was stopped: queued again")
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(_usual_point(search.usual))  # what is chosen is then no worse than the usual settings
    while counted(study.get_trials(deepcopy=False)) < trials:
        _try_out(search, study, study.ask())
    tried = _tried(study)
    scored = [(each.accuracy, -each.number, each) for each in tried if each.accuracy is not None]
    whole = [entry for entry in scored if entry[2].outcome == "trained"]
    if not whole:
        faults = [each.fault for each in tried if each.fault]
        raise UserError(
            f"none of {trials} settings trains {named_model(search.asked)}",
            faults[0] if faults else "none came to its end",
            "a longer --time or --epochs, or leave --tune out",
        )
    best = max(whole, key=lambda entry: entry[:2])[2]
    return Tuning(
        model=named_model(search.asked),
        optimizer=search.usual.optimizer,
        share=SHARE,
        trials=tuple(tried),
        chosen=best.settings,
        validation_images=len(search.dataset.validation),
        seconds=round(time.monotonic() - began, 3),
    )


def _try_out(search: Search, study: Study, trial: Trial) -> None:
    """Train one setting for its share of the length and tell the study."""
    if FOLDER not in trial.user_attrs:
        trial.set_user_attr(FOLDER, trial.number)
    settings = _settings(trial, search)
    trial.set_user_attr(BEGAN, True)
    run = Run(search.folder / TRIALS / f"{int(trial.user_attrs[FOLDER]):04d}")
    began = time.monotonic()
    watcher = Watcher(trial, _nothing, float, known=run.history)
    outcome, fault = "trained", None
    try:
        module = copy.deepcopy(search.module)
        asked = _shortened(_with(search.asked, settings))
        train(run.folder, search.dataset, asked, watcher, module=module, resume=run.exists)
    except optuna.TrialPruned:
        outcome = "stopped early"
    except UserError as error:
        outcome, fault = "failed", f"{error.what}: {error.why}"
    accuracy = run.history[-1].validation_accuracy if run.history else None
    told = TuneTrial(
        number=trial.number,
        settings=settings,
        outcome=outcome,
        accuracy=accuracy,
        epochs=watcher.epochs,
        seconds=round(time.monotonic() - began, 3),
        fault=fault,
    )
    trial.set_user_attr(_TRIAL, msgspec.to_builtins(told))
    if outcome == "trained" and accuracy is not None:
        study.tell(trial, accuracy)
    else:
        study.tell(trial, state=TrialState.PRUNED)
    said = fault or ("" if accuracy is None else f"{accuracy:.2%}")
    search.progress.note(f"trial {trial.number}: {outcome}, {said}: {_words(settings)}")


def _settings(trial: Trial, search: Search) -> HyperParameters:
    """The settings that `trial` chooses; what was asked for stays."""
    asked, usual = search.asked, search.usual
    low, high = _decays(usual.weight_decay)
    lr, decay, smoothing = asked.lr, asked.weight_decay, asked.label_smoothing
    augment = asked.augment if _keeps_augment(asked) else None
    if lr is None:
        lr = trial.suggest_float("lr", usual.lr / _RATE_FACTOR, usual.lr * _RATE_FACTOR, log=True)
    if decay is None:
        decay = trial.suggest_float("weight_decay", low, high, log=True)
    if smoothing is None:
        smoothing = float(trial.suggest_categorical("label_smoothing", _smoothings(usual)))
    if augment is None:
        chosen = trial.suggest_categorical("augment", list(get_args(Augment)))
        augment = msgspec.convert(chosen, Augment)
    return HyperParameters(lr=lr, weight_decay=decay, label_smoothing=smoothing, augment=augment)


def _usual_point(usual: TrainingConfig) -> dict[str, float | str]:
    low, high = _decays(usual.weight_decay)
    return {
        "lr": usual.lr,
        "weight_decay": min(max(usual.weight_decay, low), high),
        "label_smoothing": usual.label_smoothing,
        "augment": usual.augment,
    }


def _decays(usual: float) -> tuple[float, float]:
    return (usual / _DECAY_FACTOR, min(1.0, usual * _DECAY_FACTOR)) if usual > 0 else _DECAY_FROM_NONE


def _smoothings(usual: TrainingConfig) -> list[float]:
    return sorted({*_SMOOTHINGS, usual.label_smoothing})


def _keeps_augment(asked: TrainOptions) -> bool:
    return asked.augment not in (None, "light")


def _shortened(options: TrainOptions) -> TrainOptions:
    """The same training for a trial's share of its length; one that diverges has failed, and is not mended."""
    if options.epochs is not None:
        return replace(options, epochs=max(1, round(SHARE * options.epochs)), setbacks=0)
    if options.time_s is not None:
        return replace(options, time_s=SHARE * options.time_s, setbacks=0)
    raise ValueError("a training needs epochs or a time")


def _with(options: TrainOptions, found: HyperParameters) -> TrainOptions:
    return replace(
        options,
        lr=found.lr,
        weight_decay=found.weight_decay,
        label_smoothing=found.label_smoothing,
        augment=found.augment,
    )


def _tried(study: Study) -> list[TuneTrial]:
    kept = (trial.user_attrs.get(_TRIAL) for trial in study.get_trials(deepcopy=False))
    return [msgspec.convert(each, TuneTrial) for each in kept if each is not None]


def _words(settings: HyperParameters) -> str:
    return (
        f"lr {settings.lr:.3g}, weight decay {settings.weight_decay:.3g}, label smoothing "
        f"{settings.label_smoothing:g}, augment {settings.augment}"
    )


def _nothing() -> None:
    """Nobody to give way to."""
