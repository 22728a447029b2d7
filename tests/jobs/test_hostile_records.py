"""Records of compression that were cut, slipped or forged: refused by name, and never a silently different network."""

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from econet.deployment.predictor import Predictor
from econet.deployment.sidecar import sidecar_path
from econet.errors import UserError
from econet.files import sha256_of
from econet.jobs.export import torch_logits
from econet.jobs.export_target import export_as
from econet.jobs.networks import network_of
from econet.jobs.options import PruneOptions, QuantizeOptions, TrainOptions
from econet.jobs.prune import prune
from econet.jobs.quantize import quantize
from econet.jobs.train import train
from econet.runs.folder import Run
from econet.runs.record import digest
from econet.training.progress import Silent

QUICK = TrainOptions(epochs=1, batch_size=48, deterministic=True, threads=1)
CUT_ALONE = replace(QUICK, epochs=0)
EXAMPLES = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# What a slip or an enemy may write in the place of any value.
STRANGE = [None, True, -1, 0, 1, 3, 70_000, 10**12, 10**30, -0.5, 1e300, "", "0-9999999999", "1,1", [], {}, [[]], [-4]]


class Own(nn.Module):
    """A user's network with a grouped convolution and a buffer that no weights file holds."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.grouped = nn.Conv2d(1, 16, 3, 2, 1), nn.Conv2d(16, 32, 1, groups=2)
        self.last = nn.Linear(32, 10)
        self.register_buffer("level", torch.linspace(0.5, 1.5, 16), persistent=False)

    def forward(self, x):
        x = torch.relu(self.first(x)) * self.level[:, None, None]
        return self.last(torch.relu(self.grouped(x)).mean((2, 3)))


def own(classes: int = 10) -> nn.Module:
    return Own()


@pytest.fixture(scope="module")
def runs(clothes_data, tmp_path_factory) -> dict[str, Run]:
    """A pruned run of the catalog, one of a user's network, and a quantized one."""
    home = tmp_path_factory.mktemp("runs")

    def cut(name: str, **asked) -> Run:
        wide = train(home / f"{name}-wide", clothes_data, replace(QUICK, **asked), Silent())
        options = PruneOptions(ratio=0.4, tuning=CUT_ALONE)
        return prune(wide, home / name, clothes_data, options, Silent())

    slim = cut("slim", model="econet", width=0.25)
    own_one = cut("own", model=f"{__name__}:own")
    same = {"epochs": 1, "batch_size": 48, "deterministic": True, "threads": 1}
    bits = quantize(home / "bits", slim, clothes_data, QuantizeOptions(**same), Silent())
    return {"slim": slim, "own": own_one, "bits": bits}


@pytest.fixture(scope="module")
def answers(runs, clothes_data):
    """Each run's logits of four pictures, as long as nobody touches it."""
    return {name: logits_of(run, clothes_data) for name, run in runs.items()}


def logits_of(run: Run, data) -> np.ndarray:
    return torch_logits(network_of(run), data.test.pixels[:4], data.preprocess)


def outcome(action):
    """What `action` gives, and the error a user would see instead; anything else that goes wrong is raised."""
    try:
        return action(), None
    except UserError as refused:
        return None, refused


