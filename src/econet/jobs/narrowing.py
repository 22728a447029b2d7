"""The cut of one step of `prune`: made from the parent's weights and real images, or made again from its record."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

from econet.compression.importance import Batch
from econet.compression.lrn_removal import has_lrn, lrn_factors, without_lrn
from econet.compression.mean_removal import has_mean_image, without_mean_image
from econet.compression.pruning import Pruned, cut_copy, prune_channels
from econet.compression.weaker_dropout import with_dropout
from econet.data.augmentation import Augmenter
from econet.data.dataset import Dataset
from econet.errors import UserError, read_from
from econet.files import sha256_of
from econet.images.preprocess import Preprocess
from econet.jobs.options import PruneOptions
from econet.jobs.run_data import seen_by
from econet.models.architecture import Dropout, to_data
from econet.models.cuts import Cut
from econet.models.network import Network
from econet.runs import provenance
from econet.runs.folder import Run
from econet.runs.pruning_records import CutProof, HeldLayer, LayerWidth, Pruning, Shares, Sizes
from econet.runs.record import digest
from econet.statistics.streams import stream_seed
from econet.training.weights import trained_network

# Training images that prove a cut, that measure a normalisation, and that `taylor` takes its slopes on.
PROOF_IMAGES = 8
LRN_IMAGES = 64
TAYLOR_BATCHES = 8
TAYLOR_BATCH = 64


@dataclass(frozen=True, slots=True)
class Step:
    """One of the iterations: the run it fills, the run it starts from, the origin of all, and its number from 1."""

    run: Run
    parent: Run
    origin: Run
    number: int

    def target(self, options: PruneOptions) -> float:
        """The share of the origin's MACs that is gone behind this step: every step takes the same share of the rest."""
        return 1 - (1 - options.ratio) ** (self.number / options.iterations)


@dataclass(frozen=True, slots=True)
class Changes:
    """What is done to a network before it is cut, in this order, as `Pruning` records it."""

    lrn_factors: tuple[float, ...] | None
    mean_dropped: bool
    dropout: float | None


def starting_network(step: Step, module: nn.Module | None) -> nn.Module:
    """The parent's trained network; `module`, where it was handed over as an object, stays as it is."""
    return trained_network(step.parent, copy.deepcopy(module))


def narrowed(
    step: Step, dataset: Dataset, options: PruneOptions, module: nn.Module | None
) -> tuple[nn.Module, dict[str, Any], Pruning]:
    """The narrower network, its architecture as data and the record of the cut.

    Raises UserError where the parent normalises over its maps or cannot be cut so far.
    """
    network = starting_network(step, module)
    images = seen_by(dataset, step.parent.config.architecture)
    _check_dropout(step, network, options)
    seed, changes = options.tuning.seed, Changes(None, has_mean_image(network) and options.drop_mean, options.dropout)
    if isinstance(network, Network) and has_lrn(network):
        _check_lrn(step, options)
        factors = lrn_factors(network, training_sample(images, LRN_IMAGES, seed)[0])
        changes = replace(changes, lrn_factors=factors)
    network = changed(network, changes, dataset.preprocess)
    images = dataset if changes.mean_dropped else images
    batches = _batches(images, seed) if options.importance == "taylor" else iter(())
    pruned = prune_channels(
        network,
        training_sample(images, PROOF_IMAGES, seed)[0],
        removed_fraction=_fraction(step, options),
        keep=options.keep,
        importance=options.importance,
        batches=batches,
    )
    record = _record(step, options, pruned, changes)
    return pruned.network, _architecture(step, pruned.network, pruned.cut), record


def changed(network: nn.Module, changes: Changes | Pruning, preprocess: Preprocess) -> nn.Module:
    """What is cut: the parent's `network` with the changes made before, for pixels scaled by `preprocess`."""
    if not isinstance(network, Network):
        return network
    if changes.lrn_factors is not None:
        network = without_lrn(network, changes.lrn_factors)
    if changes.mean_dropped:
        network = without_mean_image(network, preprocess)
    return network if changes.dropout is None else with_dropout(network, changes.dropout)


def _architecture(step: Step, network: nn.Module, cut: Cut) -> dict[str, Any]:
    """What is recorded of the parent's network behind `cut`: its new widths, or of a user's own the cut itself."""
    if isinstance(network, Network):
        return to_data(network.architecture)
    recorded = step.parent.config.architecture
    return {**recorded, "cuts": [*recorded.get("cuts", ()), msgspec.to_builtins(cut)]}


def narrowed_again(step: Step, record: Pruning, module: nn.Module | None) -> nn.Module:
    """The same network from the record of the cut.

    Raises UserError where the parent's weights changed, and where the cut gives another network than was recorded.
    """
    if sha256_of(step.parent.weights_path) != record.parent_weights_sha256:
        raise UserError(
            f"the parent in {step.parent.folder} changed",
            "its weights are not those this run was cut from",
            "restore the parent, or start again with --out NEW",
        )
    network = starting_network(step, module)
    with read_from(step.run.pruning_path):
        network = changed(network, record, step.run.config.data.preprocess)
        cut = Cut(keep=record.keep, groups=record.groups)
        narrow = cut_copy(network, cut)
        if digest(_architecture(step, narrow, cut)) != digest(step.run.config.architecture):
            raise UserError(
                "the recorded cut gives another network than config.json has",
                "one of the two was changed",
                "restore both from a copy, or start again with --out NEW",
            )
        return narrow


