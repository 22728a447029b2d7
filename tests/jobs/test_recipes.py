"""Recipes: from a file to a published result, resumable, whole, and never another seed's."""

from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from econet.cli.main import main
from econet.errors import UserError
from econet.files import sha256_of
from econet.jobs import recipe_steps
from econet.jobs import recipes as room
from econet.jobs.recipes import read_recipe, recipe_names, result_path, run_recipe
from econet.models import architecture, catalog, cost
from econet.runs.folder import Run
from econet.runs.recipe_records import RecipeResult
from econet.runs.recipe_steps import TrainStep
from econet.runs.record import read_record
from econet.training.progress import Silent

pytest_plugins = ["small_comparison"]

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
RECIPE = """
title = "A network for a drawer of clothes"
data = "{data}"
seeds = [0, 1]
precision = "int8"
hardware = "one core"
hours = 0.01

[split]
validation = 0.2
seed = 7

[promised]
accuracy = 0.2

[[steps]]
do = "train"
run = "first"
model = "econet"
width = 0.25
epochs = 1

[[steps]]
do = "distil"
run = "student"
model = "econet"
width = 0.5
epochs = 2
teacher = "recipe:drawer-teacher#1"
temperature = 3.0
"""
TEACHER = RECIPE[: RECIPE.index('[[steps]]\ndo = "distil"')]
# Input and classes of the data sets that recipes name.
SHAPES = {
    "fashion-mnist": ((1, 28, 28), 10),
    "cifar10": ((3, 32, 32), 10),
    "cifar100": ((3, 32, 32), 100),
    "imagenet": ((3, 224, 224), 1000),
}
COMMITTED = recipe_names()


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def drawer(tmp_path, monkeypatch, in_haste):
    """Two tiny recipes in a folder of their own, and this process beside it."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "drawer.toml").write_text(RECIPE.format(data=PHOTOS))
    (folder / "drawer-teacher.toml").write_text(TEACHER.format(data=PHOTOS))
    monkeypatch.setattr(room, "recipes_folder", lambda: folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_recipe_goes_from_nothing_to_evaluated_files(drawer):
    result = run_recipe("drawer", 0, Silent(), threads=1)
    home = Path("runs/recipes/drawer/seed-0")
    student = Run(home / "student")
    assert student.config.seed == 0
    assert student.config.data.split_seed == 7
    assert student.config.plan.epochs == 2
    teacher = Path("runs/recipes/drawer-teacher/seed-1/first")
    assert student.config.training.teacher.weights_sha256 == sha256_of(teacher / "weights.safetensors")
    assert Run(home / "first").is_finished
    record = read_record(home / "result.json", RecipeResult)
    assert [each.precision for each in record.exports] == ["fp32", "int8"]
    for export, evaluation, benchmark in zip(record.exports, record.evaluations, record.benchmarks, strict=True):
        path = student.artifact(export.precision)
        assert export.sha256 == sha256_of(path)
        assert evaluation.data.split == "test"
        assert evaluation.test_reads == 1
        assert benchmark.bytes == path.stat().st_size
    assert result["accuracy"] == record.evaluations[1].accuracy
    assert result["bytes"] == record.benchmarks[1].bytes
    assert record.training == student.finished


def test_a_recipe_goes_on_at_its_unfinished_step(drawer, monkeypatch):
    whole, begun = recipe_steps.train, []

    def dying(folder, *arguments, **named):
        begun.append(folder.name)
        if folder.name == "student":
            raise Killed
        return whole(folder, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(recipe_steps, "train", dying)
        with pytest.raises(Killed):
            run_recipe("drawer", 0, Silent(), threads=1)
    assert begun == ["first", "first", "student"]  # its own first step, the teacher, then the last
    weights = list(Path("runs").rglob("weights.safetensors"))
    before = {path: path.stat().st_mtime_ns for path in weights}
    assert len(before) == 2
    run_recipe("drawer", 0, Silent(), threads=1)
    assert {path: path.stat().st_mtime_ns for path in weights} == before


def test_a_finished_recipe_is_read_and_not_run_again(drawer):
    first = run_recipe("drawer-teacher", 0, Silent(), threads=1)
    result = Path("runs/recipes/drawer-teacher/seed-0/result.json")
    written = result.stat().st_mtime_ns
    assert run_recipe("drawer-teacher", 0, Silent(), threads=1) == first
    assert result.stat().st_mtime_ns == written


def test_a_result_is_kept_only_by_record_and_whole(drawer):
    run_recipe("drawer-teacher", 1, Silent(), threads=1)
    assert not (drawer / "results").exists()
    run_recipe("drawer-teacher", 1, Silent(), threads=1, record=True)
    kept = drawer / "results" / "drawer-teacher" / "seed-1.json"
    assert kept == result_path("drawer-teacher", 1)
    assert kept.read_bytes() == Path("runs/recipes/drawer-teacher/seed-1/result.json").read_bytes()
    record = read_record(kept, RecipeResult)
    assert (record.recipe, record.seed, record.precision) == ("drawer-teacher", 1, "int8")
    assert record.versions.torch == Run(Path("runs/recipes/drawer-teacher/seed-1/first")).config.torch
    assert not list(drawer.rglob("*.part"))


def test_another_seed_in_the_same_folder_is_refused_and_records_nothing(drawer, tmp_path):
    run_recipe("drawer-teacher", 0, Silent(), folder=tmp_path / "out", threads=1)
    with pytest.raises(UserError, match=r"its result\.json is of drawer-teacher, seed 0"):
        run_recipe("drawer-teacher", 1, Silent(), folder=tmp_path / "out", record=True)
    (tmp_path / "out" / "result.json").unlink()
    with pytest.raises(UserError, match="belongs to seed 0"):
        run_recipe("drawer-teacher", 1, Silent(), folder=tmp_path / "out", record=True)
    assert not (drawer / "results").exists()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('do = "train"', 'do = "trian"', "step 1 (`first`): `do` is 'trian'"),
        ("width = 0.25", "widht = 0.25", "step 1 (`first`): unknown field `widht`"),
        ("width = 0.25", "widht = 0.25", "did you mean width"),
        ("temperature = 3.0", 'temperature = "hot"', "step 2 (`student`) cannot be read"),
        ("temperature = 3.0", "temperature = 0.01", "step 2 (`student`): `temperature` 0.01 is out of range"),
        ('teacher = "recipe:drawer-teacher#1"', "", "step 2 (`student`): `teacher` is missing"),
        ('run = "student"', 'run = "first"', "step 2 (`first`): `run` is 'first'"),
        ('run = "student"', 'run = "../student"', "step 2 (`../student`): `run` is '../student'"),
        ("hours = 0.01", "", "missing required field `hours`"),
        ("hours = 0.01", "hous = 0.01", "unknown field `hous`"),
        ("epochs = 1", 'epochs = "one"', "Expected `int`, got `str`"),
        ("[split]", "[split", "drawer.toml is no recipe"),
    ],
)
def test_a_recipe_that_is_wrong_is_refused_with_the_field(drawer, before, after, words):
    path = drawer / "drawer.toml"
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(UserError) as refused:
        read_recipe("drawer")
    assert words in str(refused.value)
    assert str(path) in refused.value.what


def test_an_unknown_recipe_brings_the_nearest(drawer, capsys):
    assert main(["recipe", "drawr"]) == 2
    said = capsys.readouterr().err
    assert "error: unknown recipe 'drawr'" in said
    assert "did you mean drawer" in said


def test_another_source_that_is_not_there_is_refused_before_anything_is_trained(drawer, tmp_path):
    path = drawer / "drawer.toml"
    path.write_text(f'others = ["{tmp_path}/nowhere"]\n' + path.read_text())
    with pytest.raises(UserError, match="there is no folder"):
        run_recipe("drawer", 0, Silent(), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_teacher_that_is_no_recipe_is_refused_before_it_is_used(drawer):
    path = drawer / "drawer.toml"
    path.write_text(path.read_text().replace("recipe:drawer-teacher#1", "runs/teacher"))
    with pytest.raises(UserError, match=r"step 2 \(`student`\): `teacher` is 'runs/teacher'"):
        run_recipe("drawer", 0, Silent(), threads=1)


def test_the_finished_run_of_another_recipe_is_taken_without_loading_its_pictures(drawer, monkeypatch):
    first = room._other_recipe("drawer-teacher", 1, Silent(), 1, None)
    weights = first.weights_path.read_bytes()
    monkeypatch.setattr(room, "_dataset", lambda *_: pytest.fail("they are loaded again"))
    assert room._other_recipe("drawer-teacher", 1, Silent(), 1, None).weights_path.read_bytes() == weights


def built(recipe):
    """The architecture that the recipe's last run has, at the size of its pictures."""
    shape, classes = SHAPES[recipe.data]
    shape = shape if recipe.image_size is None else (shape[0], recipe.image_size, recipe.image_size)
    first = recipe.steps[0]
    if isinstance(first, TrainStep):
        last = recipe.steps[-1]
        switches = {} if last.width is None else {"width": last.width}
        return architecture.from_data(catalog.architecture(last.model, shape, classes, **switches))
    whole = built(read_recipe(first.start.removeprefix("recipe:").partition("#")[0]))
    gone = (architecture.MeanImage, architecture.Lrn)
    layers = [layer for layer in whole.layers if not isinstance(layer, gone)]
    for name, width in first.keep.items():
        place = int(name.split(".")[1])
        assert name == f"layers.{place}.{'linear' if isinstance(layers[place], architecture.Dense) else 'conv'}"
        layers[place] = structs.replace(layers[place], channels=width)
    return structs.replace(whole, layers=tuple(layers))


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_recipe_reads_and_its_network_keeps_the_budget(name):
    recipe = read_recipe(name)
    found = built(recipe)
    assert cost.parameters(found) <= (recipe.budget.parameters or 10**9)
    assert cost.macs(found) <= (recipe.budget.macs or 10**12)
    assert len(recipe.seeds) >= 3
    assert 0.1 < recipe.promised.accuracy < 1
    assert recipe.hours > 0
    for step in recipe.steps:
        if step.teacher is not None:
            teacher, _, seed = step.teacher.removeprefix("recipe:").partition("#")
            assert read_recipe(teacher).data == recipe.data
            assert int(seed) in read_recipe(teacher).seeds


def test_the_terminal_prints_a_result_as_json(drawer, capsys):
    assert main(["recipe", "drawer-teacher", "--seed", "1", "--threads", "1", "--json", "--quiet"]) == 0
    printed = msgspec.json.decode(capsys.readouterr().out)
    assert printed["seed"] == 1
    assert printed["accuracy"] == printed["evaluations"][1]["accuracy"]
