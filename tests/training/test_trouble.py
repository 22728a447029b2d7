"""Training that fails says so, early, and leaves a run that can be read."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from econet.errors import UserError
from econet.training import loop


def assert_readable(folder) -> None:
    """Configuration, history and checkpoints are whole, and nothing claims that the run is finished."""
    json.loads((folder / "config.json").read_bytes())
    for row in (folder / "history.jsonl").read_text().splitlines():
        assert None not in json.loads(row).values()
    for checkpoint in folder.glob("checkpoint*.safetensors"):
        with safe_open(checkpoint, framework="np") as stream:
            assert "digest" in stream.metadata()
    assert not (folder / "finished.json").exists()
    assert not (folder / "weights.safetensors").exists()


@pytest.fixture(scope="module")
def shuffled_data(clothes_data):
    """The same pictures under labels that have nothing to do with them."""
    labels = np.random.default_rng(0).permutation(clothes_data.train.labels)
    return dataclasses.replace(clothes_data, train=dataclasses.replace(clothes_data.train, labels=labels))


def test_labels_that_mean_nothing_are_noticed_after_a_fifth_of_the_steps(trained, shuffled_data, tmp_path):
    with pytest.raises(UserError) as caught:
        trained("run", data=shuffled_data, epochs=20, augment="strong", ema=0.0)
    assert caught.value.what == f"{tmp_path / 'run'} learns nothing"
    commonest = np.bincount(shuffled_data.train.labels).max() / 271
    assert "after 44 of 220 steps" in caught.value.why
    assert f"the commonest class would give {commonest:.1%}" in caught.value.why
    assert "--lr" in caught.value.remedy
    assert_readable(tmp_path / "run")


def test_a_rate_too_small_to_learn_is_noticed(trained, tmp_path):
    with pytest.raises(UserError, match="learns nothing"):
        trained("run", model="alexnet_small", lr=1e-9, epochs=12)
    assert_readable(tmp_path / "run")


def test_a_rate_too_large_stops_before_the_loss_spoils_a_record(trained, tmp_path):
    for resume in (False, True):  # the resume meets it again, and says the same
        with pytest.raises(UserError) as caught:
            trained("run", model="alexnet_small", lr=100.0, optimizer="sgd", every=0.0, resume=resume)
        assert caught.value.what == f"training diverged in {tmp_path / 'run'}"
        assert "the loss became" in caught.value.why
        assert "(it was 100)" in caught.value.remedy
        assert_readable(tmp_path / "run")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_break_at_the_end_of_an_epoch_are_noticed_in_validation(trained, tmp_path, monkeypatch, value):
    monkeypatch.setattr(loop, "logits_of", lambda network, images, count, precision: torch.full((count, 10), value))
    with pytest.raises(UserError, match="training diverged"):
        trained("run")
    assert_readable(tmp_path / "run")


def test_a_plateau_lowers_the_rate_while_training(trained, monkeypatch):
    monkeypatch.setattr(loop, "logits_of", lambda network, images, count, precision: torch.ones(count, 10))
    run = trained("run", epochs=6, schedule="plateau", optimizer="adamw", lr=0.004)
    # The first epoch is the best there will be; after three more the rate falls.
    assert [line.lr for line in run.history] == pytest.approx([0.004] * 4 + [0.0004] * 2)


def test_patience_ends_a_run_that_no_longer_improves(trained, monkeypatch):
    monkeypatch.setattr(loop, "logits_of", lambda network, images, count, precision: torch.ones(count, 10))
    run = trained("run", epochs=40, patience=3)
    assert run.finished.stopped_early
    assert run.finished.epochs == len(run.history) == 4
    assert run.finished.images == 4 * 11 * 24


def test_real_pictures_are_learned(trained):
    run = trained("run", model="econet", width=0.5, epochs=14)
    first, last = run.history[0], run.history[-1]
    assert last.loss < first.loss
    assert last.train_accuracy > 0.6
    assert run.finished.validation_accuracy == last.validation_accuracy > 0.4
    assert not run.finished.stopped_early
