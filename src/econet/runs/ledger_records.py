"""The schema of `ledger.json`: what every step from one network to the file that ships cost and bought."""

from typing import Literal

from econet.runs.difference import Difference
from econet.runs.record import SCHEMA, Record

Kind = Literal["trained", "distilled", "pruned", "quantized", "int8"]


class ClassLoss(Record, frozen=True, kw_only=True):
    """The paired difference of one class, after minus before."""

    name: str
    difference: Difference


class Loss(Record, frozen=True, kw_only=True):
    """Two files' answers on the same images, after minus before.

    `lost` are the rows that were right before and are wrong now, `gained` the other way round; `changed` counts every
    answer that is another one, wrong ones that became other wrong ones included. `ece` and `nll` are (before, after).
    """

    difference: Difference
    classes: tuple[ClassLoss, ...]
    ece: tuple[float, float]
    nll: tuple[float, float]
    changed: int
    lost: tuple[int, ...]
    gained: tuple[int, ...]


class LayerCost(Record, frozen=True, kw_only=True):
    """What a step costs on validation images when it is taken in this layer alone, nats of cross-entropy beside it."""

    layer: str
    accuracy_lost: float
    cross_entropy_rise: float


class LedgerStep(Record, frozen=True, kw_only=True):
    """One step: from the file `before` to the file `after`, named as seen from the ledger's folder.

    `bytes`, `macs` and `latency_ms` (p50) are (before, after); `layers` begins with the one that cost most and is empty
    where a step changed more than layers.
    """

    kind: Kind
    name: str
    before: str
    after: str
    loss: Loss
    bytes: tuple[int, int]
    macs: tuple[int | None, int | None]
    latency_ms: tuple[float, float]
    layers: tuple[LayerCost, ...]


class Remedy(Record, frozen=True, kw_only=True):
    """A way to make the int8 file, and what it reaches on validation images; `bought` is against the plain way.

    `not_tried` says why there are no figures, and the command that would bring them.
    """

    name: str
    accuracy: float | None
    cross_entropy: float | None
    bought: float | None
    chosen: bool
    not_tried: str | None = None


class LedgerData(Record, frozen=True, kw_only=True):
    """The images of the proof, and how many validation images chose among the remedies."""

    name: str
    fingerprint: str
    split: Literal["test", "validation"]
    images: int
    validation_images: int


class Ledger(Record, frozen=True, kw_only=True):
    """`ledger.json`. The differences of `steps` add up to `whole`; nothing in it was chosen on the proof's images."""

    schema: int = SCHEMA
    created: str
    command: str
    econet: str
    data: LedgerData
    steps: tuple[LedgerStep, ...]
    whole: Loss
    remedies: tuple[Remedy, ...]
    test_reads: int
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
