"""The schemas of the files beside an artifact: export, evaluation and benchmark."""

from typing import Literal

import msgspec

from econet.images.views import Views
from econet.runs.choices import Format, OtherRuntime, RuntimeName
from econet.runs.confidence_records import Confidence, ConfidenceFound
from econet.runs.record import SCHEMA, Record

Precision = Literal["fp32", "int8"]


class Parity(Record, frozen=True, kw_only=True):
    """Same answers before and after export, on stored images and on the user's original files.

    Of a network with fake quantization also in output steps (1/255 of the logits' range): the largest difference, the
    share of images with no logit more than one step apart, and the share of logits that round to the very same step.
    """

    images: int
    files: int
    top1_agreement: float
    max_logit_difference: float
    passed: bool
    largest_steps: float | None = None
    within_a_step: float | None = None
    equal_steps: float | None = None


class ValidationAccuracy(Record, frozen=True, kw_only=True):
    """Validation accuracy of the network in torch and of the file."""

    network: float = msgspec.field(name="float")
    artifact: float


class ProvenIn(Record, frozen=True, kw_only=True):
    """The same proof in another runtime than the format's own."""

    runtime: OtherRuntime
    version: str
    parity: Parity


class Export(Record, frozen=True, kw_only=True):
    """`<artifact>.export.json`.

    A format of several files lists them in `files`, the one to open first; `bytes` is then their sum (of a C array the
    bytes that it holds), and `sha256` that of their contents, one after the other. `confidence` is what the file holds.
    """

    schema: int = SCHEMA
    file: str
    format: Format
    bytes: int
    sha256: str
    precision: Precision
    parity: Parity
    accuracy_validation: ValidationAccuracy
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    proven_in: tuple[ProvenIn, ...] = ()
    confidence: Confidence | None = None


class EvaluatedData(Record, frozen=True, kw_only=True):
    """Which images an evaluation read."""

    name: str
    fingerprint: str
    split: Literal["validation", "test"]
    images: int


class ClassAccuracy(Record, frozen=True, kw_only=True):
    """One class's share of right answers; `accuracy` is None where the split has no image of it."""

    name: str = msgspec.field(name="class")
    images: int
    accuracy: float | None


class ReliabilityBin(Record, frozen=True, kw_only=True):
    """One of 15 equal-mass bins: mean confidence, share of right answers."""

    confidence: float
    accuracy: float
    images: int


class TorchAgreement(Record, frozen=True, kw_only=True):
    """The file against the network in torch on the same images, in the same read."""

    images: int
    top1_agreement: float
    max_logit_difference: float


class Member(Record, frozen=True, kw_only=True):
    """One file of an ensemble: where it lies from the record, its weight, its accuracy alone on the same images."""

    file: str
    sha256: str
    weight: float
    accuracy: float


class WeightSearch(Record, frozen=True, kw_only=True):
    """The validation images that chose an ensemble's weights; its accuracy there, and with equal weights instead."""

    images: int
    accuracy: float
    accuracy_equal: float


class Ensemble(Record, frozen=True, kw_only=True):
    """How the probabilities of several files were averaged; the weights sum to 1. `search` is None for equal ones."""

    weighting: Literal["equal", "tuned"]
    members: tuple[Member, ...]
    search: WeightSearch | None


class Evaluation(Record, frozen=True, kw_only=True):
    """`<artifact>.evaluation.json`: accuracy of a file, with a Wilson interval at 95 %.

    Of another `runtime` than the format's own it is `<artifact>.<runtime>.evaluation.json`.

    An answer is the largest logit; of ten `views`, or of an `ensemble`, the largest averaged probability. Of equal ones
    it is the first: a file gives one answer. `accuracy_ties_shared` counts such an image in part, as the 2012 code did.
    `runtime` answered; None where no file did, or several. `nll`, `ece` and `reliability` are those of the
    probabilities a user sees, with the temperature of a file that has one; `confidence` has them without it, and is
    there for test images and the centre alone.
    """

    schema: int = SCHEMA
    subject: str
    precision: Precision
    data: EvaluatedData
    accuracy: float
    accuracy_interval: tuple[float, float]
    top5_accuracy: float | None
    per_class: tuple[ClassAccuracy, ...]
    confusion: tuple[tuple[int, ...], ...]
    nll: float
    ece: float
    reliability: tuple[ReliabilityBin, ...]
    torch_agreement: TorchAgreement | None
    predictions_sha256: str
    test_reads: int
    seconds: float
    views: Views = "centre"
    runtime: RuntimeName | None = None
    accuracy_ties_shared: float | None = None
    ensemble: Ensemble | None = None
    confidence: ConfidenceFound | None = None


class Runtime(Record, frozen=True, kw_only=True):
    """Which engine ran a file, and how."""

    name: str
    version: str
    threads: int
    spinning: bool


class Latency(Record, frozen=True, kw_only=True):
    """One image, batch 1: milliseconds over `rounds` interleaved rounds of `calls` calls."""

    p50: float
    p95: float
    mean: float
    rounds: int
    calls: int


class Machine(Record, frozen=True, kw_only=True):
    """The processor that took a measurement."""

    cpu: str
    cores: int
    features: tuple[str, ...]


class EnergyEstimate(Record, frozen=True, kw_only=True):
    """A range of millijoules for one image, and the model it comes from. Estimated, not measured."""

    low_mj: float
    high_mj: float
    model: str


class Benchmark(Record, frozen=True, kw_only=True):
    """`<artifact>.benchmark.json`; of another runtime than the format's own `<artifact>.<runtime>.benchmark.json`."""

    schema: int = SCHEMA
    subject: str
    precision: Precision
    parameters: int
    parameters_trained: int | None
    macs: int | None
    bytes: int
    runtime: Runtime
    latency_ms: Latency
    cpu_s_per_1000: float
    throughput_images_per_s: float
    peak_memory_mb: float
    energy_mj: float | None
    energy_method: str
    energy_estimate: EnergyEstimate | None
    machine: Machine
