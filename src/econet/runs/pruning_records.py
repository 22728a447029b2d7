"""The schema of `pruning.json`: what a pruned run took from its parent, and the proof that it took it right."""

from typing import Annotated

import msgspec

from econet.runs.choices import Importance
from econet.runs.record import SCHEMA, Record

# No network is larger, and shares can still be told.
Size = Annotated[int, msgspec.Meta(ge=1, le=10**15)]


class Sizes(Record, frozen=True, kw_only=True):
    """MACs of one image, parameters, and bytes of `weights.safetensors`."""

    macs: Size
    parameters: Size
    bytes: Size


class Shares(Record, frozen=True, kw_only=True):
    """Shares taken away, of MACs, of parameters and of bytes; a figure below 0 is growth."""

    macs: float
    parameters: float
    bytes: float


class LayerWidth(Record, frozen=True, kw_only=True):
    """The channels of one layer in the origin and now."""

    layer: str
    before: int
    after: int


class HeldLayer(Record, frozen=True, kw_only=True):
    """A layer of which `channels` of `of` cannot be cut, and why."""

    layer: str
    channels: int
    of: int
    reason: str


class CutProof(Record, frozen=True, kw_only=True):
    """The pruned network against its parent with the removed channels at zero, on `images` training images.

    `max_difference` is that of the answers, as a share of the largest answer, in numbers of `number_type`.
    """

    max_difference: float
    images: int
    number_type: str


class Pruning(Record, frozen=True, kw_only=True):
    """`pruning.json`. `before` and `after` are parent and run; `removed` is measured against the `origin`.

    `ratio` was asked of the origin's MACs, and `target` is the share of them that this of `iterations` is to reach.
    `keep` and `groups` are the cut: the positions that stay of every tensor that shrank, axis by axis.
    `asked_widths` are the layers whose channels were asked for by name. `lrn_factors`: the constants that took the
    place of the normalisations that were dropped; None where none was. `mean_dropped`: an offset took the mean image's.
    `dropout`: the probability that dropout layers were given; None where they stayed as they were.
    """

    schema: int = SCHEMA
    parent: str
    parent_weights_sha256: str
    origin: str
    ratio: float
    importance: Importance
    iteration: int
    iterations: int
    target: float
    before: Sizes
    after: Sizes
    origin_sizes: Sizes
    removed: Shares
    layers: tuple[LayerWidth, ...]
    held: tuple[HeldLayer, ...]
    proof: CutProof
    keep: dict[str, tuple[str | None, ...]]
    groups: dict[str, int]
    asked_widths: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    lrn_factors: tuple[float, ...] | None = None
    mean_dropped: bool = False
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] | None = None
