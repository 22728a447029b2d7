"""One training of one arm of a claim: train, measure whatever a claim asks of it, write `outcome.json`."""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from econet.claims.catalog import CLAIMS
from econet.claims.claim import Arm, Claim, Scale
from econet.claims.measures import MEASURES, Subject, test_probabilities
from econet.data.dataset import Dataset, Images
from econet.data.split import stratified
from econet.errors import UserError, unknown_name
from econet.files import write_whole
from econet.jobs.options import DataOptions, TrainOptions, check_train_options
from econet.jobs.run_data import load, seen_by
from econet.jobs.train import train
from econet.runs.arrays import read_arrays
from econet.runs.choices import ColourNoise
from econet.runs.claim_records import Outcome
from econet.runs.folder import Run
from econet.runs.record import read_record, write_record
from econet.runs.records import Epoch
from econet.training.progress import Progress
from econet.training.setback import TrainingFailed

HOME = Path("runs") / "claims"
# Of all seeds' answers averaged: known only when all are there.
ENSEMBLE = "ensemble_error"
# All seeds see the same images: pairs then differ by training luck alone.
SPLIT_SEED = 0


@dataclass(frozen=True, slots=True)
class ArmRun:
    """Which training: an arm at a scale, its seed, a rate other than the arm's own, and where the data lie."""

    scale: Scale
    arm: Arm
    seed: int
    lr: float | None = None
    data_dir: Path | None = None

    @property
    def folder(self) -> Path:
        """The run folder; every claim that asks for this training shares it."""
        name = f"seed-{self.seed}" if self.lr is None else f"seed-{self.seed}-lr-{self.lr:g}"
        return HOME / self.scale.name / self.arm.name / name

    @property
    def outcome_path(self) -> Path:
        """`outcome.json`, written when everything is measured."""
        return self.folder / "outcome.json"

    @property
    def answers_path(self) -> Path:
        """`answers.npz`: probabilities of the test images and the truth, for an ensemble."""
        return self.folder / "answers.npz"


def arm_of(claim: Claim, name: str) -> Arm:
    """The claim's arm of that name. Raises UserError where it has none."""
    arms = {arm.name: arm for arm in claim.arms}
    if name not in arms:
        raise unknown_name("arm", name, arms or ["none: this claim is quoted only"])
    return arms[name]


def finished_outcome(wanted: ArmRun) -> Outcome | None:
    """The outcome, where everything that any claim asks of this training is measured; None else."""
    if not wanted.outcome_path.exists():
        return None
    known = read_record(wanted.outcome_path, Outcome)
    if not known.measures:  # it stopped by itself: there is nothing to measure
        return known
    measures = _measures_of(wanted)
    complete = measures - {ENSEMBLE} <= known.measures.keys()
    return known if complete and (ENSEMBLE not in measures or wanted.answers_path.exists()) else None


def run_arm(wanted: ArmRun, progress: Progress) -> Outcome:
    """Train (or go on with) one arm on one thread and measure it; what is done already is not done again.

    A training that stops by itself - diverged, or still at chance - is an outcome without measures.
    Raises UserError for settings out of range and where the folder holds a training with other settings.
    """
    options = _options(wanted)
    check_train_options(options)
    _check_same(wanted)
    known = finished_outcome(wanted)
    if known is not None:
        return known
    dataset, run = _dataset(wanted), Run(wanted.folder)
    stopped = _train(wanted, options, run, dataset, progress)
    measures: dict[str, float] = {}
    if not stopped:
        needed, subject = _measures_of(wanted), Subject(run, seen_by(dataset, run.config.architecture))
        measures = {name: MEASURES[name](subject) for name in sorted(needed - {ENSEMBLE})}
        if ENSEMBLE in needed:
            _keep_answers(wanted, subject)
    history = run.history
    outcome = Outcome(
        arm=wanted.arm.name,
        seed=wanted.seed,
        measures=measures,
        epochs=len(history),
        seconds=round(history[-1].seconds, 1) if history else 0.0,
        stopped_by=stopped or ("the end of its plan" if run.is_finished else "its target"),
    )
    write_record(wanted.outcome_path, outcome)
    return outcome


