"""The schemas of a budget search's folder: `config.json`, `search.json`, `point.json` and `shrink.json`."""

from typing import Literal

from econet.runs.artifact_records import Benchmark, Evaluation, Export, Precision
from econet.runs.choices import Augment
from econet.runs.comparison_records import Verdict
from econet.runs.difference import Difference
from econet.runs.record import SCHEMA, Record
from econet.runs.records import DataConfig

# What a file costs, each of which may have a budget; the first one that has is the objective's cost.
CostName = Literal["latency_ms", "bytes", "macs", "energy_mj"]
Stage = Literal["trial", "finalist", "final"]
Outcome = Literal["trained", "stopped early", "over budget", "failed"]


class Budgets(Record, frozen=True, kw_only=True):
    """The limits a user states; None where none was. KB are 1,000 bytes, latency is p50 at batch 1 on one thread.

    `max_drop` is the loss of accuracy against the subject that is accepted.
    """

    max_latency_ms: float | None = None
    max_kb: float | None = None
    max_macs: int | None = None
    max_energy_mj: float | None = None
    max_drop: float | None = None


class ShrinkConfig(Record, frozen=True, kw_only=True):
    """A search's `config.json`: what was asked, written first.

    `subject` is the run that is to be shrunk, as seen from this folder; for DATA it is the `baseline` trained here.
    `teacher` is `subject`, `none`, or a run as seen from this folder.
    """

    schema: int = SCHEMA
    created: str
    command: str
    econet: str
    data: DataConfig
    subject: str
    baseline: str | None
    teacher: str
    budgets: Budgets
    trials: int
    time_s: float | None
    epochs: int | None
    augment: Augment
    batch_size: int | None
    proof: Literal["test", "validation"]
    deterministic: bool
    skip_bad: bool
    seed: int


class SearchPlan(Record, frozen=True, kw_only=True):
    """`search.json`: what was measured and fixed before the first trial, and is replayed by every resume.

    `cost` is the cost that the front is drawn over. `yardstick_ms` is the yardstick file's latency on the quiet
    machine. Trials train `trial_epochs`, finalists `finalist_epochs` more; `trial_seconds` is the wall time that all
    trials together may take (None: as many as were asked). Accuracy is the subject's file's on validation.
    """

    schema: int = SCHEMA
    cost: CostName
    sides: tuple[int, ...]
    yardstick_ms: float
    subject_accuracy: float
    subject_bytes: int
    trial_epochs: int
    finalist_epochs: int
    trial_seconds: float | None
    finalists: int


class FileCost(Record, frozen=True, kw_only=True):
    """What one file costs; None where it was not measured. `busy`: the machine was, so the latency is from a ratio."""

    precision: Precision
    bytes: int
    macs: int
    parameters: int
    latency_ms: float | None
    energy_mj: float | None
    busy: bool = False


class TrialPoint(Record, frozen=True, kw_only=True):
    """One network that was looked at: the point, what its file costs, how accurate it is and how far over budget.

    `over` holds for every budget that is broken the share of it that is too much (0.2: a fifth). `accuracy` is on
    validation images: of the network for a trial, of the file from a finalist on. `epochs` are those of training.
    """

    schema: int = SCHEMA
    number: int
    stage: Stage
    outcome: Outcome
    point: dict[str, str | int]
    network: str
    side: int
    cost: FileCost | None
    over: dict[str, float]
    accuracy: float | None
    epochs: int
    seconds: float
    fault: str | None = None


class Kept(Record, frozen=True, kw_only=True):
    """One budget against the file: what was allowed, what was found, and whether it is kept."""

    name: str
    allowed: float
    found: float
    kept: bool


class FreshLatency(Record, frozen=True, kw_only=True):
    """p50 of one picture in fresh processes, in ms: this file's, the subject's and the yardstick's, interleaved."""

    processes_ms: tuple[float, ...]
    median_ms: float
    subject_ms: tuple[float, ...]
    yardstick_ms: tuple[float, ...]


class Proof(Record, frozen=True, kw_only=True):
    """The chosen file, proven: every budget on the file itself, the drop once on images that chose nothing.

    `verdict` is at the accepted drop, None where none was stated. `drop_validation` is what the search saw.
    """

    run: str
    artifact: str
    network: str
    precision: Precision
    export: Export
    evaluation: Evaluation
    benchmark: Benchmark
    latency: FreshLatency
    budgets: tuple[Kept, ...]
    drop_validation: float
    difference: Difference
    verdict: Verdict | None
    reason: str


class Reachable(Record, frozen=True, kw_only=True):
    """An impossible budget: the nearest point, and the least of each cost that was seen at all."""

    nearest: TrialPoint
    least: dict[str, float]


class Shrink(Record, frozen=True, kw_only=True):
    """`shrink.json`: what was searched, the front, and the proof of the file that is handed over.

    `subject_accuracy` is the subject's file's on validation. `kept` is the answer: every stated budget is kept.
    `front` holds indices into `points`, cheapest first. `seconds` are those of all trainings together.
    """

    schema: int = SCHEMA
    created: str
    command: str
    econet: str
    seed: int
    data: DataConfig
    subject: str
    subject_name: str
    subject_evaluation: Evaluation | None
    subject_benchmark: Benchmark | None
    subject_accuracy: float | None
    budgets: Budgets
    cost: CostName
    points: tuple[TrialPoint, ...]
    front: tuple[int, ...]
    proof: Proof | None
    reachable: Reachable | None
    kept: bool
    reason: str
    seconds: float
    test_reads: int
    warnings: tuple[str, ...] = ()
