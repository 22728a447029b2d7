"""The recipes for ILSVRC, dry: the committed files at a fraction of their size, on a folder of the same shape."""

import re

import pytest

from econet.cli.main import main
from econet.jobs import recipes as room
from econet.jobs.recipes import read_recipe, run_recipe
from econet.runs.artifact_records import Evaluation
from econet.runs.folder import Run
from econet.runs.recipe_records import RecipeResult
from econet.runs.record import read_record
from econet.training.progress import Silent
from econet.training.schedules import factor
from ilsvrc_shape import DEVKIT, TEST_CLASSES

pytest_plugins = ["small_comparison", "small_imagenet"]

NAMES = ("imagenet-alexnet-paper", "imagenet-alexnet-original-code")
# Of what takes days, the sizes alone: everything else stays as it is committed.
SMALLER = (
    ("image_size = 224", "image_size = 64"),
    ("crop_from = 256", "crop_from = 72"),
    ("validation = 0.01", "validation = 0.25"),
    ("batch_size = 128", "batch_size = 40\nwidth = 0.1"),
    (r"epochs = 9\d", "epochs = 2"),
)


@pytest.fixture
def smaller(tmp_path, monkeypatch, in_haste):
    """The committed recipes made small, in a folder of their own, and this process beside it."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    for name in NAMES:
        text = (room.recipes_folder() / f"{name}.toml").read_text()
        for large, small in SMALLER:
            text, found = re.subn(large, small, text)
            assert found == 1, large
        (folder / f"{name}.toml").write_text(text)
    monkeypatch.setattr(room, "recipes_folder", lambda: folder)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_goes_from_a_folder_of_jpegs_to_evaluated_files(smaller, small_imagenet, name):
    run_recipe(name, 0, Silent(), threads=1, data_dir=small_imagenet.parent)
    home = smaller.parent / "runs" / "recipes" / name / "seed-0"
    record = read_record(home / "result.json", RecipeResult)
    assert [each.precision for each in record.exports] == ["fp32", "int8"]
    assert all(each.parity.passed for each in record.exports)
    assert [each.data.images for each in record.evaluations] == [len(TEST_CLASSES)] * 2
    assert record.evaluations[0].torch_agreement.top1_agreement == 1
    run = Run(home / read_recipe(name).steps[-1].run)
    assert run.config.data.name == "imagenet"
    assert run.config.data.preprocess.resize_size == (72, 72)
    assert run.config.architecture["layers"][0]["kind"] == "mean-image"
    assert len(run.history) == 2


def test_the_terminal_trains_and_evaluates_on_such_a_folder(small_imagenet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = ["--width", "0.1", "--image-size", "64", "--crop-from", "72", "--epochs", "1", "--batch-size", "40"]
    same = ["--deterministic", "--threads", "1", "--out", "run", "--quiet"]
    assert main(["train", str(small_imagenet), "--model", "alexnet:paper", *sizes, *same]) == 0
    assert main(["evaluate", "run", "--quiet"]) == 0
    record = read_record(tmp_path / "run" / "model.evaluation.json", Evaluation)
    assert (record.data.split, record.data.images) == ("test", len(TEST_CLASSES))
    seen = {each.name: each.images for each in record.per_class}
    assert seen == {wnid: TEST_CLASSES.count(place) for place, wnid in enumerate(DEVKIT)}


def test_the_original_code_lowers_its_rate_after_epochs_25_51_and_79_of_91():
    step = read_recipe("imagenet-alexnet-original-code").steps[-1]
    per_epoch = 9908  # of 1,268,355 training pictures, 99 in 100, in batches of 128
    steps = step.epochs * per_epoch
    rates = [
        step.lr * factor(step.schedule, epoch * per_epoch, steps, marks=step.schedule_marks)
        for epoch in range(step.epochs)
    ]
    lowered = [epoch for epoch in range(1, step.epochs) if rates[epoch] < rates[epoch - 1]]
    assert lowered == [25, 51, 79]
    assert rates[-1] == pytest.approx(1e-5)
    assert step.bias_lr == 0.02
    noisy = [epoch for epoch in range(step.epochs) if epoch * per_epoch / steps < step.colour_noise.until]
    assert noisy[-1] == 66
    assert (step.crop_chunk, step.colour_noise.divisor) == (32, 1.1)


def test_the_paper_has_one_rate_for_all_layers_and_lowers_it_when_validation_stalls():
    step = read_recipe("imagenet-alexnet-paper").steps[-1]
    assert (step.schedule, step.lr, step.bias_lr, step.weight_decay) == ("plateau", 0.01, None, 5e-4)
    assert (step.batch_size, step.epochs, step.crop_chunk, step.colour_noise.divisor) == (128, 90, 1, 1.0)
