"""A comparison of finished files: a .tflite of others against a file of ours, and what is said about it."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tflite_files
from econet.deployment.onnx_export import export_network
from econet.deployment.sidecar import InputTensor, OutputTensor, Sidecar, sidecar_path, write_sidecar
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.jobs import sides
from econet.jobs.benchmark import benchmark
from econet.jobs.evaluate import evaluate
from econet.jobs.options import CompareOptions
from econet.jobs.repeats import compare
from econet.jobs.run_data import load
from econet.models import catalog
from econet.training.progress import Silent

pytest_plugins = ["small_comparison"]


@pytest.fixture
def stranger(some_pictures, tmp_path):
    """A `.tflite` with weights from a dice, and its sidecar for Fashion-MNIST."""
    random = np.random.default_rng(0)
    path = tmp_path / "files" / "stranger.tflite"
    path.parent.mkdir()
    weights = {
        "conv": random.normal(0, 0.01, (8, 3, 3, 1)),
        "conv_bias": random.normal(0, 1, 8),
        "dense": random.normal(0, 1, (10, 8)),
        "dense_bias": random.normal(0, 1, 10),
    }
    path.write_bytes(tflite_files.convolutional(weights))
    write_sidecar(
        path,
        Sidecar(
            name="stranger",
            classes=load(some_pictures).classes,
            preprocess=Preprocess(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=0, scale=1.0),
            precision="fp32",
            input=InputTensor(type="float32"),
            output=OutputTensor(type="float32", holds="probabilities"),
        ),
    )
    return path


@pytest.fixture
def ours(some_pictures, tmp_path):
    """An untrained econet as ONNX."""
    data = load(some_pictures)
    torch.manual_seed(0)
    network = catalog.build("econet", input_shape=(1, 28, 28), width=0.25).eval()
    path = tmp_path / "ours.onnx"
    path.write_bytes(export_network(network, data.preprocess, data.classes, "econet").SerializeToString())
    return path


def test_a_tflite_and_an_onnx_file_are_compared_and_their_runtimes_named(
    stranger, ours, some_pictures, tmp_path, in_haste
):
    options = CompareOptions(some_pictures, baseline=str(stranger), candidate=str(ours))
    record = compare(tmp_path / "c", options, Silent())
    large, small = record.sides
    assert (large.name, large.precision, large.training) == ("stranger", "fp32", None)
    assert (large.benchmark.runtime.name, small.benchmark.runtime.name) == ("litert", "onnxruntime")
    assert (large.benchmark.parameters, large.benchmark.macs) == (80 + 90, 14 * 14 * 72 + 80)
    assert large.evaluation.data.images == 200
    assert record.ratios.latency > 0
    assert any("their times compare two runtimes" in text for text in record.warnings)
    page = (tmp_path / "c" / "page.html").read_text()
    assert "Engine of the baseline" in page
    assert "litert" in page


def test_a_tflite_is_evaluated_and_measured_beside_its_records(stranger, some_pictures, in_haste):
    (found,) = evaluate(stranger, some_pictures, "test", Silent())
    assert (found.subject, found.torch_agreement) == ("stranger.tflite", None)
    assert stranger.with_name("stranger.tflite.evaluation.json").is_file()
    (measured,) = benchmark([stranger])
    assert measured.bytes == stranger.stat().st_size
    assert measured.peak_memory_mb > 0
    assert stranger.with_name("stranger.tflite.benchmark.json").is_file()
    assert sidecar_path(stranger).is_file()


def test_memory_is_that_of_a_process_with_the_runtime(stranger):
    (measured,) = benchmark([stranger])
    assert 15 < measured.peak_memory_mb < 400


def test_a_file_for_other_classes_or_without_sidecar_is_told_before_training(stranger, some_pictures, tmp_path):
    options = CompareOptions(some_pictures, baseline=str(stranger))
    record = json.loads(sidecar_path(stranger).read_text())
    sidecar_path(stranger).write_text(json.dumps({**record, "classes": [*record["classes"][:9], "hat"]}))
    with pytest.raises(UserError, match=r"stranger\.tflite cannot be evaluated on fashion-mnist"):
        compare(tmp_path / "c", options, Silent())
    sidecar_path(stranger).unlink()
    with pytest.raises(UserError, match="does not say what its answers mean"):
        compare(tmp_path / "c", replace(options, candidate=str(stranger)), Silent())
    assert not (tmp_path / "c").exists() or not any((tmp_path / "c").iterdir())


@pytest.mark.parametrize("name", ["resnet8", "mobilenet_v2:x0.5", "lenet5", "squeezenet"])
def test_a_published_network_takes_part_as_wide_as_it_was_published(name, some_pictures):
    asked = SimpleNamespace(candidate=name, baseline="econet", teacher="none", width=None)
    lineup = sides.line_up(asked, load(some_pictures))
    assert (lineup.candidate.model, lineup.width) == (name, None)