def read_answers(wanted: ArmRun) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(probabilities [N, K], truth [N]) of the test images. Raises UserError where the file is damaged."""
    remedy = "remove it: the next `econet reproduce` measures that training again"
    found = read_arrays(wanted.answers_path, ("probabilities", "truth"), "the answers", remedy)
    return found["probabilities"], found["truth"]


def _measures_of(wanted: ArmRun) -> set[str]:
    """Everything that the claims which share this training ask of it; a search for a rate asks its claim's alone."""
    return {
        measure
        for claim in CLAIMS.values()
        if claim.scale is not None
        and (claim.scale.name == wanted.scale.name or wanted.scale.name.startswith("full"))
        and wanted.arm in claim.arms
        for measure in (claim.measure, claim.second_measure)
        if measure is not None
    }


def _train(wanted: ArmRun, options: TrainOptions, run: Run, dataset: Dataset, progress: Progress) -> str:
    """Train to the end or to the scale's target; returns why it stopped by itself, empty where it did not."""
    if wanted.scale.stop_at is not None and _reached(run.history, wanted.scale.stop_at):
        return ""
    listener = progress if wanted.scale.stop_at is None else _StopAt(progress, wanted.scale.stop_at)
    try:
        train(wanted.folder, dataset, options, listener, resume=run.exists)
    except _Reached:
        return ""
    except TrainingFailed as error:
        return f"{error.what.split(' in ')[0]}: {error.why}"
    return ""


def _options(wanted: ArmRun) -> TrainOptions:
    settings: dict[str, Any] = {"augment": "light", **wanted.scale.settings, **wanted.arm.settings}
    if "colour_noise" in settings:
        settings["colour_noise"] = msgspec.convert(settings["colour_noise"], ColourNoise)
    if wanted.lr is not None:
        settings["lr"] = wanted.lr
    model, switches = wanted.arm.model or wanted.scale.model, dict(wanted.arm.switches)
    return TrainOptions(model=model, switches=switches, seed=wanted.seed, threads=1, setbacks=0, **settings)


def _dataset(wanted: ArmRun) -> Dataset:
    scale = wanted.scale
    dataset = load(
        DataOptions(
            scale.data,
            data_dir=wanted.data_dir,
            image_size=scale.image_size,
            crop_from=scale.crop_from,
            seed=SPLIT_SEED,
        )
    )
    if wanted.arm.share == 1:
        return dataset
    labels = dataset.train.labels
    kept, held = stratified(labels, min(wanted.arm.share, 1 - wanted.arm.share), SPLIT_SEED, "share", dataset.classes)
    chosen = held if wanted.arm.share <= 1 - wanted.arm.share else kept
    return replace(dataset, train=Images(dataset.train.pixels[chosen], labels[chosen]))


def _check_same(wanted: ArmRun) -> None:
    """Raises UserError where the folder was begun with other settings than the claim's present ones."""
    path = wanted.folder / "arm.json"
    content = msgspec.json.format(
        msgspec.json.encode({"scale": _plain(wanted.scale), "arm": _plain(wanted.arm), "lr": wanted.lr}), indent=2
    )
    if not path.exists():
        wanted.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    elif path.read_bytes() != content:
        raise UserError(
            f"{wanted.folder} was trained with other settings",
            "its arm.json is not what the claim asks now",
            "move the folder away: the training begins anew",
        )


def _plain(value: Scale | Arm) -> dict[str, Any]:
    fields = {name: getattr(value, name) for name in value.__dataclass_fields__}
    return {name: dict(field) if hasattr(field, "keys") else field for name, field in fields.items()}


def _keep_answers(wanted: ArmRun, subject: Subject) -> None:
    buffer = io.BytesIO()
    truth = subject.dataset.test.labels
    np.savez_compressed(buffer, probabilities=test_probabilities(subject).numpy(), truth=truth)
    write_whole(wanted.answers_path, buffer.getvalue())


def _reached(history: list[Epoch], target: float) -> bool:
    return bool(history) and history[-1].train_accuracy >= target


class _Reached(Exception):
    """The training accuracy that a claim waits for was seen."""


class _StopAt:
    """Passes everything on to a listener, and ends the training at its target."""

    def __init__(self, listener: Progress, target: float) -> None:
        self._listener = listener
        self._target = target

    def note(self, text: str) -> None:
        self._listener.note(text)

    def begin(self, title: str, steps: int, done: int) -> None:
        self._listener.begin(title, steps, done)

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        self._listener.advance(step, loss, images_per_s)

    def epoch(self, line: Epoch, epochs: int) -> None:
        self._listener.epoch(line, epochs)
        if line.train_accuracy >= self._target:
            raise _Reached

    def end(self) -> None:
        self._listener.end()
