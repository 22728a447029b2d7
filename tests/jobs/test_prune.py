"""`prune`: a narrower run out of a finished one, which is a run like any other: saved, resumed, exported, cut again."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import econet
from econet.errors import UserError
from econet.files import sha256_of
from econet.jobs.evaluate import evaluate
from econet.jobs.export import export_run, torch_logits
from econet.jobs.narrowing import Step, narrowed_again
from econet.jobs.options import PruneOptions, TrainOptions
from econet.jobs.prune import prune
from econet.jobs.run_data import seen_by
from econet.jobs.train import train
from econet.models import catalog, cost
from econet.models.architecture import from_data
from econet.models.cuts import positions
from econet.runs.folder import Run
from econet.runs.record import digest
from econet.training.progress import Silent
from econet.training.weights import trained_network

TUNING = TrainOptions(epochs=1, batch_size=48, deterministic=True, threads=1)
CUT_ALONE = replace(TUNING, epochs=0)


class Mine(nn.Module):
    """A user's own network with a shuffle, and a buffer that the weights file does not hold."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)
        self.grouped, self.last = nn.Conv2d(16, 32, 1, groups=2), nn.Linear(32, 10)
        self.register_buffer("level", torch.linspace(0.5, 1.5, 16), persistent=False)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x))) * self.level[:, None, None]
        x = torch.relu(self.grouped(x))
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.last(x.mean((2, 3)))


def mine(classes: int = 10) -> nn.Module:
    return Mine()


@pytest.fixture(scope="module")
def parents(clothes_data, tmp_path_factory):
    """A finished run of a model, trained once: a name of the catalog, a function's reference or an object."""
    made: dict[str, Run] = {}

    def of(model: str, module: nn.Module | None = None, **asked) -> Run:
        if model not in made:
            folder = tmp_path_factory.mktemp("parents") / "run"
            options = replace(TUNING, model=model, **asked)
            made[model] = train(folder, clothes_data, options, Silent(), module=module)
        return made[model]

    return of


@pytest.fixture
def parent(parents) -> Run:
    return parents("econet", width=0.25)


@pytest.fixture
def pruned(clothes_data, tmp_path):
    def make(parent, name="pruned", *, progress=None, module=None, resume=False, **asked) -> Run:
        options = PruneOptions(**{"ratio": 0.5, "tuning": CUT_ALONE, **asked})
        folder = tmp_path / name
        return prune(parent, folder, clothes_data, options, progress or Silent(), module=module, resume=resume)

    return make


def test_a_pruned_run_is_rebuilt_from_its_record_and_holds_the_parent_s_weights(parent, pruned):
    run = pruned(parent)
    narrow, whole = load_file(run.weights_path), load_file(parent.weights_path)
    for name, value in whole.items():
        expected = value
        for axis, kept in enumerate(run.pruning.keep.get(name, ())):
            expected = expected if kept is None else expected.index_select(axis, torch.tensor(positions(kept)))
        assert torch.equal(narrow[name], expected), name
    network = trained_network(run)
    assert network.architecture == from_data(run.config.architecture)
    assert run.config.parent == os.path.relpath(parent.folder, run.folder)
    assert run.finished.epochs == run.config.plan.steps == 0


def test_the_record_tells_what_really_went(parent, pruned):
    run = pruned(parent)
    record = run.pruning
    before, after = (from_data(each.config.architecture) for each in (parent, run))
    assert record.removed.macs == pytest.approx(1 - cost.macs(after) / cost.macs(before), abs=1e-12)
    assert record.removed.macs == pytest.approx(0.5, abs=0.03)
    counts = [sum(p.numel() for p in trained_network(each).parameters()) for each in (parent, run)]
    assert record.removed.parameters == pytest.approx(1 - counts[1] / counts[0], abs=1e-12)
    assert (record.before.bytes, record.after.bytes) == tuple(
        each.weights_path.stat().st_size for each in (parent, run)
    )
    assert record.proof.max_difference <= 1e-12
    assert record.ratio == 0.5
    stem = next(each for each in record.layers if each.layer == "layers.0.conv")
    assert stem.after == trained_network(run).layers[0].conv.out_channels <= stem.before


