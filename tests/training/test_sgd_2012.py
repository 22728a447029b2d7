"""The update rule of 2012, by the worked example, and what of a network it reaches with which rate and decay."""

import copy

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import nn
from torch.nn import functional as F

from econet.models import catalog
from econet.training.defaults import defaults_for
from econet.training.machine import placed
from econet.training.optimizers import Optimizers
from econet.training.sgd_2012 import Sgd2012
from econet.training.step import learn

CPU = torch.device("cpu")
# Step, rate, gradient of the weight and of the bias; the weight's velocity and value, the bias's, after the step.
# Decay 0.0005 on the weight, none and twice the rate on the bias; both begin at 1. In double precision.
EXAMPLE = (
    (0.01, 0.5, 0.2, -0.005005000000, 0.994995000000, -0.004000, 0.996000),
    (0.01, -0.25, 0.4, -0.002009474975, 0.992985525025, -0.011600, 0.984400),
    (0.001, 0.1, -0.1, -0.001909023970, 0.991076501055, -0.010240, 0.974160),
)
# Where torch's SGD ends: the lower rate of step 3 shortens its whole past.
TORCH_ENDS_AT = 0.992704175784


@pytest.fixture
def rule(usual):
    """The published training: rate 0.01, decay 0.0005 on weights."""
    return replace(usual, optimizer="sgd-2012", lr=0.01, weight_decay=5e-4)


def one() -> nn.Parameter:
    return nn.Parameter(torch.ones(1, dtype=torch.float64))


def network(name: str = "cuda_convnet:18pct", **switches) -> nn.Module:
    torch.manual_seed(0)
    return placed(catalog.build(name, input_shape=(3, 24, 24), **switches), CPU)


def ask(trained: nn.Module, gradient: float = 0.0) -> None:
    """Give every weight the same gradient."""
    for parameter in trained.parameters():
        parameter.grad = torch.full_like(parameter, gradient)


def teach(trained: nn.Module, seed: int = 1, copies: int = 1, *, config) -> None:
    """Leave the gradients of six random images, each shown `copies` times."""
    generator = torch.Generator().manual_seed(seed)
    images = (torch.rand(6, 3, 24, 24, generator=generator) * 255).repeat(copies, 1, 1, 1)
    labels = torch.randint(10, (6,), generator=generator).repeat(copies)
    learn(trained, None, images, labels, config, "fp32")


def copied(trained: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in trained.parameters()]


def test_the_worked_example_comes_out_to_twelve_digits():
    weight, bias = one(), one()
    optimizer = Sgd2012(
        [{"params": [weight], "weight_decay": 5e-4}, {"params": [bias], "weight_decay": 0.0}], lr=0.01, momentum=0.9
    )
    for rate, of_weight, of_bias, velocity, value, bias_velocity, bias_value in EXAMPLE:
        weight.grad, bias.grad = torch.full_like(weight, of_weight), torch.full_like(bias, of_bias)
        optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"] = rate, 2 * rate
        optimizer.step()
        assert optimizer.state[weight]["velocity"].item() == pytest.approx(velocity, abs=1e-12)
        assert weight.item() == pytest.approx(value, abs=1e-12)
        assert optimizer.state[bias]["velocity"].item() == pytest.approx(bias_velocity, abs=1e-12)
        assert bias.item() == pytest.approx(bias_value, abs=1e-12)


def test_torchs_rule_ends_elsewhere_because_the_rate_changed():
    theirs, ours = one(), one()
    group = {"weight_decay": 5e-4}
    for weight, optimizer in (
        (theirs, torch.optim.SGD([{"params": [theirs], **group}], lr=0.01, momentum=0.9)),
        (ours, Sgd2012([{"params": [ours], **group}], lr=0.01, momentum=0.9)),
    ):
        for number, (rate, gradient, *_) in enumerate(EXAMPLE):
            weight.grad = torch.full_like(weight, gradient)
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
            if number == 1:
                assert weight.item() == pytest.approx(EXAMPLE[1][4], abs=1e-12)  # while it stayed, no difference
    assert theirs.item() == pytest.approx(TORCH_ENDS_AT, abs=1e-12)
    assert abs(ours.item() - TORCH_ENDS_AT) > 1e-3


