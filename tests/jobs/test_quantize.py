"""`quantize`: a run of its own that begins where its parent ended, and ends in the int8 file it was trained for."""

import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import econet
from econet.cli.main import main
from econet.deployment.graph_writer import OUTPUT
from econet.errors import UserError
from econet.jobs import export as export_room
from econet.jobs import quantize as quantize_room
from econet.jobs.benchmark import parameters_trained
from econet.jobs.export import export_run
from econet.jobs.networks import network_of, quantized_network
from econet.jobs.options import QuantizeOptions, TrainOptions
from econet.jobs.quantize import quantize
from econet.jobs.train import train
from econet.runs.artifact_records import Evaluation, Export
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.training.interruption import Interrupted
from econet.training.progress import Silent
from econet.training.weights import trained_network

SAME = {"deterministic": True, "threads": 1}
QUICK = QuantizeOptions(epochs=1, batch_size=32, **SAME)


@pytest.fixture(scope="module")
def parents(clothes_data, tmp_path_factory):
    """Small runs that learned something, by model."""
    home = tmp_path_factory.mktemp("parents")
    asked = {"epochs": 3, "batch_size": 32, "deterministic": True, "threads": 1}
    return {
        "econet": train(home / "econet", clothes_data, TrainOptions(model="econet", width=0.25, **asked), Silent()),
        "alexnet_small": train(
            home / "alexnet_small", clothes_data, TrainOptions(model="alexnet_small", lr=0.01, **asked), Silent()
        ),
    }


@pytest.fixture(scope="module")
def quantized(parents, clothes_data, tmp_path_factory):
    """A finished quantized run of the econet parent, exported."""
    run = quantize(tmp_path_factory.mktemp("made") / "run", parents["econet"], clothes_data, QUICK, Silent())
    export_run(run, clothes_data, int8=False, parity_drop=0.02, progress=Silent())
    return run


def test_the_run_names_its_parent_and_learns_from_it(quantized, parents):
    config, parent = quantized.config, parents["econet"]
    assert (quantized.folder / config.parent).resolve() == parent.folder.resolve()
    assert (quantized.folder / config.training.teacher.run).resolve() == parent.folder.resolve()
    assert config.training.from_weights_sha256 == parent.finished.weights_sha256
    assert config.architecture["quantized"] == parent.config.architecture
    assert (config.training.lr, config.training.optimizer, config.training.weight_decay) == (1e-3, "sgd", 0)
    assert (config.training.augment, config.training.ema) == (
        parent.config.training.augment,
        parent.config.training.ema,
    )
    assert quantized.is_finished


def test_its_file_gives_its_answers(quantized):
    assert [path.name for path in quantized.artifacts()] == ["model.int8.onnx"]
    record = read_record(quantized.folder / "model.int8.export.json", Export)
    assert record.parity.passed
    assert record.parity.top1_agreement == 1
    assert record.parity.largest_steps < 3
    assert record.parity.equal_steps > 0.95
    assert record.precision == "int8"
    learned = np.concatenate([each.ravel() for each in quantized_network(quantized).constants().values()])
    graph = onnx.load(quantized.artifact("int8")).graph
    stored = sum(int(np.prod(each.dims)) for each in graph.initializer if each.data_type == onnx.TensorProto.INT8)
    assert 0.8 * len(learned) < stored <= len(learned)


def test_it_is_built_again_without_its_parent(quantized, parents, clothes_data, tmp_path):
    moved = tmp_path / "far" / "from" / "its" / "home"
    moved.parent.mkdir(parents=True)
    subprocess.run(["cp", "-r", quantized.folder, moved], check=True)
    (moved / "model.int8.onnx").unlink()
    assert not (moved / quantized.config.parent).exists()
    record = export_run(Run(moved), clothes_data, int8=True, parity_drop=0.02, progress=Silent())
    assert record.sha256 == read_record(quantized.folder / "model.int8.export.json", Export).sha256


def test_training_moved_the_weights_and_the_first_quarter_the_ranges(quantized, parents, clothes_data):
    graph, constants, ranges, _ = quantize_room._calibrated(parents["econet"], clothes_data, None, 0)
    network = quantized_network(quantized)
    assert network.observations_left == 0
    moved = [np.abs(network.constants()[name] - values).max() for name, values in constants.items()]
    assert min(moved) > 0
    before = np.array([ranges[name] for name in graph.observed])
    assert not np.allclose(network.ranges.numpy(), before, rtol=1e-6)
    assert np.allclose(network.ranges.numpy(), before, rtol=0.2, atol=0.2)


