"""Which way to the int8 file of a run keeps most: each tried on validation images, none on the proof's."""

from dataclasses import dataclass

import torch
from torch import Tensor

from econet.compression.remedies import PLAIN, Calibration, Way, static_ways, with_corrected_biases
from econet.compression.sensitivity import Score
from econet.data.dataset import Dataset
from econet.images.preprocess import Pixels
from econet.jobs.export import calibration_images
from econet.jobs.networks import float_file, quantized_network
from econet.runs.folder import Run
from econet.runs.ledger_records import Remedy
from econet.runs.sensitivity_records import Cost
from econet.training.progress import Progress

# Ten times as many images as the plain way takes.
_MORE_IMAGES = 5000
_BATCH = 100
TRAINED_ON = "trained on with 8-bit rounding"


@dataclass(frozen=True, slots=True)
class Tried:
    """A way to the int8 file and what it reaches on the validation images."""

    way: Way
    cost: Cost

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: accuracy, and the smaller cross-entropy where that is equal."""
        return self.cost.accuracy, -self.cost.cross_entropy


def tried_ways(run: Run, dataset: Dataset, score: Score, progress: Progress) -> list[Tried]:
    """Every static way to the int8 file of a run that is not quantized, the plain one first.

    `dataset` is as the network sees it. Raises UserError where there are no training images to calibrate on.
    """
    seed = run.config.seed
    calibration = Calibration(calibration_images(dataset, seed), calibration_images(dataset, seed, _MORE_IMAGES))
    tried: list[Tried] = []
    for way in static_ways(float_file(run), dataset.preprocess, calibration):
        tried.append(_tried(way, score, progress))
    best = max(tried, key=lambda each: each.rank)
    batches = [
        _scaled(calibration.images[start : start + _BATCH], dataset)
        for start in range(0, len(calibration.images), _BATCH)
    ]
    tried.append(_tried(with_corrected_biases(best.way, batches), score, progress))
    return tried


def remedies_of(tried: list[Tried], run: Run, quantized: Run | None, score: Score) -> tuple[Remedy, ...]:
    """The record of what was tried on `run`; `quantized` is its training with 8-bit rounding, where there is one."""
    plain = next(each.cost for each in tried if each.way.name == PLAIN)
    chosen = None if quantized is not None else max(tried, key=lambda each: each.rank).way
    found = [_recorded(each.way.name, each.cost, plain, chosen=each.way is chosen) for each in tried]
    if quantized is not None:
        return (*found, _recorded(TRAINED_ON, score(quantized_network(quantized)), plain, chosen=True))
    command = f"econet quantize {run.folder}"
    untried = Remedy(
        name=TRAINED_ON, accuracy=None, cross_entropy=None, bought=None, chosen=False, not_tried=f"`{command}` does it"
    )
    return (*found, untried)


def _tried(way: Way, score: Score, progress: Progress) -> Tried:
    cost = score(way.network)
    progress.note(f"int8, {way.name}: {100 * cost.accuracy:.2f} % of the validation images")
    return Tried(way, cost)


def _scaled(pixels: Pixels, dataset: Dataset) -> Tensor:
    """Images of the file, uint8, as the network is fed them."""
    record = dataset.preprocess
    return (torch.from_numpy(pixels).float() - record.offset) * record.scale


def _recorded(name: str, cost: Cost, plain: Cost, *, chosen: bool) -> Remedy:
    return Remedy(
        name=name,
        accuracy=cost.accuracy,
        cross_entropy=cost.cross_entropy,
        bought=cost.accuracy - plain.accuracy,
        chosen=chosen,
    )
