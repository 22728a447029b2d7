"""The schemas of a comparison's folder: `config.json` and `comparison.json`."""

from typing import Literal

from econet.runs.artifact_records import Benchmark, Evaluation, Export, Precision
from econet.runs.check_records import CheckSummary
from econet.runs.choices import Augment, OptimizerName, ScheduleName
from econet.runs.difference import Difference
from econet.runs.ledger_records import LedgerStep
from econet.runs.record import SCHEMA, Record
from econet.runs.records import DataConfig

Verdict = Literal["yes", "no", "undecided"]


class SideTraining(Record, frozen=True, kw_only=True):
    """What one side's training cost."""

    seconds: float
    epochs: int
    images: int
    still_improving: bool


class Side(Record, frozen=True, kw_only=True):
    """One row of a comparison: an artifact with its records whole."""

    role: Literal["baseline", "candidate", "teacher"]
    precision: Precision
    name: str
    run: str | None
    artifact: str
    evaluation: Evaluation
    benchmark: Benchmark
    export: Export | None
    training: SideTraining | None


class Ratios(Record, frozen=True, kw_only=True):
    """Candidate over baseline: below 1 is smaller or faster. `latency_range` is over the rounds."""

    macs: float | None
    parameters: float
    bytes: float
    latency: float
    latency_range: tuple[float, float]
    cpu: float


class Step(Record, frozen=True, kw_only=True):
    """One step of a comparison's story."""

    name: str
    seconds: float


class ComparisonSeconds(Record, frozen=True, kw_only=True):
    """All training together, and everything."""

    training: float
    total: float


class Repeat(Record, frozen=True, kw_only=True):
    """One seed of `--seeds N`, or one `fold` (from 0) of `--folds K`: its folder and its answer."""

    folder: str
    seed: int
    difference: Difference
    verdict: Verdict
    fold: int | None = None


class ComparisonConfig(Record, frozen=True, kw_only=True):
    """A comparison's `config.json`: what was asked and the plan, written first."""

    schema: int = SCHEMA
    created: str
    command: str
    econet: str
    data: DataConfig
    baseline: str
    candidate: str
    teacher: str
    width: float | None
    time_s: float | None
    epochs: int | None
    margin: float
    provable_margin: float
    proof: Literal["validation", "test"]
    augment: Augment
    batch_size: int | None = None
    optimizer: OptimizerName | None = None
    schedule: ScheduleName = "one-cycle"
    lr: float | None = None
    deterministic: bool
    device: str
    threads: int | None
    seed: int
    seeds: int
    folds: int | None = None


class Comparison(Record, frozen=True, kw_only=True):
    """`comparison.json`: the sides, the paired difference and the verdict; `ledger` tells what each step cost.

    With `folds` the difference and every accuracy are over all pictures, each judged by the networks of its own fold.
    """

    schema: int = SCHEMA
    created: str
    command: str
    econet: str
    seed: int
    data: DataConfig
    proof: Literal["validation", "test"]
    margin: float
    provable_margin: float
    margin_for_yes: float
    sides: tuple[Side, ...]
    difference: Difference
    ratios: Ratios
    ratios_same_precision: Ratios | None
    verdict: Verdict
    reason: str
    steps: tuple[Step, ...]
    ledger: tuple[LedgerStep, ...] = ()
    repeats: tuple[Repeat, ...]
    seconds: ComparisonSeconds
    test_reads: int
    warnings: tuple[str, ...]
    folds: int | None = None
    check: CheckSummary | None = None
