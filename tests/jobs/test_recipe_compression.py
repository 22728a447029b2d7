"""Recipes that prune and quantize: every option of the commands, whole after any kill, and wrong ones named."""

from pathlib import Path

import click
import pytest

from econet.cli.prune import prune
from econet.cli.quantize import quantize
from econet.errors import UserError
from econet.files import sha256_of
from econet.jobs import recipe_steps
from econet.jobs import recipes as room
from econet.jobs.recipes import read_recipe, run_recipe
from econet.runs.folder import Run
from econet.runs.recipe_records import RecipeResult
from econet.runs.recipe_steps import STEPS
from econet.runs.record import read_record
from econet.training.progress import Silent

pytest_plugins = ["small_comparison"]

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
HEAD = """
title = "A network for a drawer of clothes, made small"
data = "{data}"
seeds = [0]
precision = "int8"
hardware = "one core"
hours = 0.01

[split]
validation = 0.2
seed = 7

[promised]
accuracy = 0.2
"""
TRAIN = """
[[steps]]
do = "train"
run = "wide"
model = "econet"
width = 0.25
epochs = 2
batch_size = 10
deterministic = true
"""
PRUNE = """
[[steps]]
do = "prune"
run = "slim"
from = "wide"
ratio = 0.4
iterations = 2
epochs = 1
batch_size = 10
mixup = 0.2
deterministic = true
"""
QUANTIZE = """
[[steps]]
do = "quantize"
run = "bits"
from = "slim"
teacher = "wide"
epochs = 1
batch_size = 10
deterministic = true
"""
WHOLE = HEAD + TRAIN + PRUNE + QUANTIZE


class Killed(BaseException):
    """Stands for the end of the process."""


class Mortal(Silent):
    """Dies at the first training step after so many trainings have begun."""

    def __init__(self, trainings: int) -> None:
        self.left = trainings

    def begin(self, title: str, steps: int, done: int) -> None:
        self.left -= 1

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        if self.left <= 0:
            raise Killed


