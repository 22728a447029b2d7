"""A .tflite file answers as its numbers say, is counted from its own bytes, and says what it lacks."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

import tflite_files
from econet.data.load import load_data
from econet.deployment.artifact_file import open_artifact
from econet.deployment.predictor import Predictor
from econet.deployment.sidecar import InputTensor, OutputTensor, Sidecar, sidecar_path, write_sidecar
from econet.errors import UserError
from econet.images.preprocess import Preprocess

RAW = Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=0, scale=1.0)
RIVALS = Path(__file__).parents[2] / "benchmarks" / "rivals"
DATA = os.environ.get("ECONET_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="needs $ECONET_DATA with CIFAR-10 and the rivals' files")


def weights(classes=10, maps=6):
    random = np.random.default_rng(5)
    return {
        "conv": random.normal(0, 0.3, (maps, 3, 3, 1)).astype(np.float32),
        "conv_bias": random.normal(0, 0.3, maps).astype(np.float32),
        "dense": random.normal(0, 1.0, (classes, maps)).astype(np.float32),
        "dense_bias": random.normal(0, 0.5, classes).astype(np.float32),
    }


def floats(preprocess=RAW, holds="probabilities") -> Sidecar:
    return Sidecar(
        name="by-hand",
        classes=tuple("abcdefghij"),
        preprocess=preprocess,
        precision="fp32",
        input=InputTensor(type="float32"),
        output=OutputTensor(type="float32", holds=holds),
    )


@pytest.fixture
def file(tmp_path):
    """A convolutional file with its sidecar; pixels are scaled before they go in."""
    path = tmp_path / "small.tflite"
    path.write_bytes(tflite_files.convolutional(weights()))
    write_sidecar(path, floats(msgspec.structs.replace(RAW, offset=100, scale=1 / 50)))
    return path


def expected_logits(images):
    """The file's network in plain numpy: TensorFlow's SAME padding of an even side at stride 2 is on the far side."""
    made = weights()
    x = np.pad((images[..., 0].astype(np.float64) - 100) / 50, ((0, 0), (0, 1), (0, 1)))
    seen = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2]
    maps = np.maximum(np.einsum("nyxij,oij->nyxo", seen, made["conv"][..., 0]) + made["conv_bias"], 0)
    return maps.mean((1, 2)) @ made["dense"].T + made["dense_bias"]


def test_a_file_gives_the_probabilities_that_plain_numpy_gives(file, clothes):
    logits = expected_logits(clothes)
    exact = np.exp(logits - logits.max(1, keepdims=True))
    exact /= exact.sum(1, keepdims=True)
    predictor = Predictor(file)
    assert np.allclose(predictor.probabilities(clothes), exact, atol=1e-5)
    assert np.allclose(predictor.logits(clothes), np.log(exact), atol=1e-4)
    assert (predictor.name, predictor.precision, len(predictor.classes)) == ("by-hand", "fp32", 10)


def test_a_file_that_gives_logits_hands_them_on(tmp_path, clothes):
    path = tmp_path / "small.tflite"
    path.write_bytes(tflite_files.convolutional(weights(), softmax=False))
    write_sidecar(path, floats(msgspec.structs.replace(RAW, offset=100, scale=1 / 50), holds="logits"))
    assert np.allclose(Predictor(path).logits(clothes), expected_logits(clothes), atol=1e-4)


def test_an_integer_file_gets_its_codes_and_its_answers_lie_on_its_grid(tmp_path, clothes):
    random = np.random.default_rng(2)
    weight, bias = random.integers(-127, 128, (10, 784)), random.integers(-4000, 4000, 10)
    scales = (1 / 64, 0.003, 0.25)
    path = tmp_path / "whole.tflite"
    path.write_bytes(tflite_files.integer_dense(weight, bias, scales, zero=3))
    write_sidecar(
        path,
        msgspec.structs.replace(
            floats(msgspec.structs.replace(RAW, scale=scales[0]), holds="logits"),
            precision="int8",
            input=InputTensor(type="int8", scale=scales[0], zero_point=-128),
            output=OutputTensor(type="int8", holds="logits", scale=scales[2], zero_point=3),
        ),
    )
    sums = clothes.reshape(len(clothes), -1).astype(np.int64) @ weight.T + bias
    codes = np.clip(np.rint(sums * (scales[0] * scales[1] / scales[2])) + 3, -128, 127)
    found = Predictor(path).logits(clothes) / np.float32(scales[2]) + 3
    assert np.abs(found - codes).max() <= 1  # the runtime multiplies by a 31-bit fraction
    assert (found == codes).mean() > 0.95


def test_macs_parameters_and_layers_are_counted_from_the_bytes(file):
    opened = open_artifact(file)
    assert opened.macs() == 14 * 14 * 6 * 9 + 60
    assert opened.parameters() == 6 * 9 + 6 + 60 + 10
    kinds = [(layer.kind, layer.channels, layer.height, layer.parameters) for layer in opened.layers()]
    assert kinds == [("conv", 6, 14, 60), ("mean", 6, 1, 0), ("dense", 10, 1, 70)]


def test_a_file_without_sidecar_shows_one_that_can_be_used_as_it_is(file, clothes):
    sidecar_path(file).unlink()
    with pytest.raises(UserError, match="does not say what its answers mean") as told:
        Predictor(file)
    assert "no sidecar small.tflite.json beside it" in told.value.why
    text = told.value.remedy[told.value.remedy.index("{") :]
    assert json.loads(text)["output"]["holds"] == "probabilities"
    sidecar_path(file).write_text(text)
    assert Predictor(file).probabilities(clothes).shape == (64, 10)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": ["a", "b"]}, "its output is float32"),
        ({"input": {"type": "int8", "scale": 1.0, "zero_point": 0}}, "its input is float32"),
        ({"input": {"type": "float32", "layout": "NCHW"}}, r"says float32 \[1, 1, 28, 28\]"),
        ({"input": {"type": "int8"}}, "a tensor of int8 has scale None"),
        ({"output": {"type": "float32", "holds": "logits", "scale": 1.0}}, "a tensor of float32 has scale 1.0"),
        ({"output": {"type": "float32", "holds": "votes"}}, "votes"),
        ({"sha256": "0" * 64}, "its sha256 is not that of the file"),
        ({"colour": "blue"}, "colour"),
        ({"schema": 99}, "newer than this EcoNet|reads up to"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused_by_name(file, change, words):
    path = sidecar_path(file)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=r"small\.tflite\.json") as told:
        Predictor(file)
    assert re.search(words, f"{told.value.what} {told.value.why}")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.8, 0.99])
def test_a_cut_file_is_refused_and_named(file, share):
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"small\.tflite is not a \.tflite file that EcoNet can run"):
        Predictor(file)


def test_flipped_bytes_never_end_the_process(file, clothes):
    content = file.read_bytes()
    refused = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        broken = bytearray(content)
        for place in random.integers(0, len(content), 3):
            broken[place] = random.integers(0, 256)
        file.write_bytes(broken)
        try:
            assert Predictor(file).logits(clothes[:1]).shape == (1, 10)
        except UserError:
            refused += 1
    assert refused > 100


def test_operators_that_no_classifier_needs_are_refused(tmp_path):
    build = tflite_files.TfliteBuilder()
    image, answer = build.tensor((1, 28, 28, 1)), build.tensor((1, 10))
    build.add("WHILE", [image], [answer])
    path = tmp_path / "loop.tflite"
    path.write_bytes(build.content(image, answer))
    with pytest.raises(UserError, match=r"operator 119 is not one of those"):
        Predictor(path)


def test_what_nothing_has_made_is_not_read(tmp_path):
    build = tflite_files.TfliteBuilder()
    image, other, answer = build.tensor((1, 10)), build.tensor((1, 10)), build.tensor((1, 10))
    build.add("ADD", [image, other], [answer], {}, "AddOptions")
    path = tmp_path / "hole.tflite"
    path.write_bytes(build.content(image, answer))
    with pytest.raises(UserError, match="an operator ADD reads what nothing has made"):
        Predictor(path)


def test_without_the_runtime_the_error_says_what_to_install(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match="LiteRT is not installed") as told:
        Predictor(file)
    assert told.value.remedy == 'pip install "econet[litert]"'


# The published files of MLPerf Tiny: bytes, parameters, MACs and right answers of 10,000 as their keepers count them.
PUBLISHED = {
    "pretrainedResnet_quant": (98_496, 77_706, 12_501_632, 8_697),
    "pretrainedResnet": (318_144, 77_706, 12_501_632, 8_719),
    "pretrainedResnet_large_int8": (512_024, 480_330, 76_473_920, 9_131),
    "pretrainedResnet_large_float": (1_929_208, 480_330, 76_473_920, 9_128),
}


def rival(name, folder) -> Path:
    """A published file beside its committed sidecar."""
    for source in (Path(DATA or "") / "rivals" / f"{name}.tflite", RIVALS / f"{name}.tflite.json"):
        shutil.copy(source, folder)
    return folder / f"{name}.tflite"


@needs_data
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_are_counted_as_their_keepers_count_them(name, tmp_path):
    opened = open_artifact(rival(name, tmp_path))
    expected_bytes, parameters, macs, _ = PUBLISHED[name]
    assert opened.path.stat().st_size == expected_bytes
    assert (opened.parameters(), opened.macs()) == (parameters, macs)


@needs_data
def test_a_published_file_is_about_as_good_as_published_on_the_first_500_test_images(tmp_path):
    predictor, data = Predictor(rival("pretrainedResnet_quant", tmp_path)), load_data("cifar10", data_dir=Path(DATA))
    right = predictor.logits(data.test.pixels[:500]).argmax(1) == data.test.labels[:500]
    # 86.97 % of 500 images, give or take three standard errors; the full count is a slow test.
    assert abs(right.mean() - 0.8697) < 3 * np.sqrt(0.87 * 0.13 / 500)
    assert predictor.classes == data.classes


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_answer_exactly_as_many_test_images_as_published(name, tmp_path):
    predictor, data = Predictor(rival(name, tmp_path)), load_data("cifar10", data_dir=Path(DATA))
    assert (predictor.logits(data.test.pixels).argmax(1) == data.test.labels).sum() == PUBLISHED[name][3]
