"""A trained network cut to given widths: in every layer its most important channels stay."""

import copy

import numpy as np
import torch

from econet.compression.channels import Channels, Region, Role, settled
from econet.compression.importance import scores
from econet.compression.label_run import label_run
from econet.compression.pruning import cut_copy, cut_for
from econet.compression.tracing import traced
from econet.errors import UserError
from econet.models.architecture import Architecture
from econet.models.cuts import tensors_of
from econet.models.network import Network


def fitted_cut(network: Network, architecture: Architecture) -> Network:
    """A copy of `network` as wide as `architecture`, which has the same layers; where weights are largest they stay.

    Raises UserError where these widths cannot be cut out of it, as with a normalisation over neighbouring channels.
    """
    whole = copy.deepcopy(network).to("cpu").eval()
    channels = settled(label_run(traced(whole, torch.zeros(2, *architecture.input))))
    values = scores("magnitude", whole, channels)
    with torch.device("meta"):
        target = Network(architecture)
    wanted = {name: tuple(value.shape) for name, value in tensors_of(target).items()}
    kept = np.ones(channels.count, bool)
    for region in channels.regions:
        ranked = region.classes[np.argsort(-values[region.classes], kind="stable")]
        kept[ranked[_count(region, channels, wanted) :]] = False
    shapes = {name: tuple(value.shape) for name, value in tensors_of(whole).items()}
    narrow = cut_copy(whole, cut_for(channels, shapes, kept))
    found = {name: tuple(value.shape) for name, value in tensors_of(narrow).items()}
    if not isinstance(narrow, Network) or found != wanted:
        raise UserError(
            f"{architecture.name} cannot be cut to these widths",
            "channels that belong together would need different ones",
            "econet prune, which chooses widths that fit",
        )
    return narrow


def _count(region: Region, channels: Channels, wanted: dict[str, tuple[int, ...]]) -> int:
    """How many classes of `region` stay for its widest layer to have the wanted width."""
    weight = f"{region.widest}.weight"
    axis = next(axis for (name, axis), roles in channels.roles.items() if name == weight and Role.ROW in roles)
    return max(1, (wanted[weight][axis] - region.held) // region.channels_a_class)
