"""A recipe's file, read strictly: what is wrong is named by file, step and field, before anything is trained."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from econet.errors import UserError, unknown_name
from econet.jobs.recipe_steps import check_step
from econet.runs.recipe_records import Recipe
from econet.runs.recipe_steps import STEPS, AnyStep, CompressionStep, QuantizeStep, TrainStep
from econet.runs.record import Record, with_value

TEACHER = re.compile(r"recipe:(?P<name>[^#]+)#(?P<seed>[0-9]+)")
# A folder's name, and none of the words that stand for something else.
_FOLDER = re.compile(r"(?!none$|parent$|recipe:)[\w-]+")

R = TypeVar("R", bound=Record)


def recipe_from(path: Path) -> Recipe:
    """The recipe in the file at `path`. Raises UserError naming file, step and field where one is wrong."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise UserError(f"{path} is no recipe", str(error), "correct the line it names") from error
    written: Any = content.get("steps")
    if isinstance(written, list):
        earlier: list[AnyStep] = []
        for number, each in enumerate(written, start=1):
            earlier.append(_step(each, f"{path}, step {number}", earlier))
    recipe = _converted(content, Recipe, str(path))
    if not recipe.steps:
        raise UserError(f"{path}: the recipe does nothing", "it has no steps", "add [[steps]]")
    if isinstance(recipe.steps[-1], QuantizeStep) and recipe.precision != "int8":
        raise UserError(
            f"{path}: `precision` is {recipe.precision}",
            "the last step quantizes: its file is int8",
            'precision = "int8"',
        )
    return recipe


def _step(content: Any, where: str, earlier: list[AnyStep]) -> AnyStep:
    """One step of the file, checked alone and against those before it."""
    if not isinstance(content, Mapping):
        raise UserError(f"{where} is no table", f"it is {content!r}", "[[steps]] above its fields")
    run, do = content.get("run"), content.get("do")
    where = f"{where} (`{run}`)" if isinstance(run, str) else where
    if not isinstance(do, str) or do not in STEPS:
        remedy = unknown_name("step", str(do), STEPS).remedy
        raise UserError(f"{where}: `do` is {do!r}", "EcoNet knows no step of that name", remedy)
    step = _converted(content, STEPS[do], where)
    try:
        check_step(step)
        _check_names(step, earlier)
    except UserError as error:
        raise UserError(f"{where}: {_as_field(error.what)}", _as_field(error.why), _as_field(error.remedy)) from error
    return step


def _converted(content: Mapping[str, Any], kind: type[R], where: str) -> R:
    """`content` as a record. Raises UserError naming the field, of a misspelt one with the nearest name."""
    known = [each.encode_name for each in msgspec.structs.fields(kind)]
    if kind.__struct_config__.tag_field is not None:
        known.append(kind.__struct_config__.tag_field)
    for name in content:
        if name not in known:
            remedy = unknown_name("field", name, known).remedy
            raise UserError(f"{where}: unknown field `{name}`", "there is none of that name here", remedy)
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise UserError(f"{where} cannot be read", with_value(error, content), "correct the field it names") from error


def _check_names(step: AnyStep, earlier: list[AnyStep]) -> None:
    """Raises UserError for a folder's name that cannot be one or is taken, and for a run that is not there by then."""
    if not _FOLDER.fullmatch(step.run) or step.run in [each.run for each in earlier]:
        raise UserError(
            f"`run` is {step.run!r}", "it names the step's own folder", "another name, of letters, digits, - and _"
        )
    runs = {each.run: each for each in earlier}
    for name in step.runs_read:
        if TEACHER.fullmatch(name):
            continue
        role = "from" if isinstance(step, CompressionStep) and name == step.start else "teacher"
        if name not in runs:
            known = (*runs, "recipe:NAME#SEED")
            raise UserError(
                f"`{role}` is {name!r}", "no earlier step has that run", unknown_name("run", name, known).remedy
            )
        if isinstance(runs[name], QuantizeStep):
            why = "its weights are those of an int8 file: it cannot teach, be pruned or quantized again"
            raise UserError(f"`{role}` is {name!r}, a quantized run", why, "the run it is made from")


def _as_field(text: str) -> str:
    """Options named as in the terminal, `--teacher-views`, named as a recipe's file has them."""
    return re.sub(r"--([a-z][a-z-]*)", lambda found: f"`{found[1].replace('-', '_')}`", text)


def last_model(recipe: Recipe) -> str | None:
    """The model that the last step trains; None where it compresses a run."""
    last = recipe.steps[-1]
    return last.model if isinstance(last, TrainStep) else None