def test_evaluate_benchmark_show_and_predict_work_on_it(quantized, clothes_folder, tmp_path, capsys):
    folder = tmp_path / "run"
    subprocess.run(["cp", "-r", quantized.folder, folder], check=True)
    assert main(["evaluate", str(folder), "--split", "validation", "--data-dir", str(clothes_folder)]) == 0
    evaluation = read_record(folder / "model.int8.evaluation.json", Evaluation)
    assert evaluation.torch_agreement.top1_agreement == 1
    assert evaluation.accuracy == pytest.approx(quantized.finished.validation_accuracy, abs=0.03)
    assert main(["show", str(folder)]) == 0
    assert "made from" in capsys.readouterr().out
    assert parameters_trained(Run(folder)) > 1000


def test_it_does_not_teach_start_others_or_be_quantized_again(quantized, clothes_data, tmp_path):
    asked = TrainOptions(model="econet", width=0.25, epochs=1, batch_size=32, deterministic=True, threads=1)
    for role in ("teacher", "start"):
        options = TrainOptions(
            model="econet", width=0.25, epochs=1, deterministic=True, threads=1, **{role: quantized.folder}
        )
        with pytest.raises(UserError, match="is a quantized run"):
            train(tmp_path / role, clothes_data, options, Silent())
    with pytest.raises(UserError, match="is a quantized run"):
        quantize(tmp_path / "again", quantized, clothes_data, QUICK, Silent())
    with pytest.raises(UserError, match="is a quantized run"):
        trained_network(quantized)
    with pytest.raises(UserError, match="econet quantize --resume"):
        train(quantized.folder, clothes_data, asked, Silent(), resume=True)
    assert not (tmp_path / "again" / "config.json").exists()


def test_an_unfinished_run_and_hand_crafted_features_cannot_be_quantized(clothes_data, tmp_path, parents):
    run = Run(tmp_path / "unfinished")
    run.write_config(parents["econet"].config)
    with pytest.raises(UserError, match="is not finished"):
        quantize(tmp_path / "a", run, clothes_data, QUICK, Silent())
    made = train(tmp_path / "hog", clothes_data, TrainOptions(model="hog_linear"), Silent())
    with pytest.raises(UserError, match="holds no network"):
        quantize(tmp_path / "b", made, clothes_data, QUICK, Silent())


