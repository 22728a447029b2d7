"""Pre-train on one set of classes, go on with another: `train --from RUN` for the networks of 2012."""

import dataclasses
import signal

import numpy as np
import pytest
from safetensors.numpy import load_file

from econet.data.dataset import Images
from econet.data.load import load_data
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.jobs.export import export_run
from econet.training.interruption import Interrupted
from econet.training.progress import Silent

SIX = {"model": "alexnet:mini", "switches": {"conv6": True}, "width": 0.125}
# So small a rate that nothing learned before moves: what comes out is what went in.
STILL = {"epochs": 1, "optimizer": "sgd", "lr": 1e-9, "weight_decay": 0.0, "ema": 0.0}


def of_classes(data, first, last, name):
    """The pictures of classes `first` to `last` - 1 alone, as a data set of those classes."""

    def chosen(images):
        kept = (first <= images.labels) & (images.labels < last)
        return Images(images.pixels[kept], images.labels[kept] - first)

    parts = {split: chosen(getattr(data, split)) for split in ("train", "validation", "test")}
    return dataclasses.replace(data, classes=data.classes[first:last], fingerprint=name, **parts)


SIX_FIRST, FOUR_OTHERS = (0, 6, "six"), (6, 10, "four")


@pytest.fixture(scope="module")
def six_classes(clothes_data):
    """Six kinds of clothes, to learn from first."""
    return of_classes(clothes_data, *SIX_FIRST)


@pytest.fixture(scope="module")
def four_classes(clothes_data):
    """The four other kinds."""
    return of_classes(clothes_data, *FOUR_OTHERS)


@pytest.fixture(scope="module")
def four_again(clothes_data):
    """Four of the first six kinds: as many classes as `four_classes`, and none of them."""
    return of_classes(clothes_data, 0, 4, "again")


def head_of(weights):
    """The names of the last layer's weight and bias."""
    last = max((name for name in weights if name.endswith("weight")), key=lambda name: int(name.split(".")[1]))
    return {last, last.replace("weight", "bias")}


def mean_of(data):
    return data.train.pixels.astype(np.float64).mean(0).transpose(2, 0, 1)


@pytest.mark.parametrize("preset", ["alexnet:paper", "alexnet:original_code"])
def test_the_network_with_a_sixth_convolution_goes_on_with_other_classes(trained, clothes_folder, teller, preset):
    asked = {**SIX, "model": preset}
    pictures = load_data("fashion-mnist", data_dir=clothes_folder, image_size=64)
    six_classes, four_classes = of_classes(pictures, *SIX_FIRST), of_classes(pictures, *FOUR_OTHERS)
    parent = trained("parent", data=six_classes, epochs=1, **asked)
    notes = teller()
    child = trained("child", notes, data=four_classes, start=parent.folder, **STILL, **asked)
    before, after = load_file(parent.weights_path), load_file(child.weights_path)
    head = head_of(after)
    assert sum(layer["kind"] == "conv" for layer in child.config.architecture["layers"]) == 6
    assert {before[name].shape[0] for name in head_of(before)} == {6}
    assert {after[name].shape[0] for name in head} == {4}
    carried = before.keys() - head - {"layers.0.mean"}
    assert len(carried) == 2 * 8  # six convolutions, f6 and f7
    for name in carried:
        np.testing.assert_allclose(after[name], before[name], atol=1e-6, err_msg=name)
    assert any("new: layers.0.mean, " in note and all(name in note for name in head) for note in notes.notes)


def test_the_mean_image_is_that_of_the_pictures_that_are_trained_on_now(trained, six_classes, four_classes):
    parent = trained("parent", data=six_classes, epochs=1, **SIX)
    child = trained("child", data=four_classes, start=parent.folder, **STILL, **SIX)
    np.testing.assert_allclose(load_file(parent.weights_path)["layers.0.mean"], mean_of(six_classes), atol=1e-3)
    np.testing.assert_allclose(load_file(child.weights_path)["layers.0.mean"], mean_of(four_classes), atol=1e-3)
    assert np.abs(mean_of(six_classes) - mean_of(four_classes)).max() > 10


def test_as_many_classes_of_other_names_get_a_new_last_layer(trained, four_again, four_classes):
    parent = trained("parent", data=four_again, epochs=1, **SIX)
    child = trained("child", data=four_classes, start=parent.folder, **STILL, **SIX)
    before, after = load_file(parent.weights_path), load_file(child.weights_path)
    (weight,) = (name for name in head_of(after) if name.endswith("weight"))
    assert before[weight].shape == after[weight].shape
    assert np.abs(before[weight] - after[weight]).max() > 1e-3


def test_the_same_classes_keep_the_last_layer(trained, four_classes):
    parent = trained("parent", data=four_classes, epochs=1, **SIX)
    child = trained("child", data=four_classes, start=parent.folder, **STILL, **SIX)
    before, after = load_file(parent.weights_path), load_file(child.weights_path)
    for name in before:
        np.testing.assert_allclose(after[name], before[name], atol=1e-6, err_msg=name)


def test_the_fine_tuned_network_ships_as_it_answers(trained, six_classes, four_classes):
    parent = trained("parent", data=six_classes, epochs=1, **SIX)
    child = trained("child", data=four_classes, epochs=2, lr=0.01, start=parent.folder, **SIX)
    record = export_run(child, four_classes, int8=False, parity_drop=0.02, progress=Silent())
    assert record.parity.passed
    assert Predictor(child.artifact("fp32")).classes == four_classes.classes


def test_a_network_without_the_sixth_convolution_cannot_take_its_weights(trained, six_classes, four_classes):
    parent = trained("parent", data=six_classes, epochs=1, **SIX)
    with pytest.raises(UserError, match="only the last layer may, where the classes do") as caught:
        trained("child", data=four_classes, start=parent.folder, **STILL, **{**SIX, "switches": {}})
    assert "switches of that run: --model alexnet:mini" in caught.value.remedy


def test_a_start_that_was_killed_before_its_first_checkpoint_begins_again_the_same(
    trained, six_classes, four_classes, teller
):
    class Crash(Exception):
        pass

    def crash(step):
        raise Crash

    parent = trained("parent", data=six_classes, epochs=1, **SIX)
    asked = {"data": four_classes, "start": parent.folder, "epochs": 1, "lr": 0.01, **SIX}
    plain = trained("plain", **asked)
    with pytest.raises(Crash):
        trained("child", teller(crash), **asked)
    assert trained("child", resume=True, **asked).weights_path.read_bytes() == plain.weights_path.read_bytes()


def test_a_stopped_fine_tuning_goes_on_to_the_same_bits(trained, six_classes, four_classes, teller):
    parent = trained("parent", data=six_classes, epochs=1, **SIX)
    asked = {"data": four_classes, "start": parent.folder, "epochs": 2, "lr": 0.01, **SIX}
    plain = trained("plain", **asked)
    with pytest.raises(Interrupted):
        trained("child", teller(lambda step: signal.raise_signal(signal.SIGTERM) if step == 2 else None), **asked)
    assert trained("child", resume=True, **asked).weights_path.read_bytes() == plain.weights_path.read_bytes()
