"""One training of the rivals' race: `python -m econet.jobs.rival_training FOLDER NETWORK [--lr F | --seed N]`.

With `--lr` it tries that rate for a short while, on a seed that no result comes from. With `--seed` it trains with the
rate that did best on validation, exports both files and evaluates them on the test images, once. All settings come
from `rivals.json` in FOLDER; what was done before is not done again.
"""

import argparse
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from econet.data.dataset import Dataset
from econet.deployment.parity import ParityBroken
from econet.errors import UserError
from econet.jobs.evaluate import evaluate_artifacts
from econet.jobs.export import export_run
from econet.jobs.options import PARITY_DROP, DataOptions, TrainOptions
from econet.jobs.recipes import recipes_folder
from econet.jobs.run_data import check_same_data, load
from econet.jobs.train import Fixed, train
from econet.jobs.turns import among_others
from econet.jobs.workers import MEND, Parent
from econet.runs import provenance
from econet.runs.artifact_records import Export
from econet.runs.folder import Run, open_run
from econet.runs.recipe_records import Versions
from econet.runs.record import read_record, write_record
from econet.runs.records import Epoch
from econet.runs.rival_records import RivalAsked, RivalResult, RivalsConfig, RivalTrial
from econet.training.interruption import Interrupted
from econet.training.progress import Silent
from econet.training.setback import TrainingFailed

CONFIG, RESULT, WORKERS_LOCK = "rivals.json", "result.json", ".workers"
# All seeds see the same images, so that they differ by training luck alone; rates are tried on a seed of their own.
SPLIT_SEED, TRIAL_SEED = 0, 1000
Length = Literal["trial", "whole"]


@dataclass(frozen=True, slots=True)
class Race:
    """A race that was begun: its folder, what was fixed then, and the images."""

    home: Path
    config: RivalsConfig
    dataset: Dataset

    def folder(self, network: str) -> Path:
        """Where everything of one network lies; a colon in a preset's name is no part of a file's."""
        return self.home / network.replace(":", "-")

    def result_path(self, network: str, seed: int) -> Path:
        """`result.json` of one seed."""
        return self.folder(network) / f"seed-{seed}" / RESULT

    def trial_path(self, network: str, lr: float) -> Path:
        """`outcome.json` of one trial."""
        return _outcome_path(self.folder(network) / "trials", lr)


def images(data: str, data_dir: Path | None) -> Dataset:
    """The images of a race on `data`."""
    return load(DataOptions(data, data_dir=data_dir, seed=SPLIT_SEED))


def open_race(home: Path, data_dir: Path | None) -> Race:
    """The race begun in `home`. Raises UserError where its images are no longer what they were."""
    config = read_record(home / CONFIG, RivalsConfig)
    dataset = images(config.asked.data, data_dir)
    check_same_data(config.data, dataset, home)
    return Race(home, config, dataset)


def published_path(network: str, seed: int) -> Path:
    """Where the committed result of one seed lies."""
    return recipes_folder() / "results" / "rivals" / network.replace(":", "-") / f"seed-{seed}.json"


def options_for(home: Path, asked: RivalAsked, network: str, lr: float, seed: int, length: Length) -> TrainOptions:
    """The training of one network: all but its rate, its seed and its length is the same for every other."""
    return TrainOptions(
        model=network,
        time_s=asked.trial_s if length == "trial" else asked.time_s,
        optimizer=asked.optimizer,
        lr=lr,
        weight_decay=asked.weight_decay,
        augment=asked.augment,
        teacher=None if asked.teacher is None else home / asked.teacher,
        setbacks=0,  # a training that goes back would have more time than planned
        seed=seed,
        device="cpu",
        threads=1,
    )


def try_rate(race: Race, network: str, lr: float, listener: Silent) -> RivalTrial:
    """Train for a short while at the rate `lr`, or read what came of it before."""
    return _tried(race, race.folder(network) / "trials", network, lr, TRIAL_SEED, "trial", listener)


def ranked(race: Race, network: str) -> list[RivalTrial]:
    """The trials of a network that came to something, best validation accuracy first, of equals the smaller rate."""
    trials = [read_record(race.trial_path(network, lr), RivalTrial) for lr in race.config.asked.rates]
    told = [(-each.validation_accuracy, each.lr, each) for each in trials if each.validation_accuracy is not None]
    return [each for *_, each in sorted(told, key=lambda entry: entry[:2])]


