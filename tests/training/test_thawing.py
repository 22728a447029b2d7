"""The last layer learns alone, then all do, at a lower rate; the same bits after any kill."""

import dataclasses
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from msgspec import structs
from safetensors.numpy import load_file

from econet.data.dataset import Images
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.jobs.export import export_run
from econet.jobs.options import TrainOptions, check_train_options
from econet.models import catalog
from econet.runs.records import Plan
from econet.training.interruption import Interrupted
from econet.training.optimizers import Optimizers
from econet.training.thawing import Thawing, rate_factor

SHIPPED = "fashion-mnist-econet-76k"
SHIPPED_PATH = Path(SHIPPED)


def of_classes(data, first, last, name):
    """The pictures of classes `first` to `last` - 1 alone, as a data set of those classes."""

    def chosen(images):
        kept = (first <= images.labels) & (images.labels < last)
        return Images(images.pixels[kept], images.labels[kept] - first)

    parts = {split: chosen(getattr(data, split)) for split in ("train", "validation", "test")}
    return dataclasses.replace(data, classes=data.classes[first:last], fingerprint=name, **parts)


@pytest.fixture(scope="module")
def four(clothes_data):
    """Four kinds of clothes."""
    return of_classes(clothes_data, 6, 10, "four")


def in_colour(data):
    """The same pictures, red, green and blue all alike."""
    parts = {
        name: dataclasses.replace(part, pixels=np.repeat(part.pixels, 3, axis=3))
        for name, part in (("train", data.train), ("validation", data.validation), ("test", data.test))
    }
    record = structs.replace(data.preprocess, channels=3)
    return dataclasses.replace(data, preprocess=record, fingerprint="colour", **parts)


def plan_of(steps: int, frozen: int) -> Plan:
    return Plan(epochs=1, steps_per_epoch=steps, steps=steps, dropped_images=0, frozen_steps=frozen)


def test_while_held_the_last_layer_alone_has_gradients_and_no_statistic_moves():
    network = catalog.build("econet", input_shape=(1, 28, 28), classes=3, width=0.25)
    thawing = Thawing(network, plan_of(10, 4))
    thawing.prepare(3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.randn(8, 1, 28, 28)).square().sum().backward()
    assert {name for name, weight in network.named_parameters() if weight.grad is not None} == set(list(before)[-2:])
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert [step for step in range(10) if thawing.begins(step)] == [4]
    thawing.prepare(4)
    network(torch.randn(8, 1, 28, 28)).square().sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())
    assert not torch.equal(before["layers.0.norm.running_mean"], network.state_dict()["layers.0.norm.running_mean"])


@pytest.mark.parametrize("optimizer", ["sgd", "sgd-2012", "adamw", "muon"])
def test_every_optimizer_lets_the_others_join_later(usual, optimizer):
    network = catalog.build("econet", input_shape=(1, 28, 28), classes=3, width=0.25)
    optimizers = Optimizers(network, structs.replace(usual, optimizer=optimizer, lr=0.01))
    thawing = Thawing(network, plan_of(10, 2))
    first = {name: value.detach().clone() for name, value in network.named_parameters()}
    for step in range(3):
        thawing.prepare(step)
        before = {name: value.detach().clone() for name, value in network.named_parameters()}
        network(torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(step))).square().mean().mul(
            1e4
        ).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        gradients = {
            name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None
        }
        optimizers.step(1.0)
        if step == 1:
            still = [name for name, value in network.named_parameters() if torch.equal(value, first[name])]
            assert set(first) - set(still) == set(list(first)[-2:])
    after = dict(network.named_parameters())
    assert not any(torch.equal(after[name], first[name]) for name in first if first[name].ndim > 1)
    if optimizer == "sgd":  # a first step of Nesterov's rule, without decay: rate * (1 + momentum) * gradient
        name = "layers.1.depthwise.weight"
        torch.testing.assert_close(after[name].detach(), before[name] - 0.01 * 1.9 * gradients[name])