def places(data: object, at: tuple = ()) -> list[tuple]:
    """The way to every value in JSON data."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [way for key, value in items for way in ((*at, key), *places(value, (*at, key)))]


def changed(data, choose):
    """A copy of JSON data with one place of it spoilt, and what was done."""
    data = copy.deepcopy(data)
    way = choose(st.sampled_from(places(data)))
    holder = data
    for key in way[:-1]:
        holder = holder[key]
    deed = choose(st.sampled_from(["set", "set", "delete", "add", "repeat"]))
    if deed == "delete":
        del holder[way[-1]]
    elif deed == "repeat" and isinstance(holder, list):
        holder.insert(way[-1], copy.deepcopy(holder[way[-1]]))
    elif deed == "add" and isinstance(holder, dict):
        holder["strange"] = choose(st.sampled_from(STRANGE))
    else:
        holder[way[-1]] = choose(st.sampled_from(STRANGE))
    return data, (deed, *way)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("name", ["slim", "own", "bits"])
@EXAMPLES
@given(choice=st.data())
def test_a_spoilt_architecture_is_refused_or_answers_as_before(
    runs, answers, clothes_data, tmp_path, name, signed, choice
):
    """Where even the digest was forged it may be another network, but never a crash."""
    run = copied(runs[name], tmp_path)
    config = json.loads(run.config_path.read_bytes())
    config["architecture"], deed = changed(config["architecture"], choice.draw)
    if signed:
        config["architecture_sha256"] = digest(config["architecture"])
    run.config_path.write_text(json.dumps(config))
    found, refused = outcome(lambda: logits_of(run, clothes_data))
    if refused is None:
        assert signed or np.array_equal(found, answers[name]), deed
    else:
        assert "config.json" in refused.what or "weights" in refused.what, (deed, refused)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("name", ["slim", "own"])
@EXAMPLES
@given(choice=st.data())
def test_a_spoilt_cut_is_refused_or_made_as_before(runs, clothes_data, tmp_path, name, signed, choice):
    run = copied(runs[name], tmp_path)
    whole = run.weights_path.read_bytes()
    for path in (run.finished_path, run.weights_path):
        path.unlink()
    record, deed = changed(json.loads(run.pruning_path.read_bytes()), choice.draw)
    run.pruning_path.write_text(json.dumps(record))
    if signed:
        config = json.loads(run.config_path.read_bytes()) | {"pruning_sha256": sha256_of(run.pruning_path)}
        run.config_path.write_text(json.dumps(config))
    options = PruneOptions(ratio=0.4, tuning=CUT_ALONE)
    wide = Run(tmp_path / f"{name}-wide")
    _, refused = outcome(lambda: prune(wide, run.folder, clothes_data, options, Silent(), resume=True))
    if refused is None:
        assert signed or run.weights_path.read_bytes() == whole, deed
    else:
        named = ("pruning.json", "was begun with", "the parent in")
        assert any(word in refused.what for word in named), (deed, refused)


def copied(run: Run, home: Path) -> Run:
    """The run and its parent in a folder of this test's."""
    for each in (run, Run(run.folder / run.config.parent)):
        shutil.copytree(each.folder, home / each.folder.resolve().name, dirs_exist_ok=True)
    return Run(home / run.folder.name)


@pytest.fixture(scope="module")
def files(runs, clothes_data, tmp_path_factory) -> Path:
    """A folder with the quantized run exported for LiteRT and OpenVINO."""
    home = tmp_path_factory.mktemp("files")
    run = copied(runs["bits"], home)
    for to in ("litert", "openvino"):
        export_as(run, to=to, int8=True, parity_drop=1.0, progress=Silent(), dataset=clothes_data)
    return run.folder


@pytest.mark.parametrize("ending", ["tflite", "xml"])
@EXAMPLES
@given(choice=st.data())
def test_a_spoilt_sidecar_is_refused_and_named(files, ending, choice):
    path = files / f"model.int8.{ending}"
    beside = sidecar_path(path)
    whole = beside.read_bytes()
    spoilt, deed = changed(json.loads(whole), choice.draw)
    beside.write_text(json.dumps(spoilt))

    def predict() -> None:
        predictor = Predictor(path)
        record = predictor.preprocess
        predictor.predict(np.zeros((*record.resize_size, record.channels), np.uint8))

    _, refused = outcome(predict)
    beside.write_bytes(whole)
    assert refused is None or f"model.int8.{ending}" in refused.what, (deed, refused)


