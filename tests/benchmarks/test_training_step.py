"""`benchmarks/training_step.py` run as a user runs it, with slices too short to say anything about speed."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from econet.data.sources import places

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "training_step.py"
TUTORIALS = {"tutorial, 0 workers", "tutorial, 1 worker", "tutorial, 2 workers"}


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    words = "--only econet-28 --width 0.5 --rounds 1 --seconds 0.05 --batch-size 32 --threads 1 --json"
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *words.split()],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as a module; the folder it runs from is what it imports its other half from."""
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    return importlib.import_module("training_step")


def test_the_ratio_is_that_of_the_printed_rates(result: dict[str, Any]) -> None:
    (one,) = result["comparisons"]
    rates = {side: rate["median"] for side, rate in one["images_per_s"].items()}
    assert set(rates) == {"econet", *TUTORIALS}
    assert all(rate > 0 for rate in rates.values())
    best = max(rates[side] for side in TUTORIALS)
    assert rates[one["best_tutorial"]] == best
    assert one["ratio"]["median"] == pytest.approx(rates["econet"] / best)
    # One round: median, lowest and highest are the same figure.
    assert one["ratio"]["min"] == one["ratio"]["max"] == pytest.approx(one["ratio"]["median"])
    assert one["target"] == 1.7
    assert one["reached"] is (one["ratio"]["median"] >= 1.7)


def test_the_share_of_the_ceiling_counts_six_operations_a_mac(result: dict[str, Any]) -> None:
    (one,) = result["comparisons"]
    ceiling = one["ceiling_gflop_per_s"]
    assert ceiling == max(one["convolutions_gflop_per_s"].values())
    assert ceiling == one["convolutions_gflop_per_s"][one["ceiling_kernel"]] > 0
    for side, share in one["share_of_ceiling"].items():
        rate = one["images_per_s"][side]["median"]
        assert share == pytest.approx(rate * 6 * one["macs"] / (ceiling * 1e9))


def test_the_record_says_what_was_compared(result: dict[str, Any]) -> None:
    (one,) = result["comparisons"]
    assert (one["model"], one["width"], one["image"]) == ("econet", 0.5, [28, 28, 1])
    assert one["data"] == "fashion-mnist"
    assert one["precision"] in {"fp32", "bf16"}
    assert (result["batch_size"], result["rounds"]) == (32, 1)
    assert result["machine"]["threads"] == 1
    assert "--only econet-28" in result["command"]


def test_pictures_are_called_random_where_cifar10_is_not_found(
    program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SYSTEM_FOLDERS", ())
    monkeypatch.setenv("ECONET_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (case,) = (each for each in program.CASES if each.name == "econet-32")
    lesson, words = program.lesson_for(case, program.arguments(["--data-dir", str(tmp_path), "--width", "0.5"]))
    assert words.startswith("random pictures (")
    assert lesson.pixels.shape[1:] == (32, 32, 3)
    assert sorted(set(lesson.labels.tolist())) == list(range(10))
    values = (lesson.pixels.astype(float) - lesson.preprocess.offset) * lesson.preprocess.scale
    assert abs(values.mean()) < 0.05
    assert tuple(lesson.architecture["input"]) == (3, 32, 32)


def test_a_target_that_is_not_reached_is_said_plainly(program: ModuleType) -> None:
    case = program.Case("alexnet_small", "fashion-mnist", 28, 2.0)
    sides = dict(zip(program.SIDES, ([300.0, 330.0], [100.0, 120.0], [200.0, 180.0], [150.0, 150.0]), strict=False))
    figures = {side: [{"images_per_s": rate} for rate in rates] for side, rates in sides.items()}
    figures["ceiling"] = [{"3x3": 100.0, "5x5": 90.0}, {"3x3": 80.0, "5x5": 120.0}]
    found = program.summary(case, 20_000_000, figures)
    assert found["best_tutorial"] == "tutorial, 1 worker"
    assert found["ratio"] == pytest.approx({"median": 315 / 190, "min": 300 / 200, "max": 330 / 180})
    assert (found["ceiling_kernel"], found["ceiling_gflop_per_s"]) == ("5x5", 120.0)
    assert found["share_of_ceiling"]["econet"] == pytest.approx(315 * 0.12 / 120)
    assert found["reached"] is False
    description = {
        **found,
        "model": case.model,
        "width": None,
        "data": "fashion-mnist",
        "image": [28, 28, 1],
        "macs": 20_000_000,
        "precision": "bf16",
    }
    machine = {"cpu": "A", "cores": 2, "threads": 1, "load_average": 0.0, "torch": "2", "python": "3"}
    record = {"machine": machine, "batch_size": 256, "rounds": 2, "seconds": 1.0, "command": "python"}
    printed = program.table({**record, "comparisons": [description]})
    assert "econet / tutorial, 1 worker: 1.66 (1.50-1.83); the target 2 is NOT reached" in printed
