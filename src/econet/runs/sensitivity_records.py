"""The schema of `sensitivity.json`: what each layer of a network costs when it alone is quantized or pruned."""

from typing import Literal

from econet.runs.record import SCHEMA, Record


class Cost(Record, frozen=True, kw_only=True):
    """What a variant of the network reaches on the validation images; `cross_entropy` in nats."""

    accuracy: float
    cross_entropy: float


class PrunedCost(Record, frozen=True, kw_only=True):
    """The network with the weakest of one layer's output channels at zero, and how many of them that are."""

    removed_fraction: float
    removed_channels: int
    accuracy: float
    cross_entropy: float


class LayerSensitivity(Record, frozen=True, kw_only=True):
    """One layer with weights. `shape` is its weight's; a figure is None where the layer cannot be changed so."""

    layer: str
    operator: str
    shape: tuple[int, ...]
    only_int8: Cost | None
    all_but_int8: Cost | None
    pruned: tuple[PrunedCost, ...]


class SensitivityData(Record, frozen=True, kw_only=True):
    """Which images the figures were taken on, and how many training images set the ranges."""

    name: str
    fingerprint: str
    split: Literal["validation"]
    images: int
    calibration_images: int


class Sensitivity(Record, frozen=True, kw_only=True):
    """`sensitivity.json`. `unchanged` is the network in float, `int8` all of it quantized; layers as they run."""

    schema: int = SCHEMA
    model: str
    data: SensitivityData
    unchanged: Cost
    int8: Cost
    layers: tuple[LayerSensitivity, ...]
    worst: str | None
    sentence: str