def test_a_rate_of_zero_leaves_weight_and_velocity_to_the_bit(rule):
    trained = network()
    optimizers = Optimizers(trained, rule)
    ask(trained, 0.3)
    optimizers.step(1.0)
    weights, velocities = copied(trained), {name: value.clone() for name, value in optimizers.state().items()}
    ask(trained, 0.7)
    optimizers.step(0.0)
    assert all(torch.equal(a, b) for a, b in zip(weights, trained.parameters(), strict=True))
    assert all(torch.equal(velocities[name], value) for name, value in optimizers.state().items())
    ask(trained, 0.0)
    optimizers.step(1.0)  # what was in motion goes on
    assert not any(torch.equal(a, b) for a, b in zip(weights, trained.parameters(), strict=True))


def test_with_no_gradient_weights_shrink_by_decay_times_rate_and_biases_stay(rule):
    trained = network("alexnet:mini", width=0.1, bias_one=True)
    for parameter in trained.parameters():
        nn.init.ones_(parameter)
    optimizers = Optimizers(trained, rule)
    ask(trained)
    optimizers.step(1.0)
    weights, biases = list(trained.parameters())[::2], list(trained.parameters())[1::2]
    assert len(weights) == 8
    expected = np.float32(1) + np.float32(-5e-4 * 0.01)
    assert all((weight == expected).all() for weight in weights)
    assert all((bias == 1).all() for bias in biases)


# Of the last layer: its published decay, and how much a weight of 1 loses in a step at the published rate.
SHRINKS = {"19pct": (3.0, 0.003), "18pct": (1.0, 0.001), "13pct": (0.004, 4e-6), "11pct": (0.01, 1e-5)}


@pytest.mark.parametrize("name", SHRINKS)
def test_a_layers_own_decay_reaches_its_weights(rule, name):
    decay, loss = SHRINKS[name]
    usual = defaults_for(f"cuda_convnet:{name}")
    assert (usual.optimizer, usual.lr, usual.batch_size) == ("sgd-2012", 0.001, 128)
    trained = network(f"cuda_convnet:{name}")
    optimizers = Optimizers(trained, replace(rule, lr=usual.lr, weight_decay=usual.weight_decay))
    last = list(trained.parameters())[-2]
    nn.init.ones_(last)
    ask(trained)
    optimizers.step(1.0)
    assert usual.lr * decay == pytest.approx(loss)
    (part,) = optimizers.parts
    assert part.state[last]["velocity"].min().item() == pytest.approx(-loss, rel=1e-6)
    assert last.min().item() == pytest.approx(1 - loss, abs=1e-7)


def test_decays_that_layers_bring_beat_the_trainings_and_other_optimizers_honour_them(rule):
    for optimizer in ("sgd-2012", "sgd", "adamw"):
        trained = network("cuda_convnet:13pct")
        (part,) = Optimizers(trained, replace(rule, optimizer=optimizer, weight_decay=0.5)).parts
        found = {id(value): group["weight_decay"] for group in part.param_groups for value in group["params"]}
        decays = [found[id(value)] for value in trained.parameters()]
        assert decays[::2] == [0, 0, 0.004, 0.004, 0.004]
        assert decays[1::2] == [0] * 5


def test_the_rate_of_the_biases_stays_while_the_weights_is_lowered(rule):
    trained = network()
    before = copied(trained)
    optimizers = Optimizers(trained, replace(rule, lr=0.001, bias_lr=0.002))
    for factor in (1.0, 0.1):
        ask(trained, 1.0)
        optimizers.step(factor)
    for index, (parameter, first) in enumerate(zip(trained.parameters(), before, strict=True)):
        if index % 2:  # -0.002, then 0.9 of that and -0.002 again
            np.testing.assert_allclose((parameter - first).detach().numpy(), -0.002 * 2.9, rtol=1e-4)
    last = list(trained.parameters())[-2]
    (part,) = optimizers.parts
    w = before[-2].double()
    velocity = -0.001 * (w + 1)  # decay 1
    velocity = 0.9 * velocity - 0.0001 * (w + velocity + 1)
    torch.testing.assert_close(part.state[last]["velocity"].double(), velocity, rtol=1e-5, atol=1e-9)


