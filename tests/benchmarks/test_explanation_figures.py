"""`benchmarks/explanation_figures.py` in miniature: a network that learned little, and a control that must fail."""

import importlib
from pathlib import Path

import pytest

from econet.jobs.export import export_run
from econet.training.progress import Silent

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "explanation_figures.py"


def test_every_way_is_held_against_random_masks_and_weights(
    trained, clothes_data, clothes_folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    program = importlib.import_module("explanation_figures")
    run = trained("run", epochs=1)
    export_run(run, clothes_data, int8=False, parity_drop=1.0, progress=Silent())
    words = [str(run.folder), "--images", "4", "--masks", "30", "--data-dir", str(clothes_folder)]
    result = program.measure(program.arguments(words))
    assert result["images"] == 4
    assert list(result["ways"]) == [
        *("artifact masks", "artifact occlusion", "run grad-cam", "run masks", "run occlusion"),
        "edges",
    ]
    edges = result["ways"]["edges"]
    assert edges["random_weights"]["all layers"]["value"] == pytest.approx(1)
    assert not edges["comes_from_the_weights"]
    same = result["agreement"]["artifact masks / run masks"]
    assert same["rank_correlation"]["value"] > 0.99
    assert same["rank_correlation"]["images"] == 4
    made = {"cpu": "", "cores": 1, "load_average": 0.0}
    assert "does not come from the weights" in program.table({"machine": made, "command": "", **result})
