"""Pruning that removes channels, proven before it is believed.

The channels that belong together come from the network's own operations (`label_run`), widths from importance
(`widths`). The cut is made on a copy, and given out only where the copy takes one image and several, answers in the
same shape, costs less, and answers as the network does with those channels at zero. Layers whose code does not follow
- a number typed into a reshape - stay whole, by name.
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from torch import Tensor, nn

from econet.compression.channels import ANSWERS, Channels, Held, settled
from econet.compression.cut_proof import Proof, proven, zeroed
from econet.compression.importance import Batch, scores
from econet.compression.label_run import label_run
from econet.compression.stubborn_lines import stubborn_line
from econet.compression.tracing import traced
from econet.compression.widths import Costs, Kept, chosen, stays
from econet.errors import UserError
from econet.models.as_built import architecture_as_built
from econet.models.cuts import Cut, cut_network, ranges, tensors_of
from econet.models.network import Network
from econet.runs.choices import Importance
from econet.training.weights import first_misfit


@dataclass(frozen=True, slots=True)
class Width:
    """One layer's channels before and after."""

    layer: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """A narrower network: the copy itself, the cut that made it, what it cost and costs, and the proof."""

    network: nn.Module
    cut: Cut
    widths: tuple[Width, ...]
    held: tuple[Held, ...]
    macs: tuple[int, int]
    parameters: tuple[int, int]
    proof: Proof


def prune_channels(
    network: nn.Module,
    images: Tensor,
    *,
    removed_fraction: float,
    keep: Mapping[str, int] = MappingProxyType({}),
    importance: Importance = "magnitude",
    batches: Iterable[Batch] = (),
) -> Pruned:
    """A narrower copy of `network`: about `removed_fraction` of its MACs are gone, 0 <= fraction < 1.

    Layers named in `keep` have so many channels afterwards, whatever the fraction; with a fraction of 0 they alone
    change.

    Takes a network fed `[N, C, H, W]` float32 that gives `[N, K]` logits; `images` are some of what it is used on, at
    least 2. `batches` of training images and labels serve the importance `taylor`. The network itself is not changed.
    Raises UserError naming what stands in the way: torch cannot follow it, layers that cannot be cut leave too little
    to take away, or a width that is asked for cannot be had.
    """
    original = copy.deepcopy(network).to("cpu").eval()
    findings = label_run(traced(original, images[:2]))
    channels = settled(findings)
    values = scores(importance, original, channels, batches)
    kept = chosen(_costs(original, channels), values, removed_fraction, keep)
    result = _attempt(original, channels, kept, images)
    if isinstance(result, Pruned):
        return result
    stubborn = _stubborn_layers(original, channels, images)
    channels = settled(findings, stubborn)
    values = scores(importance, original, channels, batches)
    kept = chosen(_costs(original, channels), values, removed_fraction, keep)
    result = _attempt(original, channels, kept, images)
    if isinstance(result, Pruned):
        return result
    raise UserError(
        f"{type(network).__name__} cannot be pruned",
        f"the cut network does not answer as it should: {result}",
        "let `forward` take numbers of channels from shapes instead of writing them down",
    )


def cut_copy(network: nn.Module, cut: Cut) -> nn.Module:
    """`network` cut, as a copy; one of the catalog with the architecture that belongs to it.

    Raises UserError where the cut does not fit the network.
    """
    narrow = copy.deepcopy(network)
    cut_network(narrow, cut)
    if not isinstance(narrow, Network):
        return narrow
    rebuilt = Network(architecture_as_built(narrow))
    misfit = first_misfit(rebuilt, narrow.state_dict())
    if misfit is not None:
        raise UserError(
            "the recorded cut does not fit the network", f"behind it {misfit}", "the record of the cut from a copy"
        )
    rebuilt.load_state_dict(narrow.state_dict())
    return rebuilt.train(network.training)


def cut_for(channels: Channels, shapes: dict[str, tuple[int, ...]], kept: Kept) -> Cut:
    """The classes kept, told as the positions that stay of every tensor."""
    keep: dict[str, list[str | None]] = {}
    rows: dict[str, int] = {}
    for (name, axis), classes in channels.links.items():
        staying = stays(classes, kept)
        if not staying.all():
            axes = keep.setdefault(name, [None] * len(shapes[name]))
            axes[axis] = ranges(np.flatnonzero(staying).tolist())
            if axis == 0:
                rows[name] = int(staying.sum())
    groups = {
        each.module: rows[each.weight] // each.outputs_a_group for each in channels.groupings if each.weight in rows
    }
    return Cut(keep={name: tuple(axes) for name, axes in keep.items()}, groups=groups)


def _costs(network: nn.Module, channels: Channels) -> Costs:
    return Costs(channels, {name: tuple(value.shape) for name, value in tensors_of(network).items()})


def _attempt(network: nn.Module, channels: Channels, kept: Kept, images: Tensor) -> Pruned | str:
    """Cut a copy and prove it; where that fails, why."""
    costs, everything = _costs(network, channels), np.ones(channels.count, bool)
    cut = cut_for(channels, costs.shapes, kept)
    try:
        narrow = cut_copy(network, cut)
        proof = proven(zeroed(network, channels, kept), narrow, images)
    except Exception as error:  # whatever a user's code raises where a shape is not what it expects
        return f"{type(error).__name__}: {error}".splitlines()[0]
    if not proof.holds:
        return f"its answers differ by {proof.difference:.2g} of the largest"
    macs = costs.macs(everything), costs.macs(kept)
    parameters = _parameters(network), _parameters(narrow)
    if not kept.all() and not (macs[1] < macs[0] and parameters[1] < parameters[0]):
        return "nothing became smaller"
    widths = tuple(
        Width(name, len(classes), int(stays(classes, kept).sum())) for name, classes in channels.layers.items()
    )
    held = tuple(each for each in channels.held if each.reason != ANSWERS)
    return Pruned(narrow, cut, widths, held, macs, parameters, proof)


def _stubborn_layers(network: nn.Module, channels: Channels, images: Tensor) -> dict[str, str]:
    """The layers whose code does not follow when their region alone is cut, and the line that does not."""
    found: dict[str, str] = {}
    shapes = _costs(network, channels).shapes
    for region in channels.regions:
        if len(region.classes) < 2:
            continue
        kept = np.ones(channels.count, bool)
        kept[region.classes[: max(1, len(region.classes) // 4)]] = False
        failed = _attempt(network, channels, kept, images)
        if isinstance(failed, Pruned):
            continue
        narrow = copy.deepcopy(network)
        cut_network(narrow, cut_for(channels, shapes, kept))
        line = stubborn_line(network, narrow, images)
        inside = [name for name, classes in channels.layers.items() if np.isin(classes, region.classes).any()]
        why = f"its code does not follow a cut: {line}" if line else f"its cut is not exact: {failed}"
        found.update(dict.fromkeys(inside, why))
    return found


def _parameters(network: nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())
