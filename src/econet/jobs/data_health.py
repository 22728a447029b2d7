"""What a comparison needs to know of its data: are the pictures of its proof new to the networks?"""

from pathlib import Path

import numpy as np

from econet.data.dataset import Dataset
from econet.jobs.check import RECORD, quick_check
from econet.jobs.options import DataOptions, Proof
from econet.measurement.accuracy import Predictions
from econet.runs.check_records import Check, CheckSummary, Leak
from econet.runs.record import read_record, write_record
from econet.training.progress import Progress


def data_health(folder: Path, data: DataOptions, dataset: Dataset, proof: Proof, progress: Progress) -> Check | None:
    """The quick part of `check` for the pictures of the proof, kept as `folder/check.json`; made once for these data.

    None for pictures that stay on disk, whose decoding takes as long as an epoch.
    Raises UserError where a record that lies there is damaged.
    """
    if dataset.statistics is not None:
        progress.note(f"duplicates are not looked for among pictures on disk: econet check {data.source} does")
        return None
    path = folder / RECORD
    if path.exists():
        kept = read_record(path, Check)
        if kept.data.fingerprint == dataset.fingerprint and kept.duplicates and kept.duplicates.searched == proof:
            return kept
    record = quick_check(data, dataset, proof, progress)
    write_record(path, record)
    return record


def summary(health: Check, proof: Proof, baseline: Predictions, candidate: Predictions) -> CheckSummary:
    """How many pictures of the proof lie in training, and how right both sides are on the others."""
    leak = _in_training(health, proof)
    fresh = np.ones(len(baseline), np.bool_)
    fresh[list(leak.places)] = False
    return CheckSummary(
        exact=leak.exact,
        near=leak.near,
        images=len(leak.places),
        without=_accuracies(baseline, candidate, fresh) if leak.places and fresh.any() else None,
        missing=tuple(dict.fromkeys(name for each in health.splits for name in each.missing)),
        void=health.void,
    )


def _in_training(health: Check, proof: Proof) -> Leak:
    found = health.duplicates.leaks if health.duplicates else ()
    none = Leak(split=proof, other="train", exact=0, near=0, share=0.0, places=())
    return next((leak for leak in found if (leak.split, leak.other) == (proof, "train")), none)


def _accuracies(
    baseline: Predictions, candidate: Predictions, fresh: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> tuple[float, float]:
    large, small = (float((side.predicted == side.truth)[fresh].mean()) for side in (baseline, candidate))
    return large, small
