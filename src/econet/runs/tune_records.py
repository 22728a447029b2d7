"""The schemas of a search over hyper-parameters: `tuning.json` in the run folder it was made for."""

from typing import Literal

from econet.runs.choices import Augment, OptimizerName
from econet.runs.record import SCHEMA, Record


class HyperParameters(Record, frozen=True, kw_only=True):
    """What is searched: the peak rate, the pull of weights to zero, the variation of images, smoothing of labels."""

    lr: float
    weight_decay: float
    label_smoothing: float
    augment: Augment


class TuneTrial(Record, frozen=True, kw_only=True):
    """One training that was tried: its best validation accuracy so far, None where it failed at once."""

    number: int
    settings: HyperParameters
    outcome: Literal["trained", "stopped early", "failed"]
    accuracy: float | None
    epochs: int
    seconds: float
    fault: str | None = None


class Tuning(Record, frozen=True, kw_only=True):
    """`tuning.json`: what was tried, by what share of the training's length, and what the run then trained with."""

    schema: int = SCHEMA
    model: str
    optimizer: OptimizerName
    share: float
    trials: tuple[TuneTrial, ...]
    chosen: HyperParameters
    validation_images: int
    seconds: float