def run_seed(race: Race, network: str, seed: int, listener: Silent) -> RivalResult:
    """Train a network for the whole time and judge its files, or read what came of it before.

    Where the whole training fails at the best rate the next best takes its turn, and a warning says so.
    Raises UserError where none is left.
    """
    path = race.result_path(network, seed)
    if path.exists():
        return read_record(path, RivalResult)
    warnings: list[str] = []
    for trial in ranked(race, network):
        outcome = _tried(race, path.parent, network, trial.lr, seed, "whole", listener)
        if outcome.fault is None:
            result = _judged(race, network, seed, Run(_outcome_path(path.parent, trial.lr).parent), listener, warnings)
            write_record(path, result)
            return result
        warnings.append(f"at a rate of {trial.lr:g}, the best left, the whole training failed: {outcome.fault}")
    raise UserError(
        f"no rate trains {network}", f"all of {race.config.asked.rates} failed", "another --optimizer, in a new --out"
    )


def _tried(
    race: Race, folder: Path, network: str, lr: float, seed: int, length: Length, listener: Silent
) -> RivalTrial:
    path = _outcome_path(folder, lr)
    if path.exists():
        return read_record(path, RivalTrial)
    pace, run = race.config.paces[network], Run(path.parent)
    asked = options_for(race.home, race.config.asked, network, lr, seed, length)
    fixed = Fixed(pace.machine, pace.trial if length == "trial" else pace.whole)
    accuracy, fault = None, None
    try:
        train(run.folder, race.dataset, asked, listener, resume=run.exists, fixed=fixed)
        accuracy = run.finished.validation_accuracy
    except TrainingFailed as error:
        fault = error.why
    seconds = round(run.history[-1].seconds, 1) if run.history else 0.0
    outcome = RivalTrial(lr=lr, validation_accuracy=accuracy, seconds=seconds, fault=fault)
    write_record(path, outcome)
    return outcome


def _outcome_path(folder: Path, lr: float) -> Path:
    return folder / f"lr-{lr:g}" / "outcome.json"


def _judged(race: Race, network: str, seed: int, run: Run, listener: Silent, warnings: list[str]) -> RivalResult:
    """Export both files and read the test images; what they cost is measured when all networks have come so far."""
    exports: list[Export] = []
    for int8 in (False, True):
        try:
            exports.append(export_run(run, race.dataset, int8=int8, parity_drop=PARITY_DROP, progress=listener))
        except ParityBroken as broken:
            if not int8:
                raise
            warnings.append(f"static int8 breaks its parity: {str(broken).splitlines()[0]}")
    config, asked = run.config, race.config.asked
    return RivalResult(
        network=network,
        seed=seed,
        git=provenance.git_commit(),
        versions=Versions(
            econet=config.econet,
            python=platform.python_version(),
            torch=config.torch,
            onnxruntime=version("onnxruntime"),
        ),
        started=config.created,
        asked=asked,
        teacher=None if asked.teacher is None else open_run(race.home / asked.teacher).config.model,
        pace=race.config.paces[network],
        trials=tuple(read_record(race.trial_path(network, lr), RivalTrial) for lr in asked.rates),
        settings=config.training,
        training=run.finished,
        exports=tuple(exports),
        evaluations=tuple(evaluate_artifacts([(path, run) for path in files(run)], race.dataset, "test", listener)),
        warnings=tuple(warnings),
    )


def files(run: Run) -> list[Path]:
    """Both files of a run, fp32 first; an int8 file that lost more than a parity allows is measured all the same."""
    int8 = run.artifact("int8")
    return [run.artifact("fp32"), int8 if int8.exists() else int8.with_name("model.int8.failed.onnx")]


class _Worker(Silent):
    """A worker's listener: notes and epochs go to standard output; it stops where who started it is gone."""

    def __init__(self, name: str) -> None:
        self._name, self._parent = name, Parent()

    def note(self, text: str) -> None:
        print(f"{self._name}: {text}")

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        self._parent.check()

    def epoch(self, line: Epoch, epochs: int) -> None:
        print(f"{self._name}: pass {line.epoch} of {epochs}, validation {line.validation_accuracy:.2%}")


def main(words: Sequence[str] | None = None) -> int:
    """Parse the words of the process and do what they say; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("network")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--lr", type=float)
    what.add_argument("--seed", type=int)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--record", action="store_true")
    asked = parser.parse_args(words)
    try:
        with among_others(asked.folder / WORKERS_LOCK):
            race = open_race(asked.folder, asked.data_dir)
            if asked.lr is not None:
                outcome = try_rate(race, asked.network, asked.lr, _Worker(f"{asked.network} at {asked.lr:g}"))
                told = outcome.fault or f"validation {outcome.validation_accuracy:.2%}"
                print(f"{asked.network} at {asked.lr:g}: {told}")
            else:
                result = run_seed(race, asked.network, asked.seed, _Worker(f"{asked.network}, seed {asked.seed}"))
                if asked.record:
                    write_record(published_path(asked.network, asked.seed), result)
    except UserError as error:
        print(error, file=sys.stderr)
        return MEND
    except Interrupted as stopped:
        return 128 + stopped.number
    return 0


if __name__ == "__main__":
    sys.exit(main())