def test_a_pruned_run_is_exported_evaluated_and_pruned_again(parent, pruned, clothes_data, monkeypatch):
    run = pruned(parent)
    export_run(run, clothes_data, int8=False, parity_drop=1.0, progress=Silent())
    pixels = clothes_data.test.pixels[:40]
    expected = torch_logits(trained_network(run), pixels, clothes_data.preprocess)
    np.testing.assert_allclose(econet.Predictor(run.artifact("fp32")).logits(pixels), expected, atol=1e-4)
    monkeypatch.setattr("econet.jobs.evaluate._dataset", lambda *_: clothes_data)
    assert [each.precision for each in evaluate(run.folder, None, "validation", Silent())] == ["fp32"]
    again = pruned(run, "again", ratio=0.3)
    assert again.pruning.before == run.pruning.after
    assert again.config.parent == os.path.relpath(run.folder, again.folder)
    assert again.pruning.removed.macs == pytest.approx(0.3, abs=0.05)


def test_it_learns_from_its_parent_unless_told_otherwise(parent, pruned):
    taught = pruned(parent, tuning=TUNING)
    assert taught.config.training.teacher.run == os.path.relpath(parent.folder, taught.folder)
    assert taught.finished.epochs == len(taught.history) == 1
    assert taught.config.training.lr == pytest.approx(0.3 * parent.config.training.lr)
    alone = pruned(parent, "alone", teacher="none", tuning=replace(TUNING, lr=0.004))
    assert alone.config.training.teacher is None
    assert alone.config.training.lr == 0.004


def test_iterations_take_equal_shares_of_what_is_left_and_train_in_between(parent, pruned):
    run = pruned(parent, ratio=0.6, iterations=2, importance="taylor", tuning=TUNING)
    step = Run(run.folder / "step-1")
    assert step.pruning.target == pytest.approx(1 - 0.4**0.5)
    assert step.pruning.removed.macs == pytest.approx(step.pruning.target, abs=0.05)
    assert run.pruning.removed.macs == pytest.approx(0.6, abs=0.05)
    assert run.pruning.origin_sizes == step.pruning.before
    assert run.config.parent == "step-1"
    teachers = [each.folder / each.config.training.teacher.run for each in (step, run)]
    assert [each.resolve() for each in teachers] == [parent.folder.resolve()] * 2
    assert step.finished.epochs == run.finished.epochs == 1
    assert [each.before for each in run.pruning.layers] == [each.before for each in step.pruning.layers]


@pytest.mark.slow
def test_the_same_command_gives_the_same_bits(parent, pruned):
    first, second = (pruned(parent, name, importance="taylor", tuning=TUNING) for name in ("a", "b"))
    assert first.weights_path.read_bytes() == second.weights_path.read_bytes()


def test_a_user_s_own_network_is_rebuilt_from_its_factory_and_the_cuts(parents, pruned, clothes_data):
    parent = parents(f"{__name__}:mine")
    run = pruned(pruned(parent, "once", ratio=0.4), ratio=0.3, tuning=TUNING)
    assert len(run.config.architecture["cuts"]) == 2
    network = trained_network(run)
    expected = torch.linspace(0.5, 1.5, 16)
    for cut in run.config.architecture["cuts"]:
        expected = expected[positions(cut["keep"]["level"][0])] if "level" in cut["keep"] else expected
    assert torch.equal(network.level, expected)
    assert network.first.out_channels == len(expected) == network.norm.num_features < 16
    export_run(run, clothes_data, int8=False, parity_drop=1.0, progress=Silent())
    pixels = clothes_data.test.pixels[:20]
    logits = torch_logits(network, pixels, clothes_data.preprocess)
    np.testing.assert_allclose(econet.Predictor(run.artifact("fp32")).logits(pixels), logits, atol=1e-4)


def test_a_recorded_cut_that_was_tampered_with_is_refused(parents, pruned):
    run = pruned(parents(f"{__name__}:mine"), "tampered")
    config = json.loads(run.config_path.read_bytes())
    config["architecture"]["cuts"][0]["keep"]["level"] = ["0-99"]
    config["architecture_sha256"] = digest(config["architecture"])
    run.config_path.write_text(json.dumps(config))
    with pytest.raises(UserError, match="`level` along axis 0 does not fit its 16 positions"):
        trained_network(run)


