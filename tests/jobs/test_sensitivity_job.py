"""`sensitivity` on a run: record, table and figure beside it, and what it refuses."""

import csv
import json

import pytest
from torch import nn

import econet
from econet.cli.main import main
from econet.errors import UserError
from econet.jobs.options import QuantizeOptions, TrainOptions
from econet.jobs.quantize import quantize
from econet.jobs.sensitivity import sensitivity
from econet.jobs.train import train
from econet.runs.record import read_record
from econet.runs.sensitivity_records import Sensitivity
from econet.training.progress import Silent


def test_every_layer_is_measured_and_written_in_three_forms(trained, clothes_folder, capsys):
    run = trained("run")
    words = ["sensitivity", str(run.folder), "--images", "20", "--data-dir", str(clothes_folder)]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    record = read_record(run.folder / "sensitivity.json", Sensitivity)
    assert told["sentence"] == record.sentence
    assert record.data.images == 20
    assert len(record.layers) == 14
    assert record.layers[0].layer == "layers.0.conv"
    assert [each.removed_fraction for each in record.layers[0].pruned] == [0.25, 0.5, 0.75]
    lines = list(csv.reader((run.folder / "sensitivity.csv").read_text().splitlines()))
    assert [line[0] for line in lines[3:]] == [layer.layer for layer in record.layers]
    assert (run.folder / "sensitivity.svg").read_text().startswith("<svg")
    assert main(words) == 0
    said = capsys.readouterr().out
    assert record.sentence in " ".join(said.split())


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.later = nn.Linear(8 * 196, 10)
        self.sooner = nn.Conv2d(1, 8, 3, 2, 1)

    def forward(self, x):
        return self.later(nn.functional.relu(self.sooner(x)).flatten(1))


def test_a_users_own_network_is_told_in_the_order_it_runs(trained, clothes_data):
    run = trained("own", module=Own())
    record = econet.sensitivity(run, images=10, module=Own(), data=clothes_data)
    assert [layer.layer for layer in record.layers] == ["sooner", "later"]
    assert record.layers[1].pruned == ()


def test_a_quantized_run_is_measured_with_its_own_ranges(trained, clothes_data, tmp_path):
    asked = QuantizeOptions(epochs=1, batch_size=32, deterministic=True, threads=1)
    run = quantize(tmp_path / "quantized", trained("parent"), clothes_data, asked, Silent())
    record = sensitivity(run, Silent(), images=10, dataset=clothes_data)
    assert record.data.calibration_images == 0
    assert len(record.layers) == 14


def test_bad_input_is_named(trained, clothes_data, clothes_folder, capsys, tmp_path):
    run = trained("run")
    with pytest.raises(UserError, match="--images 0 is out of range"):
        sensitivity(run, Silent(), images=0, dataset=clothes_data)
    assert main(["sensitivity", str(run.folder)]) == 2
    assert "belongs to other data" in capsys.readouterr().err
    (run.folder / "finished.json").unlink()
    assert main(["sensitivity", str(run.folder), "--data-dir", str(clothes_folder)]) == 2
    assert "is not finished" in capsys.readouterr().err
    assert main(["sensitivity", str(tmp_path)]) == 2
    assert "is not a run" in capsys.readouterr().err
    features = train(tmp_path / "hog", clothes_data, TrainOptions(model="hog_linear"), Silent())
    with pytest.raises(UserError, match="holds no network"):
        sensitivity(features, Silent(), dataset=clothes_data)
    assert not list(run.folder.glob("sensitivity.*"))
