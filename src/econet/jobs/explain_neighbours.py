"""The training pictures that a run's network finds most alike to a picture, by exact search. Needs torch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from econet.claims.nearest import Nearest
from econet.data.dataset import Dataset
from econet.data.stream import in_parts
from econet.explanation.last_hidden import LastHidden
from econet.images.preprocess import Pixels, cropped
from econet.jobs.explain_network import inputs
from econet.jobs.explain_subject import Alike, Subject
from econet.jobs.run_data import check_same_data, load_again
from econet.runs.explanation_records import AlikePicture
from econet.runs.folder import Run
from econet.training.progress import Progress

_BATCH = 100


def nearest_pictures(
    subject: Subject, seen: Sequence[Pixels], count: int, data_dir: Path | None, progress: Progress
) -> list[list[Alike]]:
    """The `count` training pictures nearest to each of `seen` by Euclidean distance in the last hidden layer.

    Every training picture of the run is compared, few of them in memory at a time. Raises UserError where its data are
    gone or changed, and where the network has no hidden layer.
    """
    run = Run(subject.path)
    dataset = load_again(run.config.data, data_dir=data_dir)
    check_same_data(run.config.data, dataset, run.folder)
    if subject.network is None:
        raise ValueError(f"{subject.path} was opened without its network")
    hidden = LastHidden(subject.network)
    nearest = Nearest(hidden(inputs(np.stack(seen), subject.preprocess)), count)
    progress.note(f"comparing {len(seen)} pictures with {len(dataset.train):,} training pictures")
    with torch.inference_mode():
        for part in in_parts(dataset.train.pixels):
            for start in range(0, len(part), _BATCH):
                view = cropped(part[start : start + _BATCH], subject.preprocess)
                nearest.see(hidden(inputs(view, subject.preprocess)))
    rows = zip(nearest.positions.tolist(), nearest.distances.tolist(), strict=True)
    return [_alike(dataset, subject, positions, distances) for positions, distances in rows]


def _alike(dataset: Dataset, subject: Subject, positions: list[int], distances: list[float]) -> list[Alike]:
    pixels = cropped(dataset.train.pixels[np.array(positions)], subject.preprocess)
    labels = dataset.train.labels[np.array(positions)].tolist()
    return [
        Alike(picture, AlikePicture(label=dataset.classes[label], distance=distance, position=position))
        for picture, label, distance, position in zip(pixels, labels, distances, positions, strict=True)
    ]