def test_a_network_handed_over_as_an_object_is_pruned_by_handing_it_again(parents, clothes_data, tmp_path):
    network = Mine()
    parent = parents("object", network)
    asked = {"ratio": 0.4, "data": clothes_data, "batch_size": 48, "deterministic": True, "threads": 1}
    run = econet.prune(parent, module=network, epochs=1, out=tmp_path / "run", **asked)
    assert network.first.out_channels == 16  # the object is left as it was
    artifact = econet.export(run, module=Mine(), data=clothes_data)
    mine_again = Mine()
    assert trained_network(run, mine_again).first.out_channels < 16
    assert trained_network(run, mine_again) is mine_again  # cut already: taken as it is
    pixels = clothes_data.test.pixels[:20]
    logits = torch_logits(mine_again, pixels, clothes_data.preprocess)
    np.testing.assert_allclose(econet.Predictor(artifact).logits(pixels), logits, atol=1e-4)
    twice = econet.prune(run, module=Mine(), epochs=0, out=tmp_path / "twice", **asked)
    assert len(twice.config.architecture["cuts"]) == 2
    with pytest.raises(UserError, match="Sequential is not the network that was pruned"):
        trained_network(run, nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    with pytest.raises(UserError, match="was handed over as a Python object"):
        econet.prune(run, epochs=0, out=tmp_path / "refused", **asked)


def test_lrn_is_refused_by_name_and_pruned_once_it_is_dropped(parents, pruned, clothes_data):
    parent = parents("alexnet_small", switches={"lrn": True})
    with pytest.raises(UserError, match=r"(?s)local response normalisation.*--drop-lrn.*--switch lrn=false"):
        pruned(parent, "refused")
    run = pruned(parent, drop_lrn=True, ratio=0.3)
    with pytest.raises(UserError, match="was begun with --drop-lrn"):
        pruned(parent, resume=True, ratio=0.3)
    assert pruned(parent, resume=True, ratio=0.3, drop_lrn=True).finished == run.finished
    assert len(run.pruning.lrn_factors) == 2
    assert all(0 < factor <= 2**-0.75 + 1e-9 for factor in run.pruning.lrn_factors)
    assert "lrn" not in {layer["kind"] for layer in run.config.architecture["layers"]}
    whole = pruned(parent, "whole", drop_lrn=True, ratio=0.0)
    pixels = clothes_data.validation.pixels
    answers = [
        torch_logits(trained_network(each), pixels, clothes_data.preprocess).argmax(1) for each in (parent, whole)
    ]
    assert (answers[0] == answers[1]).mean() > 0.9


def test_the_published_plan_is_cut_to_widths_by_name_with_an_offset_for_its_mean_image(parents, pruned, clothes_data):
    """Normalisation, mean image and dropout change before the cut; saved, resumed, taught and exported alike."""
    parent = parents("alexnet:mini", width=0.25, optimizer="adamw", lr=0.001)
    keep = {"layers.0.conv": 8, "layers.2.conv": 12, "layers.9.linear": 10}
    asked = {"ratio": 0.0, "keep": keep, "drop_lrn": True, "drop_mean": True, "dropout": 0.0}
    run = pruned(parent, tuning=TUNING, **asked)
    made = {each.layer: each.after for each in run.pruning.layers}
    before = {each.layer: each.before for each in run.pruning.layers}
    assert made == before | keep
    assert run.pruning.asked_widths == keep
    assert (run.pruning.mean_dropped, run.pruning.dropout) == (True, 0.0)
    assert run.pruning.proof.max_difference <= 1e-12
    kinds = [layer["kind"] for layer in run.config.architecture["layers"]]
    assert not {"mean-image", "lrn"} & set(kinds)
    assert {layer["p"] for layer in run.config.architecture["layers"] if layer["kind"] == "dropout"} == {0.0}
    assert parent.config.data.preprocess.scale == 1.0
    assert run.config.data.preprocess == clothes_data.preprocess
    assert run.config.training.teacher.run == os.path.relpath(parent.folder, run.folder)
    export_run(run, clothes_data, int8=True, parity_drop=1.0, progress=Silent())
    model = onnx.load(run.artifact("int8"))
    floats = [each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
    assert max(len(each.dims) for each in floats) == 1  # scales alone
    assert {node.op_type for node in model.graph.node} <= {
        *("QuantizeLinear", "DequantizeLinear", "Conv", "MaxPool", "Flatten", "Gemm")
    }
    with pytest.raises(UserError, match="was begun with --drop-mean"):
        pruned(parent, resume=True, tuning=TUNING, **{**asked, "drop_mean": False})
    with pytest.raises(UserError, match=r"--keep layers\.0\.conv=8 layers\.2\.conv=12 layers\.9\.linear=10"):
        pruned(parent, resume=True, tuning=TUNING, **{**asked, "keep": {"layers.0.conv": 8}})


def test_a_cut_of_the_published_plan_begun_and_not_trained_is_made_again_from_its_record(parents, pruned, clothes_data):
    parent = parents("alexnet:mini", width=0.25, optimizer="adamw", lr=0.001)
    asked = {"ratio": 0.0, "keep": {"layers.4.conv": 16}, "drop_lrn": True, "drop_mean": True, "dropout": 0.25}
    run = pruned(parent, **asked)
    again = narrowed_again(Step(run, parent, parent, 1), run.pruning, None)
    for name, value in trained_network(run).state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_dropout_that_is_not_there_is_refused(parent, pruned):
    with pytest.raises(UserError, match=r"--dropout 0.2 has nothing to change"):
        pruned(parent, "undropped", dropout=0.2)


def test_widths_by_name_are_reached_at_once(parent, pruned):
    with pytest.raises(UserError, match="--keep goes with one iteration"):
        pruned(parent, "iterated", keep={"layers.0.conv": 4}, iterations=2)


@pytest.mark.slow
def test_a_network_that_wants_raw_pixels_is_pruned(parents, pruned, clothes_data):
    run = pruned(parents("cuda_convnet:26pct"), ratio=0.3, importance="taylor")
    assert seen_by(clothes_data, run.config.architecture).preprocess.scale == 1.0
    assert run.config.data.preprocess.scale == 1.0
    assert run.pruning.removed.macs == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("ratio", [1.0, -0.1, float("nan"), 2.0])
def test_a_ratio_outside_0_to_1_is_refused(parent, pruned, tmp_path, ratio):
    with pytest.raises(UserError, match="is out of range"):
        pruned(parent, "none", ratio=ratio)
    assert not (tmp_path / "none").exists()


def test_other_slips_are_refused(parent, pruned, parents, clothes_data, tmp_path):
    with pytest.raises(UserError, match="--iterations 0 is out of range"):
        pruned(parent, iterations=0)
    with pytest.raises(UserError, match="did you mean magnitude"):
        pruned(parent, importance="magnitud")
    with pytest.raises(UserError, match="is not a run"):
        pruned(Run(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="belongs to other data"):
        prune(parent, tmp_path / "x", replace(clothes_data, fingerprint="0"), PruneOptions(ratio=0.5), Silent())
    with pytest.raises(UserError, match="holds a run already"):
        prune(parent, parent.folder, clothes_data, PruneOptions(ratio=0.5, tuning=CUT_ALONE), Silent())
    fitted = train(tmp_path / "hog", clothes_data, TrainOptions(model="hog_linear", threads=1), Silent())
    with pytest.raises(UserError, match="holds no network"):
        pruned(fitted)
    assert not (tmp_path / "pruned" / "config.json").exists()


def test_an_unfinished_parent_is_refused(parent, pruned, tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_bytes(parent.config_path.read_bytes())
    with pytest.raises(UserError, match="is not finished"):
        pruned(Run(tmp_path / "half"))


def test_a_resume_needs_the_same_cut_and_an_unchanged_parent(parent, pruned, clothes_data, tmp_path):
    run = pruned(parent)
    with pytest.raises(UserError, match="holds a run already"):
        pruned(parent)
    with pytest.raises(UserError, match=r"was begun with --ratio 0\.5"):
        pruned(parent, resume=True, ratio=0.4)
    assert pruned(parent, resume=True).finished == run.finished
    run.finished_path.unlink()
    with pytest.raises(UserError, match="was not begun by `econet train`"):
        train(run.folder, clothes_data, TUNING, Silent(), resume=True)
    record = json.loads(run.pruning_path.read_bytes())
    run.pruning_path.write_text(json.dumps({**record, "parent_weights_sha256": "0" * 64}))
    config = json.loads(run.config_path.read_bytes())
    run.config_path.write_text(json.dumps(config | {"pruning_sha256": sha256_of(run.pruning_path)}))
    with pytest.raises(UserError, match=r"the parent in .* changed"):
        pruned(parent, resume=True)


@pytest.mark.slow
def test_a_pruning_killed_anywhere_ends_with_the_same_bits(parent, clothes_folder, tmp_path):
    """Killed before `config.json` of the first step, in its training, between the steps, in the second training."""
    script = Path(__file__).with_name("killed_prunings.py")
    orders = [
        {"folder": "whole"},
        *({"folder": "killed", **death} for death in ({"config": 1}, {"step": 3}, {"config": 1}, {"step": 2}, {})),
    ]
    lines = "".join(json.dumps({**each, "folder": str(tmp_path / each["folder"])}) + "\n" for each in orders)
    ended = subprocess.run(
        [sys.executable, script, clothes_folder, parent.folder],
        input=lines,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    assert [int(line) for line in ended.stdout.split()] == [0, 9, 9, 9, 9, 0], ended.stderr
    for name in ("weights.safetensors", "step-1/weights.safetensors"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_catalog_refuses_what_it_cannot_rebuild():
    with pytest.raises(UserError, match="handed over as a Python object"):
        catalog.network({"object": "Mine", "parameters": {}, "cuts": []})
