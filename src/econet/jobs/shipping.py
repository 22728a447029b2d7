"""Into the zoo: the median seed's file of a recipe is shipped with the package, with its card."""

from pathlib import Path

from econet.deployment.zoo import ARTIFACT, CARD, ZOO
from econet.errors import UserError
from econet.files import sha256_of, write_text, write_whole
from econet.jobs.prove import prove_beside
from econet.jobs.recipes import RUNS, read_recipe, result_path
from econet.jobs.tables import results_of
from econet.runs.folder import Run
from econet.runs.recipe_records import Recipe, RecipeResult
from econet.runs.record import write_record
from econet.runs.zoo_records import Card

LEAST_SEEDS = 3


def ship(name: str, *, zoo: Path = ZOO, runs: Path = RUNS) -> Path:
    """Copy the int8 file of the recipe's median seed, by validation accuracy, into the zoo; write its card and proof.

    Returns the zoo folder. Raises UserError where the recipe names no zoo entry, fewer than three seeds are
    recorded, a limit of its budget is not kept, or the seed's file is not the recorded one.
    """
    recipe, results = read_recipe(name), results_of(name)
    if recipe.zoo is None:
        raise UserError(f"recipe {name} ships nothing", "it has no `zoo` name", "add zoo = NAME to the recipe")
    if len(results) < LEAST_SEEDS:
        raise UserError(
            f"recipe {name} cannot be shipped yet",
            f"{len(results)} of {LEAST_SEEDS} seeds are recorded",
            f"econet recipe {name} --seed N --record",
        )
    chosen = median_seed(results)
    _check_budget(recipe, chosen)
    home = runs / name / f"seed-{chosen.seed}" / recipe.steps[-1].run
    folder = zoo / recipe.zoo
    write_whole(folder / ARTIFACT, _recorded_file(home / ARTIFACT, chosen).read_bytes())
    prove_beside(folder / ARTIFACT)
    card = _card(recipe, chosen, Run(home))
    write_text(folder / "card.md", _words(card, recipe, results))
    write_record(folder / CARD, card)
    return folder


def median_seed(results: list[RecipeResult]) -> RecipeResult:
    """The result with the middle validation accuracy (the lower one of two); ties go to the smaller seed."""
    ordered = sorted(results, key=lambda result: (result.training.validation_accuracy, -result.seed))
    return ordered[(len(ordered) - 1) // 2]


def _place(result: RecipeResult) -> int:
    return [export.precision for export in result.exports].index("int8")


def _check_budget(recipe: Recipe, result: RecipeResult) -> None:
    benchmark = result.benchmarks[_place(result)]
    limits = (
        ("parameters", recipe.budget.parameters, benchmark.parameters),
        ("MACs", recipe.budget.macs, benchmark.macs or 0),
        ("bytes", recipe.budget.bytes, benchmark.bytes),
    )
    for what, limit, found in limits:
        if limit is not None and found > limit:
            raise UserError(
                f"{recipe.zoo} breaks its budget", f"{found:,} {what}, {limit:,} allowed", "a smaller width"
            )


def _recorded_file(path: Path, result: RecipeResult) -> Path:
    """The seed's file, where it is byte for byte the one whose record is committed."""
    if not path.is_file() or sha256_of(path) != result.exports[_place(result)].sha256:
        raise UserError(
            f"{path} is not the file that was recorded",
            f"{result_path(result.recipe, result.seed).name} has another digest, or the run is not on this machine",
            f"econet recipe {result.recipe} --seed {result.seed} --record",
        )
    return path


def _card(recipe: Recipe, result: RecipeResult, run: Run) -> Card:
    place = _place(result)
    return Card(
        name=recipe.zoo or "",
        recipe=result.recipe,
        seed=result.seed,
        data=recipe.data,
        model=run.config.model,
        architecture=run.config.architecture,
        evaluation=result.evaluations[place],
        benchmark=result.benchmarks[place],
        export=result.exports[place],
    )


def _sureness(card: Card) -> str:
    """What the file's confidence was worth on test, as a line; nothing for a file that holds none."""
    found = card.evaluation.confidence
    if found is None:
        return ""
    sets = ", ".join(f"{100 * each.covered:.1f} % at {100 * each.stated:.0f} %" for each in found.coverage)
    error, before, rung = card.evaluation.ece, found.ece_before, 100 * found.false_alarms
    noticed = "".join(
        f", and {100 * each.noticed:.1f} % of {each.images:,} pictures of {each.name} (area under the ROC curve "
        f"{each.auroc:.3f})"
        for each in found.foreign
    )
    return (
        f"- Calibration error {error:.3f}, {before:.3f} without its temperature of {found.temperature:g}; "
        f"its sets hold the right class on {sets}; {rung:.1f} % of the test images are taken for none of these "
        f"(stated: {100 * found.false_alarms_stated:.0f} %){noticed}.\n"
    )


def _words(card: Card, recipe: Recipe, results: list[RecipeResult]) -> str:
    """The card for people."""
    low, high = card.evaluation.accuracy_interval
    seeds = ", ".join(f"{each.seed}: {100 * each.evaluations[_place(each)].accuracy:.2f} %" for each in results)
    return (
        f"# {card.name}\n\n{recipe.title}.\n\n"
        f"- Accuracy {100 * card.evaluation.accuracy:.2f} % ({100 * low:.2f} to {100 * high:.2f}) on the "
        f"{card.evaluation.data.images:,} test images of {card.data}; every seed: {seeds}. "
        f"This is seed {card.seed}, the median by validation accuracy.\n"
        f"{_sureness(card)}"
        f"- {card.benchmark.parameters:,} parameters, {card.benchmark.macs:,} MACs, {card.benchmark.bytes:,} bytes, "
        f"{card.benchmark.precision}.\n"
        f"- {1000 * card.benchmark.latency_ms.p50:.0f} microseconds a picture (p50, batch 1, one thread, "
        f"{card.benchmark.runtime.name} {card.benchmark.runtime.version}, {card.benchmark.machine.cpu}).\n"
        f"- Classes: {', '.join(entry.name for entry in card.evaluation.per_class)}.\n"
        f"- Made again by `econet recipe {card.recipe} --seed {card.seed}`.\n\n"
        f"Use: `econet predict {card.name} PICTURE`.\n"
    )
