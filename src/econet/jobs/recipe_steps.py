"""One step of a recipe: its options as the command's own, and its run, begun or gone on with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import structs

from econet.data.dataset import Dataset
from econet.errors import UserError
from econet.jobs.duration import parse_duration
from econet.jobs.options import (
    PruneOptions,
    QuantizeOptions,
    TrainOptions,
    check_prune_options,
    check_train_options,
    settings,
)
from econet.jobs.prune import prune
from econet.jobs.quantize import quantize
from econet.jobs.train import train
from econet.runs.folder import Run
from econet.runs.recipe_steps import AnyStep, CompressionStep, DistilStep, PruneStep, QuantizeStep, RecipeStep
from econet.training.progress import Progress

# The run of a name in the recipe: of an earlier step, or another recipe's.
Find = Callable[[str], Run]


def take_step(
    step: AnyStep, folder: Path, dataset: Dataset, progress: Progress, find: Find, seed: int, threads: int | None
) -> Run:
    """Bring the run of a step in `folder` to its end, from wherever it stands. Raises UserError as its command does."""
    given = _given(step)
    more: dict[str, Any] = {"seed": seed, "threads": threads}
    match step:
        case PruneStep():
            asked = prune_options(step, find, **more)
            return prune(find(step.start), folder, dataset, asked, progress, resume=True)
        case QuantizeStep():
            teachers = _folders(step, find)
            more |= {"teacher": teachers or None, "taught": step.teachers != ("none",)}
            asked = settings(QuantizeOptions, given, **more)
            return quantize(folder, find(step.start), dataset, asked, progress, resume=True)
        case _:
            return train(folder, dataset, train_options(step, find, **more), progress, resume=True)


def train_options(step: RecipeStep, find: Find, **more: Any) -> TrainOptions:
    """A step's options as those of a training; `more` are options that no recipe settles."""
    return settings(TrainOptions, _given(step), teacher=_folders(step, find) or None, **more)


def prune_options(step: PruneStep, find: Find, **more: Any) -> PruneOptions:
    """A step's options as those of `econet prune`."""
    teacher = step.teachers[0] if step.teachers == ("none",) else _folders(step, find) or "parent"
    return settings(PruneOptions, _given(step), teacher=teacher, tuning=train_options(step, find, **more))


def check_step(step: AnyStep) -> None:
    """Raises UserError for a value outside its range, an unknown choice or a contradiction."""

    def anywhere(name: str) -> Run:
        return Run(Path(name))

    if isinstance(step, DistilStep) and not step.teachers:
        raise UserError("`teacher` is missing", "a step that distils learns from one", 'teacher = "recipe:NAME#SEED"')
    if "none" in step.teachers and (len(step.teachers) > 1 or not isinstance(step, CompressionStep)):
        raise UserError("`teacher` cannot be none here", "it stands alone, and in a compression", "leave it out")
    if not isinstance(step, PruneStep):
        check_train_options(train_options(step, anywhere))
        return
    if step.ratio is None and not step.keep:
        raise UserError("`ratio` is missing", "it is the share of the MACs to take away", "ratio = 0.5, or `keep`")
    if step.epochs is None and step.time is None:
        raise UserError("`epochs` is missing", "it says how long to train on; 0 cuts alone", "epochs = 10")
    check_prune_options(prune_options(step, anywhere))


def _given(step: RecipeStep) -> dict[str, Any]:
    """What a step says, by the names that options have in Python; what it leaves open is left out."""
    given = {name: value for name, value in structs.asdict(step).items() if value is not None}
    if "time" in given:
        given["time_s"] = parse_duration(given.pop("time"), "time")
    # The run that is compressed is no option: `start` in TrainOptions is a run whose weights are begun with.
    return {name: value for name, value in given.items() if name != "start"}


def _folders(step: RecipeStep, find: Find) -> tuple[Path, ...]:
    return tuple(find(name).folder for name in step.teachers if name != "none")
