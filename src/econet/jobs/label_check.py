"""The slow part of `check`: quick networks judge the pictures they have not seen, and labels they doubt are named."""

import hashlib
import io
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from econet.data.dataset import Dataset, Images
from econet.data.split import shuffled
from econet.deployment.predictor import softmax
from econet.errors import UserError
from econet.files import write_whole
from econet.jobs.export import torch_logits
from econet.jobs.health import AllPictures
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.runs.check_records import Finding, LabelHealth
from econet.runs.folder import Run
from econet.statistics.label_noise import find_label_noise
from econet.statistics.streams import stream_seed
from econet.training.progress import Progress
from econet.training.weights import trained_network

CONFIDENCES = "confidences.npz"
# Each network learns from three quarters of the pictures, as in Northcutt et al. 2021, section 4.1.
FOLDS = 4

Whole = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Doubts:
    """What the networks thought of N pictures: class probabilities float32 [N, K] and what follows from them."""

    health: LabelHealth
    findings: list[Finding]
    probabilities: NDArray[np.float32]


def doubted_labels(
    folder: Path, pictures: AllPictures, groups: Whole, options: TrainOptions, progress: Progress
) -> Doubts:
    """Train FOLDS networks in `folder`, each on the other folds, and find the labels that they all but refute.

    `groups` [N] names pictures that are one: they share a fold, so that a copy cannot vouch for its own label. The
    time of `options` is that of all networks. Finished networks are not trained again. Pictures of a class that has
    fewer than FOLDS are never flagged. Raises UserError where the data cannot be trained on so.
    """
    began = time.monotonic()
    _check_in_memory(pictures.dataset)
    labels = pictures.labels
    fold = folds_of(labels, groups, options.seed)
    asked = options if options.time_s is None else replace(options, time_s=options.time_s / FOLDS)
    together = _joined(pictures)
    probabilities = np.zeros((len(labels), len(pictures.dataset.classes)), np.float32)
    for number in range(FOLDS):
        held = np.flatnonzero(fold == number)
        progress.note(f"labels: network {number + 1} of {FOLDS} learns without {len(held)} pictures")
        data = _without(pictures.dataset, together, held, number)
        home = folder / f"fold-{number + 1}"
        run = train(home, data, asked, progress, resume=Run(home).exists)
        probabilities[held] = softmax(torch_logits(trained_network(run), data.test.pixels, data.preprocess))
    _keep(folder / CONFIDENCES, probabilities, labels, fold)
    found = judged(pictures, probabilities)
    health = LabelHealth(
        model=options.named,
        folds=FOLDS,
        images=len(labels),
        accuracy=float((probabilities.argmax(1) == labels).mean()),
        expected=found.expected,
        flagged=len(found.findings),
        seconds=round(time.monotonic() - began, 3),
    )
    return Doubts(health, found.findings, probabilities)


@dataclass(frozen=True, slots=True)
class Judged:
    """Likely wrong labels, the surest first, and how many there are in all by the confident joint."""

    findings: list[Finding]
    expected: int


def judged(pictures: AllPictures, probabilities: NDArray[np.float32]) -> Judged:
    """Confident learning on probabilities [N, K] from networks that have not seen the pictures."""
    labels = pictures.labels
    noise = find_label_noise(probabilities, labels)
    enough = np.bincount(labels, minlength=probabilities.shape[1]) >= FOLDS
    findings = [
        Finding(
            kind="likely wrong label",
            picture=pictures.picture(int(number)),
            suggested=pictures.dataset.classes[answer],
            # The margin runs from 0 to 1, as does the surety.
            score=round(float(margin), 4),
        )
        for number, answer, margin in zip(noise.flagged, noise.suggested, noise.margin, strict=True)
        if enough[labels[number]]
    ]
    return Judged(findings, int(noise.joint.sum() - np.trace(noise.joint)))


def folds_of(labels: NDArray[np.int64], groups: Whole, seed: int) -> Whole:
    """The fold of each picture, [N]: every class spread evenly, pictures of a group together."""
    heads = np.unique(groups)
    order = heads[shuffled(len(heads), stream_seed(seed, "split", "folds"))]
    fold = np.zeros(len(labels), np.intp)
    turn = 0
    for label in np.unique(labels):
        members = order[labels[order] == label]
        fold[members] = (np.arange(len(members)) + turn) % FOLDS
        turn += len(members)
    return fold[groups]


def _joined(pictures: AllPictures) -> Images:
    return Images(np.concatenate([part.pixels for part in pictures.parts]), pictures.labels)


def _without(dataset: Dataset, together: Images, held: Whole, number: int) -> Dataset:
    """All pictures but those of one fold to learn from; those are only looked at, and nothing is chosen by them."""
    out = together.take(held)
    left = together.take(np.setdiff1d(np.arange(len(together)), held))
    name = hashlib.sha256(f"{dataset.fingerprint} {number}".encode() + held.tobytes()).hexdigest()
    return replace(
        dataset, train=left, validation=out, test=out, fingerprint=name, listing=(), warnings=(), statistics=None
    )


def _check_in_memory(dataset: Dataset) -> None:
    if dataset.statistics is not None:
        raise UserError(
            f"the labels of {dataset.name} were not doubted",
            "its pictures stay on disk, and networks by time learn from pictures in memory",
            "a part of the pictures, or a smaller --image-size",
        )


def _keep(path: Path, probabilities: NDArray[np.float32], labels: NDArray[np.int64], fold: Whole) -> None:
    """Write the probabilities beside the record, whole or not at all: train, validation, test one after the other."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, probabilities=probabilities.astype(np.float16), labels=labels.astype(np.uint16), fold=fold
    )
    write_whole(path, buffer.getvalue())
