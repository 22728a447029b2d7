"""`econet recipe`: a published result, made again."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.folders import again
from econet.cli.terminal import Terminal, table

if TYPE_CHECKING:
    from rich.console import RenderableType


@options.command(example="econet recipe fashion-mnist-baseline --seed 1")
@click.argument("name", metavar="NAME", required=False)
@options.together(
    options.seed_option,
    click.option("--record", is_flag=True, help="Keep the result among the published ones, whatever it says."),
    options.path_option("--out", "Where everything is written [default: runs/recipes/<name>/seed-<N>]."),
    options.data_dir_option,
    options.threads_option,
    click.option("--ship", is_flag=True, help="Put the median recorded seed's file into the zoo; trains nothing."),
)
def recipe(
    terminal: Terminal,
    *,
    name: str | None,
    seed: int,
    record: bool,
    out: Path | None,
    data_dir: Path | None,
    threads: int | None,
    ship: bool,
) -> int:
    """Make a published result again.

    Runs the recipe NAME from nothing to an evaluated file, or goes on with it; without NAME lists the recipes.
    """
    if name is None:
        return _list(terminal)
    if ship:
        return _ship(terminal, name)
    # A recipe goes on at its first unfinished step, so the same words resume it.
    terminal.resume = again(terminal.words)

    from econet.jobs.recipes import run_recipe

    result = run_recipe(name, seed, terminal.progress(), folder=out, record=record, threads=threads, data_dir=data_dir)
    terminal.resume = None
    terminal.result(result, human=lambda: [_figures(name, seed, result)])
    return DONE


def _ship(terminal: Terminal, name: str) -> int:
    from econet.jobs.shipping import ship

    folder = ship(name)
    terminal.result({"shipped": str(folder)}, human=lambda: [f"{name} shipped in {folder}"])
    return DONE


def _list(terminal: Terminal) -> int:
    from econet.jobs.recipes import read_recipe, recipe_names

    recipes = {name: read_recipe(name) for name in recipe_names()}

    def shown() -> "list[RenderableType]":
        rows = [[name, each.title, f"{each.hours:g}"] for name, each in recipes.items()]
        return [table(["Recipe", "Gives", "Hours"], rows, left=2) if rows else "no recipes here"]

    terminal.result({"recipes": recipes}, human=shown)
    return DONE


def _figures(name: str, seed: int, result: Mapping[str, Any]) -> str:
    """The published figures of one seed, as a line."""
    from econet.report import numbers

    interval = (result["accuracy_low"], result["accuracy_high"])
    digits = numbers.digits_for(interval)
    low, high = (numbers.percent(end, digits) for end in interval)
    parts = [
        f"accuracy {numbers.percent(result['accuracy'], digits)} ({low} to {high})",
        f"{numbers.magnitude(result['parameters'])} parameters",
        *([] if result["macs"] is None else [f"{numbers.magnitude(result['macs'])} MACs"]),
        numbers.file_size(result["bytes"]),
        numbers.per_image(result["latency_ms"]),
    ]
    return f"{name}, seed {seed}: {', '.join(parts)}"
