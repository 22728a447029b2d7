"""The words of `econet train` for the training of 2012: what they become, and what is refused in one line."""

import json
from pathlib import Path

import pytest

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
WORDS = (
    *("train", PHOTOS, "--model", "alexnet:mini", "--width", "0.125", "--epochs", "1", "--batch-size", "16"),
    *("--image-size", "24", "--deterministic", "--threads", "1"),
)


def test_every_word_of_2012_reaches_the_record(econet, tmp_path):
    more = (
        *("--crop-from", "32", "--optimizer", "sgd-2012", "--lr", "0.001", "--bias-lr", "0.02", "--colour-noise"),
        *("eig01", "--switch", "lrn=false", "--switch", "activation=tanh", "--switch", "columns=1"),
    )
    done = econet(*WORDS, *more, "--out", tmp_path / "run", "--json", "--quiet")
    assert done.code == 0
    config = json.loads(done.out)["config"]
    training, preprocess = config["training"], config["data"]["preprocess"]
    assert (training["optimizer"], training["lr"], training["bias_lr"]) == ("sgd-2012", 0.001, 0.02)
    assert training["colour_noise"] == {"reading": "eig01", "divisor": 1.0, "until": 1.0}
    assert (preprocess["image_size"], preprocess["resize_size"]) == ([24, 24], [32, 32])
    layers = config["architecture"]["layers"]
    kinds = [layer["kind"] for layer in layers]
    assert "lrn" not in kinds
    assert [layer["function"] for layer in layers if layer["kind"] == "activation"] == ["tanh"] * 7
    assert all(layer.get("groups", 1) == 1 for layer in layers)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--switch", "lrn=no"), "alexnet:mini cannot take lrn=no"),
        (("--switch", "lrn=False"), "alexnet:mini cannot take lrn=False"),
        (("--switch", "lrn"), "--switch lrn cannot be read"),
        (("--switch", "lnr=false"), "alexnet:mini has no --lnr"),
        (("--switch", "columns=3"), "alexnet:mini cannot have 3 columns"),
        (("--colour-noise", "eig255"), "the colour noise `eig255` cannot be used"),
        (("--colour-noise", "stdd"), "unknown reading 'stdd'"),
        (("--bias-lr", "-1"), "--bias-lr -1 is out of range"),
        (("--crop-from", "16"), "pictures of 16 pixels cannot be cropped to 24"),
        (("--optimizer", "sgd2012"), "unknown optimizer 'sgd2012'"),
        (("--model", "alexnet:papre"), "unknown model 'alexnet:papre'"),
        (("--model", "alexnet:paper"), "image size 24 is smaller than alexnet:paper can take"),
    ],
)
def test_a_slip_is_answered_in_one_line_and_leaves_no_run(econet, tmp_path, words, text):
    done = econet(*WORDS, *words, "--out", tmp_path / "run")
    assert done.code == 2
    assert f"error: {text}" in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "run" / "config.json").exists()
