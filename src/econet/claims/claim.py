"""What a claim is: what the paper says, which arms are trained, what is measured, and what counts as its effect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from econet.runs.claim_records import Said, Unit


@dataclass(frozen=True, slots=True)
class Scale:
    """What every arm of an experiment shares: data, crops, network, and how it is trained.

    `settings` are those of a training (its epochs, optimizer, rate and so on). `share` is the part of the training
    images used; `stop_at` ends a training as soon as an epoch's training accuracy reaches it.
    """

    name: str
    data: str
    model: str
    image_size: int | None
    crop_from: int | None
    settings: Mapping[str, Any]
    stop_at: float | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train: what differs from the scale. Arms of one name and scale are trained once for all claims.

    `rates`: the learning rates tried on a seed of its own before the others; the one with the best measure on it is
    kept.
    """

    name: str
    model: str | None = None
    switches: Mapping[str, Any] = field(default_factory=dict[str, Any])
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    share: float = 1.0
    rates: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim. The effect is the last arm's measure against the first's; `better` tells which sign is the claim.

    `measure` names one of `claims.measures`; with `second_measure` both are taken of one arm and compared
    (`ensemble_error`: of all seeds' answers averaged). The unit `times` makes the effect a ratio, any other a
    difference. `beyond_paper`: asked by its readers, not said in it. `full_size`: with the paper's own data the same
    arms can be trained at its own size. Without arms the claim is quoted only.
    """

    name: str
    title: str
    said: Said
    arms: tuple[Arm, ...] = ()
    scale: Scale | None = None
    measure: str = "test_error"
    second_measure: str | None = None
    unit: Unit = "points"
    better: Literal["higher", "lower"] = "lower"
    beyond_paper: bool = False
    full_size: bool = True
    notes: str = ""