@pytest.fixture
def drawer(tmp_path, monkeypatch, in_haste):
    """A folder of recipes with one in it, and this process beside it."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "drawer.toml").write_text(WHOLE.format(data=PHOTOS))
    monkeypatch.setattr(room, "recipes_folder", lambda: folder)
    monkeypatch.chdir(tmp_path)
    return folder


def take(folder: str, progress=None) -> dict:
    return run_recipe("drawer", 0, progress or Silent(), folder=Path(folder), threads=1)


def weights(folder: str) -> list[bytes]:
    runs = ("wide", "slim/step-1", "slim", "bits")
    return [Run(Path(folder) / run).weights_path.read_bytes() for run in runs]


def test_a_recipe_prunes_quantizes_and_evaluates_the_last_file(drawer):
    result = take("out")
    wide, slim, bits = (Run(Path("out") / name) for name in ("wide", "slim", "bits"))
    assert (slim.config.parent, bits.config.parent) == ("step-1", "../slim")
    assert Run(slim.folder / "step-1").config.parent == "../../wide"
    assert (slim.pruning.ratio, slim.pruning.iterations, slim.config.training.mixup) == (0.4, 2, 0.2)
    assert bits.config.training.teacher.weights_sha256 == sha256_of(wide.weights_path)
    assert slim.config.training.teacher.weights_sha256 == sha256_of(wide.weights_path)
    record = read_record(Path("out") / "result.json", RecipeResult)
    assert [each.precision for each in (*record.exports, *record.evaluations, *record.benchmarks)] == ["int8"] * 3
    assert record.exports[0].sha256 == sha256_of(bits.artifact("int8"))
    assert record.evaluations[0].data.split == "test"
    assert result["accuracy"] == record.evaluations[0].accuracy
    runs = (wide, slim, Run(slim.folder / "step-1"), bits)
    assert record.hours == pytest.approx(sum(run.finished.seconds for run in runs) / 3600, abs=6e-4)
    assert record.training == bits.finished
    assert {run.config.seed for run in runs} == {0}


@pytest.mark.slow
def test_killed_between_and_inside_its_steps_it_ends_with_the_same_bits(drawer, monkeypatch):
    take("whole")
    for trainings in (1, 2, 3, 4):  # inside the training, both of the pruning and that of the quantizing
        with pytest.raises(Killed):
            take("killed", Mortal(1 if trainings == 1 else 2))
    for command in ("prune", "quantize"):  # each begins anew after what was done before it
        with monkeypatch.context() as patch:

            def dying(*arguments, **named):
                raise Killed

            patch.setattr(recipe_steps, command, dying)
            with pytest.raises(Killed):
                take(f"between-{command}")
        take(f"between-{command}")
    take("killed")
    for folder in ("killed", "between-prune", "between-quantize"):
        assert weights(folder) == weights("whole"), folder
        assert (
            Run(Path(folder) / "bits").artifact("int8").read_bytes()
            == Run(Path("whole/bits")).artifact("int8").read_bytes()
        )


def test_a_step_starts_from_another_recipe_s_run(drawer):
    (drawer / "before.toml").write_text((HEAD + TRAIN).format(data=PHOTOS))
    text = (HEAD + PRUNE).format(data=PHOTOS).replace('from = "wide"', 'from = "recipe:before#3"')
    (drawer / "drawer.toml").write_text(text.replace("epochs = 1", "epochs = 0"))
    take("out")
    slim, origin = Run(Path("out/slim")), Run(Path("runs/recipes/before/seed-3/wide"))
    assert (slim.folder / slim.pruning.origin).resolve() == origin.folder.resolve()
    assert origin.config.seed == 3
    record = read_record(Path("out/result.json"), RecipeResult)
    assert [each.precision for each in record.exports] == ["fp32", "int8"]


@pytest.mark.parametrize("command", [prune, quantize])
def test_a_step_offers_every_option_of_its_command(command):
    of_the_recipe = {"run", "out", "resume", "seed", "threads", "data_dir", "as_json", "quiet"}
    spelt = {"time_s": "time", "teachers": "teacher"}
    options = [each for each in command.params if isinstance(each, click.Option) and each.name not in of_the_recipe]
    offered = {spelt.get(each.name, each.name) for each in options}
    fields = set(STEPS[command.name].__struct_encode_fields__) - {"run", "from"}
    assert fields == offered


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("ratio = 0.4", "", "step 2 (`slim`): `ratio` is missing"),
        ("ratio = 0.4", 'keep = { "layers.0.conv" = 4 }', "step 2 (`slim`): `keep` goes with one iteration"),
        ("ratio = 0.4", "ratio = 0.4\ndropout = 1.5", "step 2 (`slim`): `dropout` 1.5 is out of range"),
        ("ratio = 0.4", "ration = 0.4", "step 2 (`slim`): unknown field `ration`"),
        ("ratio = 0.4", "ration = 0.4", "did you mean ratio"),
        ("ratio = 0.4", "ratio = 1.4", "step 2 (`slim`): `ratio` 1.4 is out of range"),
        ("ratio = 0.4", "ratio = 0.4\nimportance = 'size'", "Invalid enum value 'size' - at `$.importance`"),
        ("iterations = 2", "iterations = 2.5", "Expected `int`, got `float` - at `$.iterations`: it is 2.5"),
        ("iterations = 2\nepochs = 1", "iterations = 2", "step 2 (`slim`): `epochs` is missing"),
        ("iterations = 2", "iterations = 2\ntime = 'soon'", "step 2 (`slim`): time 'soon' cannot be read"),
        ("mixup = 0.2", "mixup = 0.2\nteacher_views = 2", "`teacher_views` and `mixup` were both given"),
        ("mixup = 0.2", "match_features = 1.0\nteacher = 'none'", "`match_features` was given without `teacher`"),
        ("mixup = 0.2", "teacher = ['none', 'wide']", "step 2 (`slim`): `teacher` cannot be none here"),
        ('from = "wide"', 'from = "wild"', "step 2 (`slim`): `from` is 'wild'"),
        ('from = "wide"', 'from = "wild"', "did you mean wide"),
        ('from = "slim"', 'from = "bits"', "step 3 (`bits`): `from` is 'bits'"),
        ('teacher = "wide"', 'teacher = "recipe:x"', "step 3 (`bits`): `teacher` is 'recipe:x'"),
        ('teacher = "wide"', "match_features = 1.0", "step 3 (`bits`): unknown field `match_features`"),
        ('precision = "int8"', 'precision = "fp32"', "`precision` is fp32"),
        ('do = "quantize"', 'do = "quantise"', "did you mean quantize"),
        ('run = "slim"', 'run = "none"', "step 2 (`none`): `run` is 'none'"),
    ],
)
def test_a_wrong_step_is_named_with_file_field_and_the_nearest(drawer, before, after, words):
    path = drawer / "drawer.toml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(UserError) as refused:
        read_recipe("drawer")
    assert words in str(refused.value)
    assert str(path) in refused.value.what


def test_nothing_is_made_from_a_quantized_run(drawer):
    path = drawer / "drawer.toml"
    path.write_text(path.read_text() + QUANTIZE.replace('"bits"', '"more"').replace('"slim"', '"bits"'))
    with pytest.raises(UserError, match=r"step 4 \(`more`\): `from` is 'bits', a quantized run"):
        read_recipe("drawer")
