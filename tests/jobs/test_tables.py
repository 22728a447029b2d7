"""The published tables hold the numbers of the result files, and a stale one is noticed."""

import re
import sys

import msgspec
import pytest

from econet.jobs import recipes, tables
from econet.runs.artifact_records import Benchmark, Evaluation, Export
from econet.runs.recipe_records import RecipeResult, Versions
from econet.runs.record import write_record

pytest_plugins = ["small_comparison"]

RECIPE = """
title = "{title}"
data = "fashion-mnist"
seeds = [0, 1, 2]
precision = "int8"
hardware = "one core"
hours = 0.5
[split]
validation = 0.02
seed = 0
[promised]
accuracy = 0.935
[[steps]]
do = "train"
run = "student"
model = "econet"
epochs = 3
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with two recipes and a README, not yet with results."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    (tmp_path / "docs").mkdir()
    for name in ("first", "second"):
        (folder / f"{name}.toml").write_text(RECIPE.format(title=f"The {name} network"))
    (tmp_path / "README.md").write_text(f"# Title\n\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    for room in (recipes, tables):
        monkeypatch.setattr(room, "recipes_folder", lambda: folder)
    return tmp_path


def keep(checkout, compared, seed, accuracy, hours):
    """A result of the first recipe: a real run's records, with accuracy and hours that a reader can recognise."""
    sides = [side for side in compared.record.sides if side.role == "candidate"]
    exports: list[Export] = [side.export for side in sides]
    evaluations: list[Evaluation] = [
        msgspec.structs.replace(side.evaluation, accuracy=value)
        for side, value in zip(sides, (0.111, accuracy), strict=True)
    ]
    benchmarks: list[Benchmark] = [side.benchmark for side in sides]
    result = RecipeResult(
        recipe="first",
        seed=seed,
        precision="int8",
        git=None,
        versions=Versions(econet="0", python="3", torch="2", onnxruntime="1"),
        started="2026-11-21T10:00:00+00:00",
        hours=hours,
        hardware="one core",
        threads=1,
        training=compared.run("candidate").finished,
        exports=tuple(exports),
        evaluations=tuple(evaluations),
        benchmarks=tuple(benchmarks),
    )
    write_record(checkout / "recipes" / "results" / "first" / f"seed-{seed}.json", result)
    return benchmarks[1]


def run_main(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["tables", *words])
    return tables.main()


def row(checkout, name):
    return next(line for line in (checkout / "README.md").read_text().splitlines() if f"`{name}`" in line)


def test_the_table_shows_the_figures_of_the_result_files(checkout, compared, monkeypatch):
    for seed, accuracy in ((0, 0.9301), (2, 0.9399), (1, 0.9350)):
        measured = keep(checkout, compared, seed, accuracy, hours=0.25)
    assert run_main(monkeypatch) == 0
    cells = [cell.strip() for cell in row(checkout, "first").strip("|").split("|")]
    # By hand: the mean of the three, and t(0.975, 2) = 4.3027 standard errors of 0.0049 / sqrt(3).
    assert cells == [
        "The first network (`first`, int8)",
        "93.50 % (92.28 to 94.72, n = 3)",
        "0: 93.01, 1: 93.50, 2: 93.99",
        "93.5 %",
        f"{measured.parameters:,}",
        f"{measured.macs / 1e6:.2f} M",
        f"{measured.bytes:,}",
        "0.25",
    ]


def test_a_single_seed_is_called_a_single_seed(checkout, compared, monkeypatch):
    keep(checkout, compared, 0, 0.9301, hours=0.1)
    run_main(monkeypatch)
    assert "| 93.01 % (n = 1) | 0: 93.01 |" in row(checkout, "first")


def test_a_recipe_that_was_not_run_says_so_and_claims_nothing(checkout, monkeypatch):
    run_main(monkeypatch)
    assert re.fullmatch(r"\| The second network .* \| not run yet \| \| 93.5 % \| \| \| \| \|", row(checkout, "second"))


def test_what_stands_around_the_marks_is_left_alone(checkout, monkeypatch):
    run_main(monkeypatch)
    text = (checkout / "README.md").read_text()
    assert text.startswith(f"# Title\n\n{tables.BEGIN}\n| recipe |")
    assert text.endswith(f"|\n{tables.END}\nafter\n")


def test_the_check_fails_for_a_stale_table_and_writes_nothing(checkout, compared, monkeypatch, capsys):
    stale = (checkout / "README.md").read_text()
    assert run_main(monkeypatch, "--check") == 1
    assert "README.md is stale: run `make tables`" in capsys.readouterr().err
    assert (checkout / "README.md").read_text() == stale
    run_main(monkeypatch)
    assert run_main(monkeypatch, "--check") == 0
    keep(checkout, compared, 0, 0.9301, hours=0.1)
    assert run_main(monkeypatch, "--check") == 1


def test_a_page_whose_second_mark_is_gone_is_not_cut(checkout, monkeypatch):
    page = checkout / "docs" / "results.md"
    page.write_text(f"{tables.BEGIN}\nold\nand the rest of the page\n")
    with pytest.raises(ValueError, match="end generated"):
        run_main(monkeypatch)
    assert page.read_text().endswith("and the rest of the page\n")


def test_a_page_may_hold_the_effects_of_the_claims_instead(checkout, monkeypatch):
    monkeypatch.setattr(tables, "claims", list)
    page = checkout / "docs" / "network.md"
    page.write_text(f"before\n{tables.BEGIN_EFFECTS}\nold\n{tables.END}\nafter\n")
    run_main(monkeypatch)
    head = "| claim | effect here | 95 % interval | label |\n| --- | --- | --- | --- |"
    assert page.read_text() == f"before\n{tables.BEGIN_EFFECTS}\n{head}\n{tables.END}\nafter\n"


def test_every_committed_result_is_read_under_the_recipe_and_seed_it_says():
    results = recipes.recipes_folder() / "results"
    for path in set(results.glob("*/*.json")) - set(results.glob("handcrafted/*.json")):
        assert path.parent.name in recipes.recipe_names()
        (found,) = [each for each in tables.results_of(path.parent.name) if path.name == f"seed-{each.seed}.json"]
        assert found.recipe == path.parent.name
