"""`econet prune`: what it prints, what it leaves, and how it says no."""

import json

import pytest

TRAIN = ("--epochs", "1", "--batch-size", "48", "--deterministic", "--threads", "1", "--quiet")


@pytest.fixture
def trained_folder(econet, clothes_folder, tmp_path):
    folder = tmp_path / "run"
    words = ("train", "fashion-mnist", "--data-dir", clothes_folder, "--validation", "0.15", "--width", "0.25")
    assert econet(*words, *TRAIN, "--out", folder).code == 0
    return folder


def test_the_screen_shows_widths_shares_proof_and_accuracy(econet, trained_folder, clothes_folder, tmp_path):
    out = tmp_path / "pruned"
    words = ("prune", trained_folder, "--ratio", "0.5", "--data-dir", clothes_folder, "--out", out, "--deterministic")
    shown = econet(*words, "--epochs", "0")
    assert shown.code == 0
    record = json.loads((out / "pruning.json").read_bytes())
    assert f"{100 * record['removed']['macs']:.1f} % of the MACs" in shown.out
    assert f"({record['before']['parameters']:,} -> {record['after']['parameters']:,})" in shown.out
    for layer in record["layers"]:
        row = [layer["layer"], str(layer["before"]), str(layer["after"])]
        assert (row in [line.split() for line in shown.out.splitlines()]) == (layer["before"] != layer["after"])
    assert "proof: the same answers as with those channels at zero" in shown.out
    assert f"next: econet export {out} --int8" in shown.err
    screen = econet("show", out)
    assert screen.code == 0
    assert "made from ../run" in screen.out
    again = econet(*words, "--epochs", "0")
    assert (again.code, again.out) == (2, "")
    assert "holds a run already" in again.err
    resumed = econet(*words, "--epochs", "0", "--resume", "--json", "--quiet")
    assert resumed.code == 0
    told = json.loads(resumed.out)
    assert told["pruning"] == record
    assert set(told) == {"folder", "config", "pruning", "finished"}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--ratio", "1"), "--ratio 1 is out of range"),
        (("--ratio", "-0.5"), "--ratio -0.5 is out of range"),
        (("--ratio", "half"), "wrong value for '--ratio'"),
        ((), "R is missing"),
        (("--keep", "layers.0.conv"), "--keep layers.0.conv cannot be read"),
        (("--keep", "layers.0.conv=few"), "--keep layers.0.conv=few cannot be read"),
        (("--keep", "layers.0.conv=8", "--dropout", "1.5"), "--dropout 1.5 is out of range"),
        (("--ratio", "0.5", "--importance", "size"), "unknown importance 'size'"),
        (("--ratio", "0.5", "--iterations", "0"), "--iterations 0 is out of range"),
        (("--ratio", "0.5", "--epochs", "-1"), "--epochs -1 is out of range"),
        (("--ratio", "0.5", "--deterministic"), "--deterministic was given without --epochs"),
        (("--ratio", "0.5", "--resume"), "--resume was given without --out"),
    ],
)
def test_slips_are_refused_in_one_shape(econet, run_folder, words, text):
    shown = econet("prune", run_folder, *words)
    assert (shown.code, shown.out) == (2, "")
    assert text in shown.err
    assert "  try: " in shown.err


def test_a_run_without_its_data_and_a_folder_without_a_run_are_refused(econet, trained_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    asked = ("--ratio", "0.5", "--epochs", "0", "--out", tmp_path / "pruned")
    nowhere = econet("prune", tmp_path / "nowhere", *asked)
    assert nowhere.code == 2
    assert "is not a run" in nowhere.err
    config = json.loads((trained_folder / "config.json").read_bytes())
    config["data"]["source"] = str(tmp_path / "empty")
    (trained_folder / "config.json").write_text(json.dumps(config))
    shown = econet("prune", trained_folder, *asked)
    assert (shown.code, shown.out) == (2, "")
    assert "empty" in shown.err
    assert not (tmp_path / "pruned" / "config.json").exists()
