"""The schemas of a claim's result (`recipes/results/claims/<claim>/claim.json`) and of one run that went into it."""

from typing import Literal

from econet.runs.record import SCHEMA, Record

Label = Literal["reproduced", "not reproduced", "inconclusive", "not run here (needs ImageNet)"]

# Points are hundredths of a share of images; `times` is a ratio of the two sides.
Unit = Literal["points", "nats", "times", "colourfulness"]


class Said(Record, frozen=True, kw_only=True):
    """What the paper says: its figure (None where it gives none), the figure's unit, and where it stands."""

    text: str
    value: float | None = None
    unit: str = ""
    where: str


class Outcome(Record, frozen=True, kw_only=True):
    """`outcome.json` of one training of one arm: everything measured on it, by the measure's name."""

    schema: int = SCHEMA
    arm: str
    seed: int
    measures: dict[str, float]
    epochs: int
    seconds: float
    stopped_by: str


class Ran(Record, frozen=True, kw_only=True):
    """What was run for a claim: data, network, length, seconds of all trainings together, seeds, arms.

    `improving` of the trainings that ran their whole plan still gained in its last tenth, although the rate falls to
    nothing there; None in records of before.
    """

    data: str
    network: str
    epochs: int
    seconds: float
    seeds: tuple[int, ...]
    arms: tuple[str, ...]
    machine: str
    improving: int | None = None


class ClaimRecord(Record, frozen=True, kw_only=True):
    """`claim.json`: the paper's figure, every seed's value of every arm, the effect, and what it amounts to.

    `effect` is the last arm against the first, in `unit`; `interval` holds 95 %, over seeds. `detectable_effect` is
    the smallest true effect that this many seeds would have shown in four cases of five. All three are None where
    nothing was run, or too few seeds. `scaled_down`: not the paper's own experiment, whatever the label says.
    """

    schema: int = SCHEMA
    claim: str
    title: str
    paper: Said
    scaled_down: bool
    beyond_paper: bool
    ran: Ran | None
    measure: str
    values: dict[str, tuple[float, ...]]
    effect: float | None
    interval: tuple[float, float] | None
    detectable_effect: float | None
    unit: Unit
    label: Label
    stopped_by: str
    notes: str
