"""`benchmarks/alexnet_paper.py`: what may change is told, what may not is refused, and every ratio is what it says."""

import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from econet.deployment import parity
from econet.errors import UserError
from econet.jobs.evaluate import answers_path, record_path
from econet.jobs.export import export_run
from econet.jobs.options import PruneOptions, TrainOptions
from econet.jobs.prune import prune
from econet.jobs.train import train
from econet.models import cost
from econet.models.architecture import from_data
from econet.runs.artifact_records import Evaluation
from econet.runs.record import read_record
from econet.training.progress import Silent

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "alexnet_paper.py"
KEEP = {"layers.0.conv": 8, "layers.2.conv": 8, "layers.9.linear": 24}
SETTINGS = {"epochs": 1, "batch_size": 24, "deterministic": True, "threads": 1}
PUBLISHED = {"model": "alexnet:mini", "switches": {"width": 0.125}, "optimizer": "adamw", "lr": 0.001}


@pytest.fixture
def program(monkeypatch):
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    monkeypatch.setattr(parity, "INT8_LEAST_AGREEMENT", 0.0)
    return importlib.import_module("alexnet_paper")


@pytest.fixture
def plan(program):
    return importlib.import_module("alexnet_plan")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def whole(home, clothes_data):
    return train(home / "whole", clothes_data, TrainOptions(**PUBLISHED, **SETTINGS), Silent())


@pytest.fixture
def small(whole, home, clothes_data):
    """The whole one cut to widths by name, not trained on; its files are each test's own."""
    tuning = TrainOptions(**SETTINGS | {"epochs": 0})
    options = PruneOptions(keep=KEEP, drop_lrn=True, drop_mean=True, dropout=0.0, tuning=tuning)
    shutil.rmtree(home / "small", ignore_errors=True)
    return prune(whole, home / "small", clothes_data, options, Silent())


def test_widths_normalisation_and_mean_may_change_and_are_told(plan, whole, small):
    found = plan.kept_plan(whole, small)
    assert [each.layer for each in found.widths] == ["c1", "c2", "c3", "c4", "c5", "f6", "f7", "f8"]
    changed = {each.layer: each.after for each in found.widths if each.after != each.before}
    assert changed == {"c1": 8, "c2": 8, "f6": 24}
    assert (found.normalisation, found.mean) == ("a constant, folded", "one offset")
    before, after = (from_data(run.config.architecture) for run in (whole, small))
    assert found.parameters == (cost.parameters(before), cost.parameters(after))
    assert plan.kept_plan(whole, whole).mean == "an image"


def test_another_network_and_another_plan_are_refused_by_name(plan, trained, whole):
    other = trained("other", model="alexnet_small", epochs=1)
    with pytest.raises(UserError, match=r"(?s)other is not the network of 2012.*\(1, 1, 1, 1, 1\)"):
        plan.kept_plan(other, whole)
    apart = trained("apart", **PUBLISHED | {"switches": {"width": 0.125, "overlap": False}})
    with pytest.raises(UserError, match=r"(?s)apart is not within the plan of .*whole.*layer 2 was MaxPool\(kernel=3"):
        plan.kept_plan(whole, apart)
    shallow = trained("shallow", **PUBLISHED | {"switches": {"width": 0.125, "dense_layers": False}})
    with pytest.raises(UserError, match="has 10 layers, and 12 are wanted"):
        plan.kept_plan(whole, shallow)


def test_a_file_that_is_not_the_recorded_network_is_refused(plan, whole, small, clothes_data):
    for run in (whole, small):
        export_run(run, clothes_data, int8=False, parity_drop=1.0, progress=Silent())
    plan.check_file(small.artifact("fp32"), small)
    with pytest.raises(UserError, match=r"model\.onnx is not the network that is recorded"):
        plan.check_file(whole.artifact("fp32"), small)


def test_every_figure_comes_from_the_files(program, whole, small, clothes_folder, clothes_data, tmp_path, capsys):
    out = tmp_path / "out"
    words = [str(whole.folder), str(small.folder), str(small.folder), "--data-dir", str(clothes_folder)]
    code = program.main([*words, "--rounds", "2", "--out", str(out), "--proof", "test", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads((out / "alexnet-paper.json").read_text())
    files = whole.artifact("fp32"), small.artifact("int8")
    sizes = [path.stat().st_size for path in files]
    one = shown["small"][0]
    assert (shown["whole"]["bytes"], one["bytes"], one["times_smaller"]) == (*sizes, sizes[0] / sizes[1])
    told = [np.load(answers_path(path)) for path in files]
    right = [each["predicted"] == each["truth"] for each in told]
    assert one["difference"]["candidate_minus_baseline"] == pytest.approx(right[1].mean() - right[0].mean())
    assert one["difference"]["n10"] == int((right[0] & ~right[1]).sum())
    assert one["accuracy"]["value"] == pytest.approx(right[1].mean())
    assert shown["images"] == len(clothes_data.test)
    assert one["reached"]["smaller"] == (sizes[0] / sizes[1] >= 200)
    assert code == (0 if all(one["reached"].values()) else 1)
    assert (out / "alexnet-paper.svg").read_text().startswith("<svg")
    # The time is set against a file that has no normalisation left.
    operators = {node.op_type for node in onnx.load(out / "without-lrn.onnx").graph.node}
    assert not {"AveragePool", "Sqrt", "Pow"} & operators
    assert {"AveragePool", "Sqrt"} <= {node.op_type for node in onnx.load(files[0]).graph.node}


def test_the_test_pictures_are_read_once(program, small, clothes_data):
    export_run(small, clothes_data, int8=True, parity_drop=1.0, progress=Silent())
    path = small.artifact("int8")
    first = program.evaluated(path, clothes_data, "test")
    assert program.evaluated(path, clothes_data, "test") == first
    assert read_record(record_path(path), Evaluation).test_reads == 1
    assert program.evaluated(path, clothes_data, "validation").data.split == "validation"


@pytest.mark.parametrize(
    ("sizes", "rounds", "right", "reached"),
    [
        ((20_000, 100), ([10.0, 12.0], [1.0, 1.0]), (60, 60), (True, True, True)),
        ((19_900, 100), ([9.0, 10.0], [1.0, 1.0]), (60, 59), (False, False, False)),
    ],
)
def test_what_is_wanted_is_reached_or_not(program, whole, small, tmp_path, sizes, rounds, right, reached):
    """Of 100 pictures one is one point; the ratio of time is the median of the rounds'."""
    files = tmp_path / "a.onnx", tmp_path / "b.onnx"
    for path, size, count in zip(files, sizes, right, strict=True):
        path.write_bytes(bytes(size))
        predicted = np.where(np.arange(100) < count, 0, 1).astype(np.uint16)
        probabilities = np.zeros((100, 10), np.float16)
        np.savez(answers_path(path), truth=np.zeros(100, np.uint16), predicted=predicted, probabilities=probabilities)
    found = program.candidate(whole, small, files, rounds)
    assert tuple(found["reached"].values()) == reached
    assert found["times_smaller"] == sizes[0] / sizes[1]
    assert found["times_faster"]["median"] == pytest.approx(np.median(np.array(rounds[0]) / np.array(rounds[1])))


def test_a_run_that_is_none_is_refused_in_one_shape(program, whole, tmp_path, capsys):
    assert program.main([str(whole.folder), str(tmp_path / "nowhere")]) == 2
    assert "try:" in capsys.readouterr().err
