"""Sample pictures come from the test split alone, with their true class, and only where they are what they were."""

import gzip
import io
import os
import shutil
from dataclasses import replace
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from econet.data.listing import write_listing
from econet.data.load import load_data
from econet.runs.record import write_record
from econet.runs.records import RunConfig
from econet.serving.networks import open_networks
from econet.serving.samples import sample_pictures
from served_page import SHIPPED, serving

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
CLASSES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]


def test_fashion_mnist_shows_one_test_picture_of_each_class():
    samples = sample_pictures(open_networks([SHIPPED]))
    folder = resources.files("econet.data") / "fashion_mnist"
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    assert sorted(sample.label for sample in samples) == sorted(CLASSES)
    for sample in samples:
        place = labels.index(CLASSES.index(sample.label))
        expected = np.frombuffer(pixels, np.uint8, 784, 784 * place).reshape(28, 28)
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(sample.content))), expected)
        assert sample.media_type == "image/png"


def test_two_networks_of_the_same_data_share_their_samples():
    assert len(sample_pictures(open_networks([SHIPPED, SHIPPED]))) == 10


@pytest.mark.skipif(not os.environ.get("ECONET_DATA"), reason="needs $ECONET_DATA with CIFAR-10")
def test_cifar10_shows_one_test_picture_of_each_class(network_on):
    samples = sample_pictures([network_on("cifar10")])
    assert [sample.label for sample in samples] == (
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    )
    assert all(Image.open(io.BytesIO(sample.content)).size == (32, 32) for sample in samples)


def test_a_set_that_is_not_on_this_machine_has_no_samples(network_on, tmp_path, monkeypatch):
    monkeypatch.delenv("ECONET_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert sample_pictures([network_on("cifar100")], tmp_path) == []
    assert sample_pictures([network_on(None)]) == []


@pytest.fixture
def network_on(tmp_path):
    """The shipped network, said to be trained on other data."""

    def make(data):
        return replace(open_networks([SHIPPED])[0], data=data, path=tmp_path / "model.onnx")

    return make


@pytest.fixture
def of_photos(tmp_path, relabelled):
    """A run on a folder of photos: its config, its list of files, and a file to serve."""
    photos, run = tmp_path / "photos", tmp_path / "run"
    shutil.copytree(PHOTOS, photos)
    run.mkdir()
    write_listing(run / "data.jsonl", load_data(str(photos)))
    write_record(run / "config.json", msgspec.convert(config_on(photos), RunConfig))
    return photos, relabelled(run / "model.onnx")


def config_on(photos):
    """The `config.json` of a run on a folder; only its `data` matters here."""
    preprocess = {"image_size": [64, 64], "channels": 3, "resize_size": [64, 64], "offset": 120, "scale": 0.01}
    return {
        "created": "2026-11-21T10:00:00+00:00",
        "command": "econet train photos",
        "econet": "0.1.0",
        "python": "3.11.9",
        "torch": "2.13.0",
        "git_commit": None,
        "parent": None,
        "data": {
            "source": str(photos),
            "name": "photos",
            "fingerprint": "f" * 64,
            "classes": ["dress", "hat", "pants", "shoes", "shorts"],
            "split_seed": 0,
            "validation_fraction": 0.1,
            "preprocess": preprocess,
        },
        "model": "econet",
        "architecture": {},
        "training": {
            "epochs": 1,
            "time_s": None,
            "batch_size": 8,
            "optimizer": "sgd",
            "schedule": "one-cycle",
            "lr": 0.1,
            "weight_decay": 0.0,
            "label_smoothing": 0.0,
            "ema": 0.0,
            "augment": "light",
            "patience": None,
            "teacher": None,
            "from_weights": None,
        },
        "plan": {"epochs": 1, "steps_per_epoch": 4, "steps": 4, "dropped_images": 3},
        "machine": {
            "device": "cpu",
            "threads": 1,
            "precision": "fp32",
            "compile": False,
            "processes": 1,
            "deterministic": True,
            "measured_images_per_s": {},
            "cpu": "An x86 processor",
            "capability": "AVX512",
        },
        "seed": 0,
    }


def test_a_folder_of_photos_shows_its_own_test_files_untouched(of_photos):
    photos, artifact = of_photos
    samples = sample_pictures(open_networks([artifact]))
    expected = {path.read_bytes(): path.parent.name for path in (photos / "test").glob("*/*.jpg")}
    assert [sample.label for sample in samples] == ["dress", "hat", "pants", "shoes", "shorts"] * 2
    for sample in samples:
        assert expected[sample.content] == sample.label
        assert sample.media_type == "image/jpeg"


def test_photos_that_changed_or_lie_elsewhere_are_not_shown(of_photos, tmp_path):
    photos, artifact = of_photos
    first = sorted((photos / "test" / "dress").iterdir())[0]
    first.write_bytes(b"other words")
    linked = sorted((photos / "test" / "hat").iterdir())[0]
    linked.rename(tmp_path / "outside.jpg")
    linked.symlink_to(tmp_path / "outside.jpg")
    sorted((photos / "test" / "pants").iterdir())[0].unlink()
    labels = [sample.label for sample in sample_pictures(open_networks([artifact]))]
    assert sorted(labels) == ["dress", "hat", "pants", "shoes", "shoes", "shorts", "shorts"]


def test_samples_are_served_as_the_pictures_they_are(of_photos):
    _, artifact = of_photos
    samples = sample_pictures(open_networks([artifact]))
    with serving([artifact], samples) as site:
        told = site.ask("/networks").json["samples"]
        replies = [site.ask(sample["source"]) for sample in told]
    assert [reply.body for reply in replies] == [sample.content for sample in samples]
    assert {reply.headers["content-type"] for reply in replies} == {"image/jpeg"}
    assert {reply.headers["x-content-type-options"] for reply in replies} == {"nosniff"}