def test_without_calibration_images_it_stops_before_anything_is_written(parents, clothes_data, tmp_path, monkeypatch):
    monkeypatch.setattr(export_room, "CALIBRATION_IMAGES", 0)
    with pytest.raises(UserError, match="no calibration images were seen"):
        quantize(tmp_path / "run", parents["econet"], clothes_data, QUICK, Silent())
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_run_without_its_data_is_refused(parents, capsys, tmp_path):
    assert main(["quantize", str(parents["econet"].folder), "--epochs", "1", "--out", str(tmp_path / "q")]) == 2
    assert "belongs to other data" in capsys.readouterr().err
    assert not (tmp_path / "q" / "config.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["quantize"], "RUN is missing"),
        (["quantize", "--resume", "--out", "nowhere"], "nowhere is not a run"),
        (["quantize", "{run}", "--lr", "0"], "--lr 0 is out of range"),
        (["quantize", "{run}", "--lr", "-1"], "--lr -1 is out of range"),
        (["quantize", "{run}", "--epochs", "0", "--out", "{new}"], "--epochs 0 is out of range"),
        (["quantize", "{run}", "--epochs", "1", "--time", "5m", "--out", "{new}"], "--epochs and --time"),
        (["quantize", "{run}", "--teacher", "nobody", "--out", "{new}"], "nobody is not a run"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(words, said, parents, clothes_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    where = {"run": str(parents["econet"].folder), "new": str(tmp_path / "new")}
    assert main([word.format(**where) for word in words] + ["--data-dir", str(clothes_folder)]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.rglob("config.json")) == []


def test_stopped_and_resumed_it_ends_with_the_same_bits(parents, clothes_data, tmp_path, teller):
    whole = quantize(tmp_path / "whole", parents["alexnet_small"], clothes_data, QUICK, Silent())

    def stop(step: int) -> None:
        if step == 3:
            os.kill(os.getpid(), 15)

    with pytest.raises(Interrupted):
        quantize(tmp_path / "cut", parents["alexnet_small"], clothes_data, QUICK, teller(stop))
    run = quantize(tmp_path / "cut", parents["alexnet_small"], clothes_data, QUICK, Silent(), resume=True)
    assert run.weights_path.read_bytes() == whole.weights_path.read_bytes()


KILLED = """
import os, sys
from pathlib import Path
from econet.data.load import load_data
from econet.jobs.options import QuantizeOptions
from econet.jobs.quantize import quantize
from econet.runs.folder import Run
from econet.training.progress import Silent

class Dying(Silent):
    def advance(self, step, loss, images_per_s):
        if step == int(sys.argv[4]):
            os.kill(os.getpid(), 9)

data = load_data("fashion-mnist", data_dir=Path(sys.argv[1]), validation=0.15)
asked = QuantizeOptions(epochs=1, batch_size=32, deterministic=True, threads=1)
quantize(Path(sys.argv[3]), Run(Path(sys.argv[2])), data, asked, Dying(), resume=True, checkpoint_seconds=0.0)
"""


def test_resume_after_kill_gives_identical_weights(quantized, parents, clothes_data, clothes_folder, tmp_path):
    words = [sys.executable, "-c", KILLED, clothes_folder, parents["econet"].folder, tmp_path / "run"]
    for step in (1, 5):  # before the first checkpoint, and in the middle
        assert subprocess.run([*words, str(step)], check=False).returncode == -9
        assert not (tmp_path / "run" / "finished.json").exists()
    run = quantize(tmp_path / "run", parents["econet"], clothes_data, QUICK, Silent(), resume=True)
    assert run.weights_path.read_bytes() == quantized.weights_path.read_bytes()
    graph = quantized_network(run).graph
    assert graph.operations[-1].outputs == (OUTPUT,)


def test_a_parent_that_changed_is_noticed_before_a_resume(parents, clothes_data, tmp_path):
    folder = tmp_path / "parent"
    subprocess.run(["cp", "-r", parents["econet"].folder, folder], check=True)
    run = quantize(tmp_path / "run", Run(folder), clothes_data, QUICK, Silent())
    run.finished_path.unlink()
    run.weights_path.unlink()
    (folder / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes() + b"x")
    with pytest.raises(UserError, match=r"the run that is quantized in .* changed"):
        quantize(tmp_path / "run", Run(folder), clothes_data, QUICK, Silent(), resume=True)


def test_the_terminal_quantizes_and_exports(parents, clothes_folder, tmp_path, capsys):
    where = ["--data-dir", str(clothes_folder)]
    words = ["quantize", str(parents["econet"].folder), "--out", str(tmp_path / "q"), "--epochs", "1"]
    assert main([*words, "--deterministic", "--threads", "1", "--teacher", "none", "--json", *where]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["config"]["training"]["teacher"] is None
    assert main(["quantize", "--resume", "--out", str(tmp_path / "q"), *where]) == 0
    assert "nothing left to train" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "q"), *where]) == 0
    assert "parity holds" in capsys.readouterr().out
    assert (tmp_path / "q" / "model.int8.onnx").is_file()


@pytest.mark.parametrize(
    ("lost", "images", "much"), [(1 / 98, 98, False), (0.011, 5000, True), (0.009, 50_000, False), (-0.02, 5000, False)]
)
def test_a_loss_of_a_point_is_told_from_chance(lost, images, much):
    assert export_room.costs_much(lost, images) is much


def test_export_says_when_static_int8_costs_much_and_what_to_do(parents, clothes_folder, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "run"
    subprocess.run(["cp", "-r", parents["econet"].folder, folder], check=True)
    monkeypatch.setattr(export_room, "costs_much", lambda lost, images: True)
    assert main(["export", str(folder), "--int8", "--data-dir", str(clothes_folder), "--parity-drop", "1"]) == 0
    ended = capsys.readouterr()
    assert f"`econet quantize {folder}` trains them back" in ended.out
    assert f"next: econet quantize {folder}" in ended.err
    assert any(
        "points of validation accuracy" in text
        for text in read_record(folder / "model.int8.export.json", Export).warnings
    )


class Own(nn.Module):
    """A user's own network, handed over as an object."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1))
        self.last = nn.Linear(8 * 49, 10)

    def forward(self, x):
        x = self.body(x)
        return self.last(torch.flatten(torch.relu(x), 1))


def test_a_network_object_is_quantized_and_exported_without_it(trained, clothes_data, tmp_path):
    run = trained("own", module=Own())
    made = econet.quantize(
        run, out=tmp_path / "q", module=Own(), data=clothes_data, epochs=1, batch_size=32, deterministic=True, threads=1
    )
    assert made.config.training.teacher is not None
    assert isinstance(network_of(made), nn.Module)
    assert econet.export(made, data=clothes_data) == tmp_path / "q" / "model.int8.onnx"


def test_layers_that_stay_in_float_are_warned_about_by_name(clothes_data, tmp_path, teller):
    asked = TrainOptions(
        model="alexnet_small", switches={"lrn": True}, epochs=1, lr=0.01, deterministic=True, threads=1
    )
    run = train(tmp_path / "lrn", clothes_data, asked, Silent())
    listener = teller()
    made = quantize(tmp_path / "q", run, clothes_data, QUICK, listener)
    (warning,) = made.config.warnings
    assert warning.startswith("these operators stay in float: ")
    assert "Sqrt" in warning
    assert warning in listener.notes
    record = export_run(made, clothes_data, int8=False, parity_drop=0.02, progress=Silent())
    assert warning in record.warnings
