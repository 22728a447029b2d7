"""The sides of a comparison: a model to train, a run that was trained before, or a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from econet.data.dataset import Dataset
from econet.deployment.artifact_file import open_artifact
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.jobs.evaluate import class_order
from econet.jobs.run_data import check_same_data
from econet.models import architecture, catalog, cost
from econet.runs.artifact_records import Precision
from econet.runs.comparison_records import ComparisonConfig, SideTraining
from econet.runs.folder import Run, open_run

Role = Literal["baseline", "candidate", "teacher"]
# The candidate may cost this share of the baseline's computation, unless --width says otherwise.
MACS_SHARE = 0.1
# Families whose width is the user's to fit to a budget; a published network is taken as wide as it was published.
FITTED = ("econet",)


@dataclass(frozen=True, slots=True)
class Contender:
    """One side: a `model` to train here, or a finished `run`, or a `file`; exactly one is set."""

    role: Role
    model: str | None = None
    run: Run | None = None
    file: Path | None = None


def contender(role: Role, asked: str) -> Contender:
    """Tell a model's name, a run folder and a file apart by looking. Raises UserError where it is none of them."""
    path = Path(asked)
    if asked in catalog.CATALOG:  # a folder of that name is meant by ./NAME
        return Contender(role, model=asked)
    if path.is_dir():
        run = open_run(path)
        run.finished  # noqa: B018 - raises where training did not come to its end
        return Contender(role, run=run)
    if path.is_file():
        return Contender(role, file=path)
    if ":" in asked:
        return Contender(role, model=asked)
    if "/" in asked or path.suffix:
        raise UserError(f"--{role} {asked} does not exist", "it is no folder and no file", "check the path")
    raise catalog.unknown_model(asked)


@dataclass(frozen=True, slots=True)
class Lineup:
    """Who takes part: two sides, a teacher that is not the baseline (or None), and the candidate's width."""

    baseline: Contender
    candidate: Contender
    teacher: Contender | None
    width: float | None


def line_up(config: ComparisonConfig, dataset: Dataset) -> Lineup:
    """The sides that `config` names, each fit for these data. Raises UserError before hours are spent on one."""
    baseline, candidate = contender("baseline", config.baseline), contender("candidate", config.candidate)
    teacher = None if config.teacher in ("none", "baseline") else contender("teacher", config.teacher)
    if teacher is not None and teacher.file is not None:
        raise UserError(
            f"--teacher {config.teacher} cannot teach",
            "it is a file, and a teacher is asked in training",
            "a run folder, a model's name, baseline or none",
        )
    for side in (baseline, teacher):
        if side is not None:
            _check_fits(side, dataset)
    width = config.width
    if candidate.model is not None and width is None and candidate.model.partition(":")[0] in FITTED:
        most = macs_of(baseline, dataset)
        width = None if most is None else width_within(candidate.model, int(most * MACS_SHARE), dataset)
    _check_fits(candidate, dataset, width)
    return Lineup(baseline, candidate, teacher, width)


def _check_fits(side: Contender, dataset: Dataset, width: float | None = None) -> None:
    """Raises UserError where a side was made with other data, has other classes, or cannot be built for these."""
    if side.run is not None:
        check_same_data(side.run.config.data, dataset, side.run.folder)
        catalog.network(side.run.config.architecture)
    elif side.file is not None:
        class_order(Predictor(side.file), dataset, side.file)
    else:
        switches = {} if width is None else {"width": width}
        catalog.architecture(side.model or "", _input_shape(dataset), len(dataset.classes), **switches)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file that takes part: its role, precision, and the run it came from."""

    role: Role
    precision: Precision
    name: str
    path: Path
    run: Run | None


def artifacts_of(role: Role, run: Run) -> list[Artifact]:
    """The exported files of a run; a teacher takes part in float32 alone."""
    precisions: tuple[Precision, ...] = ("fp32",) if role == "teacher" else ("fp32", "int8")
    name = run.config.model
    return [Artifact(role, precision, name, run.artifact(precision), run) for precision in precisions]


def artifact_of_file(role: Role, path: Path) -> Artifact:
    """A side that was given as a file."""
    metadata = open_artifact(path).metadata
    return Artifact(role, metadata.precision, metadata.name, path, None)


def macs_of(side: Contender, dataset: Dataset) -> int | None:
    """MACs of a side: from its record, its file, or the architecture it will have. None where nobody knows yet."""
    if side.file is not None:
        return open_artifact(side.file).macs()
    if side.run is not None:
        data = side.run.config.architecture
    else:
        data = catalog.architecture(side.model or "", _input_shape(dataset), len(dataset.classes))
    return cost.macs(architecture.from_data(data)) if "layers" in data else None


def width_within(model: str, macs: int, dataset: Dataset) -> float | None:
    """The largest width of a catalog model, in hundredths, that costs at most `macs`; None where it has no width.

    Raises UserError where even the narrowest costs more.
    """
    if model not in catalog.CATALOG or "width" not in catalog.switches_of(model):
        return None
    for hundredths in range(400, 9, -1):
        width = hundredths / 100
        data = catalog.architecture(model, _input_shape(dataset), len(dataset.classes), width=width)
        if cost.macs(architecture.from_data(data)) <= macs:
            return width
    raise UserError(
        f"no width of {model} fits {macs} MACs",
        "a tenth of the baseline's computation is less than its narrowest form",
        "--width F to choose one yourself",
    )


def _input_shape(dataset: Dataset) -> catalog.InputShape:
    return (dataset.preprocess.channels, *dataset.preprocess.image_size)


def training_of(artifact: Artifact) -> SideTraining | None:
    """What the side's training cost, from its run; None for a file."""
    if artifact.run is None:
        return None
    finished = artifact.run.finished
    return SideTraining(
        seconds=finished.seconds,
        epochs=finished.epochs,
        images=finished.images,
        still_improving=finished.still_improving,
    )
