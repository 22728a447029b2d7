"""A quantized run in other formats and runtimes, and what `sensitivity` says of it and of a pruned one."""

import json
import shutil

import pytest

from econet.cli.main import main
from econet.deployment.predictor import Predictor
from econet.jobs.export_target import export_as
from econet.jobs.options import PruneOptions, QuantizeOptions, TrainOptions
from econet.jobs.prune import prune
from econet.jobs.quantize import quantize
from econet.jobs.sensitivity import sensitivity
from econet.jobs.train import train
from econet.runs.folder import Run
from econet.runs.sensitivity_records import Cost
from econet.training.progress import Silent

SAME = {"deterministic": True, "threads": 1}


@pytest.fixture(scope="module")
def made(clothes_data, tmp_path_factory):
    """The folder of a small run `wide`, a pruned one `slim` and a quantized one `bits` of that."""
    home = tmp_path_factory.mktemp("made")
    asked = TrainOptions(width=0.25, epochs=3, batch_size=32, **SAME)
    wide = train(home / "wide", clothes_data, asked, Silent())
    cut = PruneOptions(ratio=0.3, tuning=TrainOptions(epochs=1, batch_size=32, **SAME))
    slim = prune(wide, home / "slim", clothes_data, cut, Silent())
    quantize(home / "bits", slim, clothes_data, QuantizeOptions(epochs=1, batch_size=32, **SAME), Silent())
    return home


@pytest.fixture
def home(made, tmp_path):
    shutil.copytree(made, tmp_path / "made")
    return tmp_path / "made"


@pytest.mark.parametrize("to", ["litert", "openvino"])
def test_its_file_is_called_int8_in_every_format(home, clothes_data, to):
    run = Run(home / "bits")
    record = export_as(run, to=to, int8=False, parity_drop=0.5, progress=Silent(), dataset=clothes_data)
    assert run.artifacts() == [run.artifact("int8", to)]
    assert (record.file, record.precision) == (run.artifact("int8", to).name, "int8")
    assert record.parity.top1_agreement > 0.9
    assert Predictor(run.artifact("int8", to)).precision == "int8"


def test_its_file_gives_its_very_answers_in_openvino_too(home, clothes_folder, capsys):
    words = ["export", str(home / "bits"), "--prove-in", "openvino", "--data-dir", str(clothes_folder), "--json"]
    assert main(words) == 0
    (proven,) = json.loads(capsys.readouterr().out)["proven_in"]
    assert proven["runtime"] == "openvino"
    assert (proven["parity"]["top1_agreement"], proven["parity"]["within_a_step"]) == (1, 1)


def test_sensitivity_names_the_layers_of_what_was_quantized_and_a_remedy_that_works(home, clothes_data, monkeypatch):
    names = {}
    for name in ("slim", "bits"):
        record = sensitivity(Run(home / name), Silent(), images=10, dataset=clothes_data)
        names[name] = [each.layer for each in record.layers]
    assert names["bits"] == names["slim"]
    assert names["bits"][0] == "layers.0.conv"
    costly = Cost(accuracy=0.0, cross_entropy=9.0)
    monkeypatch.setattr("econet.jobs.sensitivity.whole_costs", lambda network, score: (score(network), costly))
    said = sensitivity(Run(home / "bits"), Silent(), images=10, dataset=clothes_data).sentence
    assert "bits/../slim` with more --epochs" in said
    shutil.rmtree(home / "slim")
    alone = sensitivity(Run(home / "bits"), Silent(), images=10, dataset=clothes_data)
    assert alone.layers[0].layer == "Conv 1"
