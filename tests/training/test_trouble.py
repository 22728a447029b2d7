"""Training that fails says so, early, and leaves a run that can be read."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from disturbed.poison import injected, not_finite, poisoned
from econet.data.load import load_data
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


@pytest.fixture(scope="module")
def photos_data(clothes_data, tmp_path_factory):
    """Two classes of 20 pictures each, as files."""
    folder = tmp_path_factory.mktemp("photos")
    for label in (0, 1):
        (folder / str(label)).mkdir()
        rows = np.flatnonzero(clothes_data.train.labels == label)[:20]
        for row in rows:
            Image.fromarray(clothes_data.train.pixels[row, :, :, 0]).save(folder / str(label) / f"{row}.png")
    return load_data(str(folder), image_size=28, validation=0.2)


@pytest.mark.parametrize("where", ["loss", "gradients", "weights"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_step_that_breaks_once_is_gone_back_from_and_half_the_rate_goes_on(
    trained, monkeypatch, where, value, teller
):
    poisoned(monkeypatch, where, value, at=16)
    heard = teller()
    run = trained("run", heard, epochs=3, every=0.0)
    assert run.finished.setbacks == 1
    assert [line.epoch for line in run.history] == [1, 2, 3]
    undisturbed = trained("other", epochs=3)
    assert undisturbed.finished.setbacks == 0
    expected = [line.lr for line in undisturbed.history]
    assert [line.lr for line in run.history] == pytest.approx([expected[0], expected[1] / 2, expected[2] / 2])
    assert any("training diverged" in note and "going back to step 11" in note for note in heard.notes)
    assert not_finite(run.folder) == 0
    assert not list(run.folder.glob("checkpoint*"))


def test_what_breaks_again_and_again_stops_and_names_the_pictures(trained, monkeypatch, tmp_path, photos_data):
    """Every batch is poisoned: no lower rate helps."""
    learned = loop.learn

    def learn(forward, teacher, images, labels, *rest, **named):
        loss, right = learned(forward, teacher, images, labels, *rest, **named)
        return torch.full_like(loss, float("nan")), right

    monkeypatch.setattr(loop, "learn", learn)
    with pytest.raises(UserError) as caught:
        trained("run", data=photos_data, batch_size=3, epochs=2)
    assert caught.value.what == f"training diverged in {tmp_path / 'run'}"
    order = loop.epoch_order(0, 0, len(photos_data.train))[:3]
    for row in order.tolist():
        assert photos_data.train.files[row].name in caught.value.why
    assert "the loss became nan" in caught.value.why
    assert "at 0.25 of the rate after going back" in caught.value.why
    assert_readable(tmp_path / "run")


def test_a_run_that_went_back_resumes_to_the_same_bits(trained, monkeypatch, teller):
    poisoned(monkeypatch, "loss", float("nan"), at=14)
    whole = trained("whole", epochs=3)
    poisoned(monkeypatch, "loss", float("nan"), at=14)

    def stop(step):
        if step == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained("stopped", teller(stop), epochs=3, every=0.0)
    monkeypatch.undo()
    resumed = trained("stopped", epochs=3, every=0.0, resume=True)
    assert resumed.finished.setbacks == 1
    assert resumed.weights_path.read_bytes() == whole.weights_path.read_bytes()


@pytest.mark.slow
def test_two_hundred_broken_steps_leave_no_number_in_any_file_that_is_not_finite(clothes_data, tmp_path):
    """100 times NaN and 100 times Inf, in loss, gradients and weights, at random steps of a short training."""
    assert [injected(tmp_path, clothes_data, number) for number in range(200)] == ["nan", "inf"] * 100


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