def test_a_rate_of_zero_for_the_biases_freezes_them(rule):
    trained = network()
    before = copied(trained)
    optimizers = Optimizers(trained, replace(rule, bias_lr=0.0))
    ask(trained, 1.0)
    optimizers.step(1.0)
    same = [torch.equal(a, b) for a, b in zip(before, trained.parameters(), strict=True)]
    assert same == [False, True] * 4


def test_long_gradients_are_not_shortened(rule):
    trained = network("alexnet:mini", width=0.1)
    before = copied(trained)
    optimizers = Optimizers(trained, replace(rule, weight_decay=0.0))
    ask(trained, 100.0)
    optimizers.step(1.0)
    for parameter, first in zip(trained.parameters(), before, strict=True):
        torch.testing.assert_close(first - parameter, torch.full_like(first, 1.0), rtol=0, atol=1e-6)


def test_showing_every_image_twice_changes_nothing(rule):
    """The gradient is the mean over the batch, not its sum."""
    found = []
    for copies in (1, 2):
        trained = network("alexnet:mini", width=0.1, dropout=False)
        optimizers = Optimizers(trained, rule)
        teach(trained, copies=copies, config=rule)
        optimizers.step(1.0)
        found.append(copied(trained))
    for once, twice in zip(*found, strict=True):
        torch.testing.assert_close(once, twice, rtol=1e-4, atol=1e-7)


def test_a_real_step_is_the_printed_formula(rule):
    trained = network("alexnet:mini", width=0.1, dropout=False)
    optimizers = Optimizers(trained, rule)
    velocity = [np.zeros(value.shape) for value in trained.parameters()]
    weights = [value.double().numpy() for value in copied(trained)]
    for seed, factor in ((1, 1.0), (2, 1.0), (3, 0.1)):
        teach(trained, seed, config=rule)
        gradients = [value.grad.double().numpy().copy() for value in trained.parameters()]
        optimizers.step(factor)
        for index, gradient in enumerate(gradients):
            decay = 5e-4 if index % 2 == 0 else 0.0
            lr = 0.01 * factor
            velocity[index] = 0.9 * velocity[index] - decay * lr * weights[index] - lr * gradient
            weights[index] = weights[index] + velocity[index]
    for value, expected in zip(copied(trained), weights, strict=True):
        np.testing.assert_allclose(value.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_velocity_put_back_goes_on_with_the_same_bits(rule):
    trained = network("cuda_convnet:13pct")
    optimizers = Optimizers(trained, rule)
    for seed in (1, 2):
        teach(trained, seed, config=rule)
        optimizers.step(1.0)
    state = {name: value.clone() for name, value in optimizers.state().items()}
    assert len(state) == 10
    assert all(name.endswith("velocity") for name in state)
    other, without = copy.deepcopy(trained), copy.deepcopy(trained)
    restored, forgetful = Optimizers(other, rule), Optimizers(without, rule)
    restored.load(state)
    for each, its in ((trained, optimizers), (other, restored), (without, forgetful)):
        teach(each, 3, config=rule)
        its.step(0.1)
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), other.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(trained.parameters(), without.parameters(), strict=True))


def test_the_published_networks_train_by_their_papers_settings():
    paper = defaults_for("alexnet:paper")
    assert (paper.optimizer, paper.lr, paper.weight_decay, paper.batch_size) == ("sgd-2012", 0.01, 5e-4, 128)
    assert (paper.label_smoothing, paper.ema) == (0, 0)
    assert defaults_for("alexnet:original_code") == paper


def test_the_loss_that_is_learned_from_is_the_mean_log_probability(rule):
    trained = network("alexnet:mini", width=0.1, dropout=False)
    images, labels = torch.rand(5, 3, 24, 24) * 255, torch.tensor([1, 2, 3, 4, 0])
    loss, _ = learn(trained, None, images, labels, rule, "fp32")
    with torch.no_grad():
        probabilities = F.softmax(trained(images), dim=1).double().numpy()
    assert loss.item() == pytest.approx(-np.log(probabilities[np.arange(5), labels.numpy()]).mean(), rel=1e-5)
