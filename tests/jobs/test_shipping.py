"""What is shipped is the recorded file of the median seed, and nothing else."""

from pathlib import Path

import msgspec
import pytest

from econet.deployment.predictor import Predictor
from econet.deployment.zoo import card, find
from econet.errors import UserError
from econet.jobs.prove import prove
from econet.jobs.recipes import read_recipe, result_path, run_recipe
from econet.jobs.shipping import median_seed, ship
from econet.jobs.tables import results_of
from econet.runs.confidence_records import ConfidenceFound, Foreign
from econet.runs.record import write_record
from econet.training.progress import Silent

RECIPE = """
title = "A drawer of clothes"
data = "DATA"
seeds = [0, 1, 2]
precision = "int8"
hardware = "any"
hours = 0.01
zoo = "drawer-econet"

[split]
validation = 0.2
seed = 0

[promised]
accuracy = 0.2

[[steps]]
do = "train"
run = "student"
model = "econet"
width = 0.25
epochs = 1
batch_size = 8
"""


@pytest.fixture
def drawer(tmp_path, monkeypatch):
    """One recipe on the small photos, with a first recorded seed copied to three of different accuracy."""
    photos = Path(__file__).parents[1] / "fixtures" / "clothing"
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    (recipes / "drawer.toml").write_text(RECIPE.replace("DATA", str(photos)))
    monkeypatch.setattr("econet.jobs.recipes.recipes_folder", lambda: recipes)
    monkeypatch.setattr("econet.jobs.tables.recipes_folder", lambda: recipes)
    monkeypatch.setattr("econet.deployment.parity.INT8_LEAST_AGREEMENT", 0.0)
    run_recipe("drawer", 0, Silent(), folder=tmp_path / "runs" / "drawer" / "seed-0", record=True, threads=1)
    return tmp_path


def record_seeds(accuracies):
    (result,) = results_of("drawer")
    for seed, accuracy in enumerate(accuracies):
        training = msgspec.structs.replace(result.training, validation_accuracy=accuracy)
        write_record(result_path("drawer", seed), msgspec.structs.replace(result, seed=seed, training=training))


def test_fewer_than_three_seeds_are_not_shipped(drawer):
    with pytest.raises(UserError, match="1 of 3 seeds are recorded"):
        ship("drawer", zoo=drawer / "zoo", runs=drawer / "runs")
    assert not (drawer / "zoo").exists()


def test_the_median_seeds_file_is_shipped_with_its_card_and_answers_by_name(drawer):
    record_seeds([0.5, 0.1, 0.9])
    assert median_seed(results_of("drawer")).seed == 0
    folder = ship("drawer", zoo=drawer / "zoo", runs=drawer / "runs")
    shipped = find("drawer-econet", drawer / "zoo")
    assert shipped.read_bytes() == (drawer / "runs/drawer/seed-0/student/model.int8.onnx").read_bytes()
    assert Predictor(shipped).classes == tuple(
        entry.name for entry in card("drawer-econet", drawer / "zoo").evaluation.per_class
    )
    assert "seed 0, the median by validation accuracy" in (folder / "card.md").read_text()
    assert prove(shipped).passed


def test_the_card_tells_false_alarms_and_what_of_other_sources_is_noticed(drawer):
    (result,) = results_of("drawer")
    found = ConfidenceFound(
        temperature=1.5,
        ece_before=0.04,
        nll_before=0.3,
        coverage=(),
        false_alarms_stated=0.05,
        false_alarms=0.0468,
        foreign=(Foreign(name="cifar10", fingerprint="f", images=10_000, noticed=0.4921, auroc=0.9012),),
    )
    evaluations = tuple(msgspec.structs.replace(each, confidence=found) for each in result.evaluations)
    write_record(result_path("drawer", 0), msgspec.structs.replace(result, evaluations=evaluations))
    record_seeds([0.5, 0.1, 0.9])
    words = (ship("drawer", zoo=drawer / "zoo", runs=drawer / "runs") / "card.md").read_text()
    assert "4.7 % of the test images are taken for none of these (stated: 5 %)" in words
    assert "and 49.2 % of 10,000 pictures of cifar10 (area under the ROC curve 0.901)" in words
    assert card("drawer-econet", drawer / "zoo").evaluation.confidence == found


def test_a_file_that_is_not_the_recorded_one_is_not_shipped(drawer):
    record_seeds([0.5, 0.1, 0.9])
    artifact = drawer / "runs/drawer/seed-0/student/model.int8.onnx"
    artifact.write_bytes(artifact.read_bytes() + b"x")
    with pytest.raises(UserError, match="is not the file that was recorded"):
        ship("drawer", zoo=drawer / "zoo", runs=drawer / "runs")


def test_a_broken_budget_is_not_shipped(drawer):
    path = drawer / "recipes" / "drawer.toml"
    path.write_text(path.read_text() + "\n[budget]\nparameters = 10\n")
    assert read_recipe("drawer").budget.parameters == 10
    record_seeds([0.5, 0.1, 0.9])
    with pytest.raises(UserError, match="breaks its budget"):
        ship("drawer", zoo=drawer / "zoo", runs=drawer / "runs")