def _check_lrn(step: Step, options: PruneOptions) -> None:
    if not options.drop_lrn:
        raise UserError(
            f"{step.parent.folder} cannot be pruned as it is",
            f"{step.parent.config.model} has local response normalisation: every channel looks at its neighbours, "
            "so that none can leave without changing others",
            "--drop-lrn puts a constant in its place, or train it with --switch lrn=false",
        )


def _check_dropout(step: Step, network: nn.Module, options: PruneOptions) -> None:
    """Raises UserError where dropout is to change that is not there, or not known to be."""
    has = isinstance(network, Network) and any(isinstance(layer, Dropout) for layer in network.architecture.layers)
    if options.dropout is not None and not has:
        raise UserError(
            f"--dropout {options.dropout:g} has nothing to change in {step.parent.folder}",
            f"{step.parent.config.model} is no network of the catalog with dropout",
            "leave --dropout out",
        )


def _fraction(step: Step, options: PruneOptions) -> float:
    """The share of the parent's MACs to take away, where earlier steps may have taken more or less than asked."""
    if step.number == 1:
        return step.target(options)
    earlier = step.parent.pruning
    return max(0.0, 1 - (1 - step.target(options)) * earlier.origin_sizes.macs / earlier.after.macs)


def _record(step: Step, options: PruneOptions, pruned: Pruned, changes: Changes) -> Pruning:
    size, proof = step.parent.weights_path.stat().st_size, pruned.proof
    before = Sizes(macs=pruned.macs[0], parameters=pruned.parameters[0], bytes=size)
    content = {name: value.detach().contiguous() for name, value in pruned.network.state_dict().items()}
    after = Sizes(macs=pruned.macs[1], parameters=pruned.parameters[1], bytes=len(save(content)))
    earlier = None if step.number == 1 else step.parent.pruning
    origin = before if earlier is None else earlier.origin_sizes
    first = {} if earlier is None else {each.layer: each.before for each in earlier.layers}
    return Pruning(
        parent=provenance.relative_to(step.parent.folder, step.run.folder),
        parent_weights_sha256=step.parent.finished.weights_sha256,
        origin=provenance.relative_to(step.origin.folder, step.run.folder),
        ratio=options.ratio,
        importance=options.importance,
        iteration=step.number,
        iterations=options.iterations,
        target=step.target(options),
        before=before,
        after=after,
        origin_sizes=origin,
        removed=_shares(origin, after),
        layers=tuple(
            LayerWidth(layer=each.layer, before=first.get(each.layer, each.before), after=each.after)
            for each in pruned.widths
        ),
        held=tuple(
            HeldLayer(layer=each.layer, channels=each.channels, of=each.of, reason=each.reason) for each in pruned.held
        ),
        proof=CutProof(max_difference=proof.difference, images=proof.images, number_type=proof.number_type),
        keep=pruned.cut.keep,
        groups=pruned.cut.groups,
        asked_widths=dict(options.keep),
        lrn_factors=changes.lrn_factors,
        mean_dropped=changes.mean_dropped,
        dropout=changes.dropout,
    )


def _shares(whole: Sizes, rest: Sizes) -> Shares:
    return Shares(
        macs=1 - rest.macs / whole.macs,
        parameters=1 - rest.parameters / whole.parameters,
        bytes=1 - rest.bytes / whole.bytes,
    )


def training_sample(dataset: Dataset, count: int, seed: int) -> Batch:
    """Some training images as the network sees them, float32 [N, C, H, W], and their labels; the same for a seed."""
    rng = np.random.default_rng(stream_seed(seed, "pruning"))
    return _images(dataset, rng.choice(len(dataset.train), min(count, len(dataset.train)), replace=False))


def _images(dataset: Dataset, rows: NDArray[np.int64]) -> Batch:
    pixels = torch.from_numpy(np.ascontiguousarray(dataset.train.pixels[rows]))
    augmenter = Augmenter(pixels, dataset.preprocess, "none", torch.device("cpu"))
    images = augmenter.plain(torch.arange(len(pixels))).contiguous(memory_format=torch.contiguous_format)
    return images, torch.from_numpy(dataset.train.labels[rows])


def _batches(dataset: Dataset, seed: int) -> Iterator[Batch]:
    """Batches of training images for slopes of the loss, the same for a seed."""
    rng = np.random.default_rng(stream_seed(seed, "pruning", 1))
    order = rng.permutation(len(dataset.train))[: TAYLOR_BATCHES * TAYLOR_BATCH]
    for start in range(0, len(order), TAYLOR_BATCH):
        yield _images(dataset, order[start : start + TAYLOR_BATCH])
