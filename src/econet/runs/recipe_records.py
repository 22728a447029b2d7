"""The schemas of a recipe (`recipes/<name>.toml`) and of one seed's result (`recipes/results/<name>/seed-<N>.json`)."""

from typing import Literal

from econet.runs.artifact_records import Benchmark, Evaluation, Export
from econet.runs.recipe_steps import AnyStep
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


class Recipe(Record, frozen=True, kw_only=True):
    """A committed file that reproduces a published result. The last step's run gives the artifact.

    Of the pictures of `others`, other sources, is measured how many the artifact notices as none of its classes.
    """

    title: str
    data: str
    split: RecipeSplit
    image_size: int | None = None
    crop_from: int | None = None
    steps: tuple[AnyStep, ...]
    seeds: tuple[int, ...]
    precision: Literal["fp32", "int8"]
    promised: RecipePromise
    budget: RecipeBudget = RecipeBudget()
    hardware: str
    hours: float
    zoo: str | None = None
    others: tuple[str, ...] = ()


class Versions(Record, frozen=True, kw_only=True):
    """The software that made a result."""

    econet: str
    python: str
    torch: str
    onnxruntime: str


class RecipeResult(Record, frozen=True, kw_only=True):
    """One seed's outcome, written by the program's own hand: every file's records, without predictions.

    `hours` are those of all its steps, `training` is the last one's.
    """

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