@pytest.mark.parametrize("ending", ["tflite", "xml"])
@EXAMPLES
@given(choice=st.data())
def test_a_spoilt_export_record_is_refused_or_made_anew(files, clothes_data, ending, choice):
    path = files / f"model.int8.{ending}.export.json"
    whole = path.read_bytes()
    spoilt, deed = changed(json.loads(whole), choice.draw)
    path.write_text(json.dumps(spoilt))
    to = {"tflite": "litert", "xml": "openvino"}[ending]
    asked = {"int8": True, "parity_drop": 1.0, "progress": Silent(), "dataset": clothes_data}
    record, refused = outcome(lambda: export_as(Run(files), to=to, **asked))
    path.write_bytes(whole)
    if refused is None:
        assert (files / record.file).exists(), deed
    else:
        assert path.name in refused.what, (deed, refused)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\x00\xff", b'{"model": "\xff"}', b'{"a":' + b"[" * 100_000, b"null"]
)
@pytest.mark.parametrize("name", ["config.json", "pruning.json", "finished.json"])
def test_a_cut_or_scrambled_record_is_refused_and_named(runs, tmp_path, name, content):
    run = copied(runs["slim"], tmp_path)
    (run.folder / name).write_bytes(content)
    _, refused = outcome(lambda: (run.config, run.pruning, run.finished))
    assert str(run.folder / name) in refused.what


@pytest.mark.parametrize(
    ("name", "way", "value", "words"),
    [
        ("slim", ("layers", 1, "channels"), -8, "Expected `int` >= 1 - at `$.layers[1].channels`: it is -8"),
        ("slim", ("layers", 1, "channels"), 10**12, "Expected `int` <= 65536 - at `$.layers[1].channels`"),
        ("slim", ("layers", 0, "groups"), 7, "`layers[0].groups` is 7"),
        ("slim", ("layers", 1, "width"), 8, "unknown field `width` - at `$.layers[1]`"),
        ("own", ("cuts", 0, "keep", "level", 0), "0-9999999999", "'0-9999999999' is no range"),
        ("own", ("cuts", 0, "keep", "level", 0), "0-99999999", "'0-99999999' goes beyond"),
        ("own", ("cuts", 0, "keep", "level", 0), "0-99", "does not fit its 16 positions: 0-99"),
        ("own", ("cuts", 0, "keep", "level", 0), "3,3", "'3,3' does not ascend"),
        ("own", ("cuts", 0, "keep", "nobody"), ["0"], "the network has no `nobody`"),
        ("own", ("cuts", 0, "groups", "grouped"), -2, "`groups` of `grouped` is -2"),
        ("own", ("arguments", "shape"), 3, "'shape'"),
        ("bits", ("graph", "offset"), 300, "Expected `int` <= 255 - at `$.offset`"),
        ("bits", ("graph", "floats", "strange"), [-3], "`strange` has the shape [-3]"),
        ("bits", ("graph", "floats", "strange"), [10**6, 10**6], "at most 500,000,000 are read"),
        ("bits", ("graph", "operations", 0, "inputs", 0), "ghost", "`operations[0].inputs` is wrong"),
        ("bits", ("graph", "operations", 0, "operator"), "Fly", "the operator Fly"),
        ("bits", ("graph", "range_of", "ghost"), "ghost", "there is no tensor `ghost`"),
        ("bits", ("graph", "classes"), 7, "`classes` is wrong"),
    ],
)
def test_a_forged_network_is_refused_with_file_field_and_value(runs, tmp_path, name, way, value, words):
    run = copied(runs[name], tmp_path)
    config = json.loads(run.config_path.read_bytes())
    holder = config["architecture"]
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = value
    run.config_path.write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"field `architecture` of .* was changed"):
        network_of(run)
    run.config_path.write_text(json.dumps(config | {"architecture_sha256": digest(config["architecture"])}))
    with pytest.raises(UserError) as refused:
        network_of(run)
    assert words in str(refused.value)
    assert str(run.config_path) in refused.value.what


def test_a_digest_of_before_is_not_asked_for(runs, answers, clothes_data, tmp_path):
    run = copied(runs["slim"], tmp_path)
    config = json.loads(run.config_path.read_bytes())
    del config["architecture_sha256"], config["pruning_sha256"]
    run.config_path.write_text(json.dumps(config))
    assert np.array_equal(logits_of(run, clothes_data), answers["slim"])
    assert run.pruning.ratio == 0.4