def test_the_schedule_runs_once_over_each_part():
    training = SimpleNamespace(schedule="one-cycle", schedule_marks=(), thawed_rate=0.25)
    rates = [rate_factor(training, plan_of(14, 4), step, 0) for step in range(14)]
    # Smith's cycle by hand: progress (k + 1) / (n + 1), up over a fifth, down over the rest.
    assert rates[:4] == pytest.approx([0.2 / 0.2, 0.6 / 0.8, 0.4 / 0.8, 0.2 / 0.8])
    assert rates[4] == pytest.approx(0.25 * (1 / 11) / 0.2)
    assert rates[13] == pytest.approx(0.25 * (1 / 11) / 0.8)
    whole = [rate_factor(training, plan_of(14, 0), step, 0) for step in range(14)]
    assert max(whole) == pytest.approx(0.2 / 0.2)


def test_a_shipped_network_goes_on_with_colours_of_other_classes_and_is_exported(trained, four, teller):
    notes = teller()
    run = trained("run", notes, data=in_colour(four), model=None, start=SHIPPED_PATH, epochs=4, augment=None)
    assert run.config.model == "econet:fine"
    assert run.config.architecture["input"] == [3, 28, 28]
    assert run.config.training.from_weights == f"zoo:{SHIPPED}"
    assert run.config.training.augment == "strong"
    assert run.config.plan.frozen_steps == round(0.25 * run.config.plan.steps) > 0
    told = "\n".join(notes.notes)
    assert f"starting from {SHIPPED}, its first layer sees the colours as one gray, new: layers.9.linear.weight" in told
    assert "augmentation strong: 26 training pictures a class" in told
    # It knows clothes already: far better than one that has to learn them from so few pictures.
    assert run.finished.validation_accuracy >= 0.8
    export = export_run(run, in_colour(four), int8=False, parity_drop=0.02, progress=notes)
    assert export.parity.passed
    assert Predictor(run.artifact("fp32")).classes == four.classes


def test_always_held_keeps_every_layer_but_the_last(trained, four):
    parent = trained("parent", epochs=1)
    run = trained("run", data=four, start=parent.folder, thaw=1.0, epochs=1, model=None)
    before, after = load_file(parent.weights_path), load_file(run.weights_path)
    last = set(list(after)[-2:]) if list(after) == sorted(after) else {n for n in after if "linear" in n}
    assert run.config.plan.frozen_steps == run.config.plan.steps
    assert all(np.array_equal(before[name], after[name]) for name in after if name not in last)
    assert all(after[name].shape != before[name].shape for name in last)


def test_the_same_classes_are_not_held_by_default(trained):
    parent = trained("parent", epochs=1)
    assert trained("run", start=parent.folder, epochs=1).config.plan.frozen_steps == 0


def test_a_stop_while_held_and_just_before_the_thaw_ends_with_the_same_bits(trained, four, teller, tmp_path):
    asked = {"data": four, "model": None, "start": SHIPPED_PATH, "epochs": 2, "thaw": 0.5}
    plain = trained("plain", **asked)
    assert plain.config.plan.frozen_steps == 4
    for step in (2, 3, 4):

        def stop(now: int, step: int = step) -> None:
            if now == step:
                signal.raise_signal(signal.SIGTERM)

        with pytest.raises(Interrupted):
            trained(f"run-{step}", teller(stop), **asked)
        if step == 2:  # as a kill before the first checkpoint leaves it
            for path in (tmp_path / "run-2").glob("checkpoint*"):
                path.unlink()
        again = trained(f"run-{step}", **asked, resume=True)
        assert again.weights_path.read_bytes() == plain.weights_path.read_bytes()


def test_a_share_without_a_start_and_a_start_that_is_nowhere_are_refused(trained):
    with pytest.raises(UserError, match="without --from"):
        check_train_options(TrainOptions(thaw=0.5))
    with pytest.raises(UserError, match="neither a run nor in the zoo") as caught:
        trained("run", start=Path("fashion-mnist-econet-67k"))
    assert caught.value.remedy == f"--from {SHIPPED}"
