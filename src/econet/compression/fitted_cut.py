"""A trained network cut again and again: to given widths, or to those that its own weights ask for.

In every layer its most important channels stay. What belongs together is found once, from the network's own
operations, and serves every cut.
"""

import copy

import numpy as np
import torch

from econet.compression.channels import Region, Role, settled
from econet.compression.importance import scores
from econet.compression.label_run import label_run
from econet.compression.pruning import cut_copy, cut_for
from econet.compression.tracing import traced
from econet.compression.widths import Costs, Kept, chosen
from econet.errors import UserError
from econet.models.architecture import Architecture
from econet.models.cuts import tensors_of
from econet.models.network import Network


class Cutter:
    """Cuts copies of `network`, which is not changed; channels are ranked by the size of their weights."""

    def __init__(self, network: Network) -> None:
        self._whole = copy.deepcopy(network).to("cpu").eval()
        self._channels = settled(label_run(traced(self._whole, torch.zeros(2, *network.architecture.input))))
        self._values = scores("magnitude", self._whole, self._channels)
        self._shapes = {name: tuple(value.shape) for name, value in tensors_of(self._whole).items()}

    @property
    def architecture(self) -> Architecture:
        """That of the whole network."""
        return self._whole.architecture

    def fitted(self, architecture: Architecture) -> Network:
        """A copy as wide as `architecture`, which has the same layers.

        Raises UserError where these widths cannot be cut out of it, as with a normalisation over neighbouring channels.
        """
        with torch.device("meta"):
            target = Network(architecture)
        wanted = {name: tuple(value.shape) for name, value in tensors_of(target).items()}
        kept = np.ones(self._channels.count, bool)
        for region in self._channels.regions:
            ranked = region.classes[np.argsort(-self._values[region.classes], kind="stable")]
            kept[ranked[self._count(region, wanted) :]] = False
        narrow = self._cut(kept)
        if {name: tuple(value.shape) for name, value in tensors_of(narrow).items()} != wanted:
            raise self._unfit("channels that belong together would need different ones")
        return narrow

    def pruned(self, removed_fraction: float) -> Architecture:
        """The widths left when about `removed_fraction` of the MACs go, wherever in the network they matter least.

        Raises UserError where so much cannot go.
        """
        return self._cut(chosen(Costs(self._channels, self._shapes), self._values, removed_fraction)).architecture

    def _cut(self, kept: Kept) -> Network:
        narrow = cut_copy(self._whole, cut_for(self._channels, self._shapes, kept))
        if not isinstance(narrow, Network):
            raise TypeError(f"a {type(narrow).__name__} was cut out of a network of the catalog")
        return narrow

    def _count(self, region: Region, wanted: dict[str, tuple[int, ...]]) -> int:
        """How many classes of `region` stay for its widest layer to have exactly the wanted width."""
        weight = f"{region.widest}.weight"
        axis = next(
            axis for (name, axis), roles in self._channels.roles.items() if name == weight and Role.ROW in roles
        )
        width = wanted[weight][axis]
        count, rest = divmod(width - region.held, region.channels_a_class)
        if rest or not 1 <= count <= len(region.classes):
            held = f", and {region.held} channels stay" if region.held else ""
            raise self._unfit(
                f"{region.widest} cannot be {width} wide: its channels leave {region.channels_a_class} at a time{held}"
            )
        return count

    def _unfit(self, why: str) -> UserError:
        name = self._whole.architecture.name
        return UserError(f"{name} cannot be cut to these widths", why, "econet prune, which chooses widths that fit")
