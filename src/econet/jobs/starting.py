"""`train --from`: which network goes on from trained weights, what of it is new, and how long the rest waits."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec import structs
from torch import Tensor, nn

from econet.data.augmentation import Augmenter
from econet.data.dataset import Dataset
from econet.errors import UserError
from econet.files import sha256_of
from econet.jobs.options import TrainOptions
from econet.models import catalog
from econet.runs.folder import Run
from econet.runs.records import TrainingConfig
from econet.training.defaults import THAW_SHARE, THAWED_RATE
from econet.training.file_weights import settle_norms
from econet.training.progress import Progress, Silent
from econet.training.starts import Shape, Start, architecture_like, find_start, recorded_start, start_from
from econet.training.towers import is_towers

# Enough for the mean and spread of a channel, and few enough to be through in a moment.
SETTLING_PICTURES = 128


def named_model(options: TrainOptions, start: Start | None = None) -> str:
    """The model asked for; where none is, that of the weights to start from, else the usual one."""
    if options.model is not None:
        return options.model
    if start is None and options.start is not None:
        start = find_start(options.start)
    return options.named if start is None else start.model


def started_network(options: TrainOptions, start: Start | None, input_shape: Shape, classes: int) -> dict[str, Any]:
    """The architecture that `options` ask for, as data; where they ask for none, the start's for these pictures.

    Raises UserError for an unknown model, and for pictures that the network cannot take.
    """
    switches = {**options.switches, **({} if options.width is None else {"width": options.width})}
    if start is not None and options.model is None and not switches:
        return architecture_like(start, input_shape, classes)
    return catalog.architecture(named_model(options, start), input_shape, classes, **switches)


def begin_with(network: nn.Module, start: Start, dataset: Dataset, progress: Progress) -> list[str]:
    """Put the start's weights into `network`, told in a note; returns the names of what is new.

    The weights of an exported file have no batch norm: it is given the statistics of some training pictures.
    """
    fresh = start_from(network, start, dataset.classes)
    if start.shipped is not None:
        settle_norms(network, _spread_out(dataset))
    preprocess, before = dataset.preprocess, start.input
    parts = [f"starting from {start.title}"]
    if before is not None and before[1:] != tuple(preprocess.image_size):
        height, width = preprocess.image_size
        parts.append(f"trained on {before[1]} x {before[2]} pixels, these are {height} x {width}")
    if before is not None and before[0] != preprocess.channels:
        told = {1: "its filters for the colours are added up", 3: "its first layer sees the colours as one gray"}
        parts.append(told[preprocess.channels])
    progress.note(", ".join(parts) + (f", new: {', '.join(fresh)}" if fresh else ""))
    return fresh


def _spread_out(dataset: Dataset) -> Tensor:
    """A few training pictures, evenly spread, as the network takes them: float32 [N, C, H, W]."""
    count = len(dataset.train)
    rows = np.linspace(0, count - 1, min(count, SETTLING_PICTURES)).round().astype(np.intp)
    store = Augmenter(
        torch.from_numpy(dataset.train.take(rows).pixels), dataset.preprocess, "none", torch.device("cpu")
    )
    return store.plain(torch.arange(len(rows)))


def begin_with_recorded(network: nn.Module, run: Run, dataset: Dataset) -> None:
    """Do `begin_with` again as the record of an unfinished run has it; raises UserError where its start changed."""
    training = run.config.training
    start = recorded_start(run.folder, training.from_weights or "")
    if sha256_of(start.weights) != training.from_weights_sha256:
        raise UserError(
            f"the {'run' if start.shipped is None else 'artifact'} to start from in {start.weights.parent} changed",
            "its weights are not those this run began with",
            "restore it, or start again with --out NEW",
        )
    begin_with(network, start, dataset, Silent())


def thawed(
    training: TrainingConfig, options: TrainOptions, start: Start, classes: tuple[str, ...], model: str, folder: Path
) -> TrainingConfig:
    """`training` of the run in `folder` with its start on record, and with how long the last layer learns alone.

    By default a quarter of the training where the last layer is new; where it is not, nothing has to catch up.
    Raises UserError for a share of a network that is trained column by column.
    """
    share = options.thaw
    if is_towers(model) and share:
        raise UserError(
            f"--thaw {share:g} cannot be had of {model}", "each of its columns has a part of the last layer", "--thaw 0"
        )
    if share is None:
        share = THAW_SHARE if start.classes != classes and not is_towers(model) else 0.0
    return structs.replace(
        training,
        from_weights=start.recorded(folder),
        from_weights_sha256=start.sha256,
        thaw=share,
        thawed_rate=THAWED_RATE if share else 1.0,
    )
