"""The schemas of a recipe (`recipes/<name>.toml`) and of one seed's result (`recipes/results/<name>/seed-<N>.json`)."""

from typing import Any, Literal

import msgspec

from econet.runs.artifact_records import Benchmark, Evaluation, Export
from econet.runs.choices import Augment, ColourNoise, DistilLoss, OptimizerName, ScheduleName
from econet.runs.record import SCHEMA, Record
from econet.runs.records import Finished


class RecipeSplit(Record, frozen=True, kw_only=True):
    """How the training data are split: the same for every seed, so that seeds differ by training luck alone."""

    validation: float
    seed: int


class RecipeBudget(Record, frozen=True, kw_only=True):
    """Limits the artifact keeps; None where a recipe sets none."""

    parameters: int | None = None
    macs: int | None = None
    bytes: int | None = None


class RecipePromise(Record, frozen=True, kw_only=True):
    """What the mean over the seeds and the shipped file both reach."""

    accuracy: float


class RecipeStep(Record, frozen=True, kw_only=True):
    """One training of a recipe, in the folder `run`.

    `teacher` is `recipe:<name>#<seed>`, or several of that form which teach together; None teaches itself.
    """

    do: Literal["train", "distil"]
    run: str
    model: str
    epochs: int
    width: float | None = None
    switches: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    batch_size: int | None = None
    optimizer: OptimizerName | None = None
    schedule: ScheduleName = "one-cycle"
    schedule_marks: tuple[float, ...] | None = None
    lr: float | None = None
    bias_lr: float | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    ema: float | None = None
    augment: Augment | None = None
    colour_noise: ColourNoise | None = None
    crop_chunk: int = 1
    mixup: float | None = None
    cutmix: float | None = None
    teacher: str | tuple[str, ...] | None = None
    distil: DistilLoss = "kl"
    temperature: float = 3.0
    teacher_weight: float = 0.7
    match_features: float | None = None
    teacher_views: int | None = None


class Recipe(Record, frozen=True, kw_only=True):
    """A committed file that reproduces a published result. The last step's run gives the artifact."""

    title: str
    data: str
    split: RecipeSplit
    image_size: int | None = None
    crop_from: int | None = None
    steps: tuple[RecipeStep, ...]
    seeds: tuple[int, ...]
    precision: Literal["fp32", "int8"]
    promised: RecipePromise
    budget: RecipeBudget = RecipeBudget()
    hardware: str
    hours: float
    zoo: str | None = None


class Versions(Record, frozen=True, kw_only=True):
    """The software that made a result."""

    econet: str
    python: str
    torch: str
    onnxruntime: str


class RecipeResult(Record, frozen=True, kw_only=True):
    """One seed's outcome, written by the program's own hand: every file's records, without predictions."""

    schema: int = SCHEMA
    recipe: str
    seed: int
    precision: Literal["fp32", "int8"]
    git: str | None
    versions: Versions
    started: str
    hours: float
    hardware: str
    threads: int
    training: Finished
    exports: tuple[Export, ...]
    evaluations: tuple[Evaluation, ...]
    benchmarks: tuple[Benchmark, ...]
