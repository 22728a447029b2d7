"""Each optimizer does what its paper says, on the weights it should, in the layout they lie in."""

import copy

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import nn
from torch.nn import functional as F

from econet.models.architecture import Architecture, Conv, Dense, GlobalMean, Separable
from econet.models.network import Network
from econet.training.machine import placed
from econet.training.optimizers import Optimizers

CPU = torch.device("cpu")
FACTORS = (0.5, 1.0)
# Of the network below: what weight decay pulls on, and what Muon takes.
DECAYED = {"layers.0.conv.weight", "layers.1.conv.weight", "layers.2.pointwise.weight", "layers.4.linear.weight"}
HIDDEN = {"layers.1.conv.weight", "layers.2.pointwise.weight"}


def make_network() -> nn.Module:
    torch.manual_seed(0)
    layers = (
        Conv(channels=8, kernel=3),
        Conv(channels=6, kernel=3, norm=False),
        Separable(channels=12),
        GlobalMean(),
        Dense(channels=3, relu=False),
    )
    return placed(Network(Architecture(name="t", input=(1, 8, 8), classes=3, layers=layers)), CPU)


def learn(network: nn.Module) -> None:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(12, 1, 8, 8, generator=generator)
    labels = torch.randint(3, (12,), generator=generator)
    F.cross_entropy(network(images), labels).backward()


def values(network: nn.Module, what=lambda parameter: parameter) -> dict[str, np.ndarray]:
    return {name: what(parameter).detach().double().numpy().copy() for name, parameter in network.named_parameters()}


def run_beside(network, config, reference):
    """Two steps of the optimizer, and of `reference(name, weight, gradient, lr, decay, state)` beside it."""
    optimizers = Optimizers(network, config)
    expected, states = values(network), {name: {} for name in values(network)}
    for factor in FACTORS:
        learn(network)
        gradients = values(network, lambda parameter: parameter.grad)
        optimizers.step(factor)
        for name, gradient in gradients.items():
            decay = config.weight_decay if name in DECAYED else 0.0
            expected[name] = reference(name, expected[name], gradient, config.lr * factor, decay, states[name])
    return expected


def nesterov(name, weight, gradient, lr, decay, state):
    gradient = gradient + decay * weight
    state["v"] = gradient if "v" not in state else 0.9 * state["v"] + gradient
    return weight - lr * (gradient + 0.9 * state["v"])


def adamw(name, weight, gradient, lr, decay, state):
    n = state["n"] = state.get("n", 0) + 1
    state["m"] = 0.9 * state.get("m", 0) + 0.1 * gradient
    state["v"] = 0.999 * state.get("v", 0) + 0.001 * gradient**2
    mean, square = state["m"] / (1 - 0.9**n), state["v"] / (1 - 0.999**n)
    return weight * (1 - lr * decay) - lr * mean / (np.sqrt(square) + 1e-8)


def muon(name, weight, gradient, lr, decay, state):
    """Jordan 2024: momentum 0.95, Nesterov, five Newton-Schulz steps on [out, rest]; AdamW beside it, same rate."""
    if name not in HIDDEN:
        return adamw(name, weight, gradient, lr, 0.0, state)
    state["v"] = 0.95 * state.get("v", 0) + gradient
    x = (gradient + 0.95 * state["v"]).reshape(len(weight), -1)
    shape = x.shape
    x = x.T if shape[0] > shape[1] else x
    x = x / np.linalg.norm(x)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    x = x.T if shape[0] > shape[1] else x
    return weight * (1 - lr * decay) - lr * max(1, shape[0] / shape[1]) ** 0.5 * x.reshape(weight.shape)


@pytest.mark.parametrize(("optimizer", "reference"), [("sgd", nesterov), ("adamw", adamw)])
def test_two_steps_are_those_of_the_plain_formula(usual, optimizer, reference):
    network = make_network()
    expected = run_beside(network, replace(usual, optimizer=optimizer, lr=0.05), reference)
    for name, value in values(network).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=2e-6, err_msg=name)


def test_two_steps_of_muon_are_those_of_the_plain_formula(usual):
    network = make_network()
    before = values(network)
    expected = run_beside(network, replace(usual, optimizer="muon", lr=0.02), muon)
    for name, value in values(network).items():
        moved, should = value - before[name], expected[name] - before[name]
        error = np.linalg.norm(moved - should) / np.linalg.norm(should)
        assert error < (0.03 if name in HIDDEN else 1e-3), name  # torch's Newton-Schulz runs in bf16


def test_muons_views_change_the_convolutions_themselves(usual):
    network = make_network()
    image, before = torch.rand(1, 1, 8, 8), values(network)
    answer = network.eval()(image)
    network.train()
    optimizers = Optimizers(network, replace(usual, optimizer="muon"))
    learn(network)
    optimizers.step(1.0)
    assert all((values(network)[name] != before[name]).any() for name in HIDDEN)
    assert not torch.equal(network.eval()(image), answer)
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_state_put_back_goes_on_with_the_same_bits(usual, optimizer):
    config = replace(usual, optimizer=optimizer)
    network = make_network()
    optimizers = Optimizers(network, config)
    for _ in range(2):
        learn(network)
        optimizers.step(1.0)
    other = copy.deepcopy(network)
    restored = Optimizers(other, config)
    restored.load({name: value.clone() for name, value in optimizers.state().items()})
    for each, its in ((network, optimizers), (other, restored)):
        learn(each)
        its.step(0.5)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))


def test_state_put_back_lies_as_its_weight_does(usual):
    network = make_network()
    optimizers = Optimizers(network, usual)
    learn(network)
    optimizers.step(1.0)
    state = optimizers.state()
    assert all(value.is_contiguous() for value in state.values())
    fresh = Optimizers(network, usual)
    fresh.load(state)
    weight = network.layers[1].conv.weight
    assert not weight.is_contiguous()
    assert fresh.parts[0].state[weight]["momentum_buffer"].stride() == weight.stride()


def test_a_network_without_hidden_layers_trains_by_muon_too(usual):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    before = network[1].weight.detach().clone()
    optimizers = Optimizers(network, replace(usual, optimizer="muon"))
    learn(network)
    optimizers.step(1.0)
    assert not torch.equal(network[1].weight, before)
