"""What a cut cost where: of all channels that left a network, those of one place at a time are set to zero."""

import numpy as np
from torch import Tensor, nn

from econet.compression.channels import Channels, settled
from econet.compression.cut_proof import zeroed
from econet.compression.label_run import label_run
from econet.compression.sensitivity import Score
from econet.compression.tracing import traced
from econet.compression.widths import Kept
from econet.models.cuts import Cut, positions
from econet.runs.sensitivity_records import Cost


def cut_costs(network: nn.Module, cut: Cut, images: Tensor, score: Score) -> list[tuple[str, Cost]]:
    """For each place where `cut` took channels from `network`: its widest layer, and the score without those alone.

    Layers that can only be cut together, as the two sides of a sum, are one place. `images` [N, C, H, W], at least 2,
    are what torch follows the network on. The network is not changed.
    """
    channels = settled(label_run(traced(network, images[:2])))
    kept = _kept(channels, cut)
    costs: list[tuple[str, Cost]] = []
    for region in channels.regions:
        gone = region.classes[~kept[region.classes]]
        if len(gone):
            alone = np.ones(channels.count, bool)
            alone[gone] = False
            costs.append((region.widest, score(zeroed(network, channels, alone))))
    return costs


def _kept(channels: Channels, cut: Cut) -> Kept:
    """The classes of channels that a recorded cut left in place."""
    kept = np.ones(channels.count, bool)
    for (name, axis), classes in channels.links.items():
        text = cut.keep[name][axis] if name in cut.keep else None
        if text is not None:
            gone = np.delete(classes, positions(text))
            kept[gone[gone >= 0]] = False
    return kept
