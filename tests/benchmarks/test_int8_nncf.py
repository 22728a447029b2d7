"""`benchmarks/int8_nncf.py`: our int8 files beside others of the same network, from files that are really there."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from econet.deployment import parity
from econet.jobs.export import export_run
from econet.training.progress import Silent

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "int8_nncf.py"


@pytest.fixture
def program(monkeypatch):
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    return importlib.import_module("int8_nncf")


@pytest.fixture
def sides(program):
    return importlib.import_module("int8_sides")


def contents(folder):
    return {path: path.read_bytes() for path in folder.iterdir()}


def test_our_static_file_is_what_export_writes_and_the_run_is_left_alone(
    sides, trained, clothes_data, tmp_path, monkeypatch
):
    run = trained("run", epochs=1)
    before = contents(run.folder)
    (side,) = sides.our_sides(run, clothes_data, tmp_path, 0)
    assert contents(run.folder) == before
    monkeypatch.setattr(parity, "INT8_LEAST_AGREEMENT", 0.0)
    record = export_run(run, clothes_data, int8=True, parity_drop=1.0, progress=Silent())
    assert side.path.read_bytes() == run.artifact("int8").read_bytes()
    assert (side.stripped_bytes, side.runtimes) == (record.bytes, ("onnxruntime", "openvino"))


def test_a_file_beside_itself_differs_in_nothing_but_its_notes(program, sides, trained, clothes_data, tmp_path):
    run = trained("run", epochs=1)
    (ours,) = sides.our_sides(run, clothes_data, tmp_path, 0)
    wordy = onnx.load(ours.path)
    wordy.doc_string = "a note" * 100
    other = sides.onnx_side("nncf onnx", wordy, tmp_path)
    assert other.bytes > ours.bytes + 600
    found = program.measured([ours, other], clothes_data, "validation", 2, 0.001)
    assert found["images"] == len(clothes_data.validation)
    assert [(each["runtime"], each["bytes_ratio"]) for each in found["against"]] == [
        ("onnxruntime", 1.0),
        ("openvino", 1.0),
    ]
    for each in found["against"]:
        assert each["accuracy_difference"]["candidate_minus_baseline"] == 0
        ratio = each["latency_ratio"]
        assert 0 < ratio["min"] <= ratio["median"] <= ratio["max"]
    first, second = found["sides"]
    assert first["onnxruntime"]["accuracy"] == second["onnxruntime"]["accuracy"]


def test_a_file_that_a_runtime_refuses_has_no_figures_there_and_its_reason(sides, trained, clothes_data, tmp_path):
    run = trained("run", epochs=1)
    (ours,) = sides.our_sides(run, clothes_data, tmp_path, 0)
    broken = onnx.load(ours.path)
    broken.graph.node[1].op_type = "NoSuchOperator"
    side = sides.onnx_side("nncf onnx", broken, tmp_path)
    assert side.runtimes == ("openvino",)
    assert "NoSuchOperator" in side.refused


@pytest.mark.parametrize(
    ("difference", "interval", "size", "rounds", "words"),
    [
        (0.001, (-0.004, 0.006), 0.99, (0.8, 0.95), []),
        (0.0, (-0.005, 0.005), 1.0, (0.9, 1.1), []),
        (-0.002, (-0.007, 0.003), 0.5, (0.9, 1.1), ["accuracy, by no more than chance explains"]),
        (-0.02, (-0.03, -0.01), 1.04, (1.02, 1.3), ["accuracy", "bytes", "latency"]),
    ],
)
def test_where_ours_is_behind_is_said(program, difference, interval, size, rounds, words):
    each = {
        "ours": "econet static",
        "other": "nncf onnx",
        "runtime": "openvino",
        "accuracy_difference": {"candidate_minus_baseline": difference, "interval": interval},
        "bytes_ratio": size,
        "latency_ratio": {"median": sum(rounds) / 2, "min": rounds[0], "max": rounds[1]},
    }
    assert program.behind_in(each) == [f"econet static against nncf onnx in openvino: {word}" for word in words]


def test_a_run_that_is_none_is_told_to_the_user(program, tmp_path, capsys):
    assert program.main([str(tmp_path / "nothing")]) == 2
    assert "is not a run" in capsys.readouterr().err


@pytest.mark.slow
def test_both_sides_are_made_of_one_network_and_measured_in_both_runtimes(trained, clothes_folder, tmp_path):
    pytest.importorskip("nncf")
    run = trained("run", epochs=2)
    words = [str(run.folder), "--data-dir", str(clothes_folder), "--epochs", "1", "--rounds", "2", "--json"]
    done = subprocess.run(
        [sys.executable, PROGRAM, *words, "--round-seconds", "0.001", "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "out" / "int8-nncf.json").read_bytes())
    assert result["weights_sha256"] == run.finished.weights_sha256
    names = ["econet static", "econet aware", "nncf onnx", "nncf per-tensor", "nncf openvino"]
    assert [side["name"] for side in result["sides"]] == names
    for side in result["sides"]:
        assert 0 <= side["openvino"]["accuracy"] <= 1
        assert side["bytes"] > 0
    assert {each["ours"] for each in result["against"]} == {"econet static", "econet aware"}
