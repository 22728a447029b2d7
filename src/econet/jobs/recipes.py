"""`recipe`: make a published result again, from nothing to an evaluated file, resumable at every step."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from econet.data.dataset import Dataset
from econet.errors import UserError, unknown_name
from econet.jobs.benchmark import benchmark_artifacts
from econet.jobs.evaluate import evaluate_artifacts
from econet.jobs.export import export_run
from econet.jobs.foreign import ForeignPictures, foreign_pictures
from econet.jobs.networks import is_quantized
from econet.jobs.options import PARITY_DROP, DataOptions
from econet.jobs.recipe_file import TEACHER, recipe_from
from econet.jobs.recipe_steps import take_step
from econet.jobs.run_data import load
from econet.runs import provenance
from econet.runs.folder import Run
from econet.runs.recipe_records import Recipe, RecipeResult, Versions
from econet.runs.record import read_record, write_record
from econet.training import parallel
from econet.training.progress import Progress

RUNS = Path("runs") / "recipes"


def recipes_folder() -> Path:
    """Where the recipes lie: in the checkout this code runs from, else in the present folder."""
    checkout = Path(__file__).resolve().parents[3] / "recipes"
    return checkout if checkout.is_dir() else Path("recipes")


def recipe_names() -> list[str]:
    """The names of all recipes, sorted."""
    return sorted(path.stem for path in recipes_folder().glob("*.toml"))


def read_recipe(name: str) -> Recipe:
    """The recipe of that name. Raises UserError where there is none or a field is wrong."""
    path = recipes_folder() / f"{name}.toml"
    if not path.is_file():
        raise unknown_name("recipe", name, recipe_names() or ["none: recipes lie in EcoNet's checkout"])
    return recipe_from(path)


def result_path(name: str, seed: int) -> Path:
    """Where the committed result of one seed lies."""
    return recipes_folder() / "results" / name / f"seed-{seed}.json"


def run_recipe(
    name: str,
    seed: int,
    progress: Progress,
    *,
    folder: Path | None = None,
    record: bool = False,
    threads: int | None = None,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Run a recipe for one seed in `folder`, or go on with it; returns its result as JSON types.

    With `record` the result is kept among the published ones, whatever it says. `data_dir` is where the recipe's data
    are looked for first. Of several processes that train together all but the first return nothing after training.
    """
    recipe = read_recipe(name)
    home = folder or RUNS / name / f"seed-{seed}"
    mine = home / "result.json"
    if not mine.exists():
        dataset = _dataset(recipe, data_dir)
        # Before hours are spent: one of them may not be there.
        others = foreign_pictures([DataOptions(each, data_dir=data_dir) for each in recipe.others], dataset)
        runs = _trained(recipe, seed, home, dataset, progress, threads, data_dir)
        if parallel.rank() > 0:
            return {}
        write_record(mine, _result(name, recipe, seed, runs, dataset, others, progress))
    result = read_record(mine, RecipeResult)
    if (result.recipe, result.seed) != (name, seed):
        raise UserError(
            f"{home} holds another result",
            f"its result.json is of {result.recipe}, seed {result.seed}",
            "another folder with --out",
        )
    if record:
        write_record(result_path(name, seed), result)
        progress.note(f"recorded in {result_path(name, seed)}")
    return {**summary(result), **msgspec.to_builtins(result)}


def summary(result: RecipeResult) -> dict[str, Any]:
    """The published figures of one seed: those of the file the recipe is about."""
    place = [export.precision for export in result.exports].index(result.precision)
    evaluation, benchmark = result.evaluations[place], result.benchmarks[place]
    return {
        "accuracy": evaluation.accuracy,
        "accuracy_low": evaluation.accuracy_interval[0],
        "accuracy_high": evaluation.accuracy_interval[1],
        "validation_accuracy": result.training.validation_accuracy,
        "parameters": benchmark.parameters,
        "macs": benchmark.macs,
        "bytes": benchmark.bytes,
        "latency_ms": benchmark.latency_ms.p50,
    }


def _dataset(recipe: Recipe, data_dir: Path | None) -> Dataset:
    return load(
        DataOptions(
            recipe.data,
            data_dir=data_dir,
            image_size=recipe.image_size,
            crop_from=recipe.crop_from,
            validation=recipe.split.validation,
            seed=recipe.split.seed,
        )
    )


def _trained(
    recipe: Recipe,
    seed: int,
    home: Path,
    dataset: Dataset,
    progress: Progress,
    threads: int | None,
    data_dir: Path | None,
) -> list[Run]:
    """Take every step of the recipe, or what is left of it; each one's run."""

    def find(name: str) -> Run:
        other = TEACHER.fullmatch(name)
        if other is None:
            return Run(home / name)
        return _other_recipe(other["name"], int(other["seed"]), progress, threads, data_dir)

    runs: list[Run] = []
    for step in recipe.steps:
        read = {name: find(name) for name in step.runs_read}
        progress.note(f"{step.do} in {home / step.run}")
        _check_seed(Run(home / step.run), seed)
        runs.append(take_step(step, home / step.run, dataset, progress, read.__getitem__, seed, threads))
    return runs


def _check_seed(run: Run, seed: int) -> None:
    """Raises UserError where the run was begun with another seed: it would be resumed and taken for this one's."""
    if run.exists and run.config.seed != seed:
        raise UserError(
            f"{run.folder} belongs to seed {run.config.seed}",
            f"its config.json says so, and seed {seed} is asked for",
            "another folder with --out",
        )


def _other_recipe(name: str, seed: int, progress: Progress, threads: int | None, data_dir: Path | None) -> Run:
    """The finished last run of another recipe; made first where it is not there."""
    recipe, home = read_recipe(name), RUNS / name / f"seed-{seed}"
    last = Run(home / recipe.steps[-1].run)
    if last.is_finished:  # then its pictures need not be loaded beside this recipe's own
        _check_seed(last, seed)
        return last
    dataset = _dataset(recipe, data_dir)
    return _trained(recipe, seed, home, dataset, progress, threads, data_dir)[-1]


def _result(
    name: str,
    recipe: Recipe,
    seed: int,
    runs: list[Run],
    dataset: Dataset,
    others: list[ForeignPictures],
    progress: Progress,
) -> RecipeResult:
    """Export, prove, read the test split once, time: the records of the files of the last run.

    These are two, and of a quantized run the int8 one alone.
    """
    run = runs[-1]
    precisions = (True,) if is_quantized(run) else (False, True)
    exports = [export_run(run, dataset, int8=int8, parity_drop=PARITY_DROP, progress=progress) for int8 in precisions]
    targets = [(run.folder / each.file, run) for each in exports]
    evaluations = evaluate_artifacts(targets, dataset, "test", progress, foreign=others)
    benchmarks, _ = benchmark_artifacts(targets)
    config = run.config
    return RecipeResult(
        recipe=name,
        seed=seed,
        precision=recipe.precision,
        git=provenance.git_commit(),
        versions=Versions(
            econet=config.econet,
            python=platform.python_version(),
            torch=config.torch,
            onnxruntime=version("onnxruntime"),
        ),
        started=runs[0].config.created,
        hours=round(sum(map(_seconds, runs)) / 3600, 3),
        hardware=config.machine.cpu,
        threads=config.machine.threads,
        training=run.finished,
        exports=tuple(exports),
        evaluations=tuple(evaluations),
        benchmarks=tuple(benchmarks),
    )


def _seconds(run: Run) -> float:
    """Seconds of training behind a step's run, those between its cuts among them."""
    return sum(each.finished.seconds for each in (run, *map(Run, run.folder.glob("step-*"))))
