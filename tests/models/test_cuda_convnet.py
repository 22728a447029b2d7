"""cuda-convnet's five networks for CIFAR-10: size, start, decays, and the answers worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import plain_layers as plain
from econet.errors import UserError
from econet.models import catalog, cost
from econet.models.architecture import Activation, Architecture, Conv, Dense, Local, Weighted, from_data
from econet.models.network import Network, own_decays
from econet.models.shapes import walk

NAMES = ("26pct", "19pct", "18pct", "13pct", "11pct")
# Parameters and MACs at 32 pixels, then at 24.
COST = {
    "26pct": (145_578, 12_354_176, 116_906, 6_949_504),
    "19pct": (89_578, 12_298_240, 85_098, 6_917_760),
    "18pct": (89_578, 12_298_240, 85_098, 6_917_760),
    "13pct": (1_901_386, 32_919_552, 1_116_490, 18_517_248),
    "11pct": (3_672_906, 34_689_024, 2_112_970, 19_512_576),
}
SPREADS = {
    "26pct": (1e-4, 0.01, 0.01, 0.1, 0.1),
    "19pct": (1e-4, 0.01, 0.01, 0.01),
    "18pct": (1e-4, 0.01, 0.01, 0.01),
    "13pct": (1e-4, 0.01, 0.04, 0.04, 0.01),
    "11pct": (1e-4, 0.01, 0.04, 0.04, 0.01),
}
DECAYS = {
    "26pct": (0.004, 0.004, 0.004, 0.03, 0.03),
    "19pct": (0.004, 0.004, 0.004, 3),
    "18pct": (0.004, 0.004, 0.004, 1),
    "13pct": (0, 0, 0.004, 0.004, 0.004),
    "11pct": (0, 0, 0.004, 0.004, 0.01),
}


def made(name: str, side: int = 32, channels: int = 3, classes: int = 10, **switches) -> Architecture:
    return from_data(catalog.architecture(f"cuda_convnet:{name}", (channels, side, side), classes, **switches))


def three_convolutions(x, w1, w2, w3, norm=lambda x: x, bend=plain.relu):
    x = norm(bend(plain.max_pool(plain.convolution(x, *w1, padding=2))))
    x = norm(plain.average_pool(bend(plain.convolution(x, *w2, padding=2))))
    return plain.flat(plain.average_pool(bend(plain.convolution(x, *w3, padding=2))))


def answers_26(x, weights, bend=plain.relu):
    *convolutions, first, last = weights
    return plain.dense(bend(plain.dense(three_convolutions(x, *convolutions, bend=bend), *first)), *last)


def answers_19(x, weights):
    *convolutions, last = weights
    return plain.dense(three_convolutions(x, *convolutions), *last)


def answers_18(x, weights):
    *convolutions, last = weights

    def norm(maps):
        return plain.same_map_norm(maps, 3, 5e-5 / 9)

    return plain.dense(three_convolutions(x, *convolutions, norm=norm), *last)


def answers_13(x, weights, first_norm=lambda x: x, second_norm=lambda x: x):
    w1, w2, own1, own2, last = weights
    x = first_norm(plain.max_pool(plain.relu(plain.convolution(x, *w1, padding=2))))
    x = plain.max_pool(second_norm(plain.relu(plain.convolution(x, *w2, padding=2))))
    x = plain.relu(plain.local(plain.relu(plain.local(x, *own1)), *own2))
    return plain.dense(plain.flat(x), *last)


def answers_11(x, weights):
    """Its first norm reads pooled maps, its second is pooled afterwards."""

    def norm(maps):
        return plain.cross_map_norm(maps, 9, 1e-3 / 9, 1)

    return answers_13(x, weights, norm, norm)


ANSWERS = {"26pct": answers_26, "19pct": answers_19, "18pct": answers_18, "13pct": answers_13, "11pct": answers_11}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [32, 24])
def test_real_photographs_get_the_answers_worked_out_by_plain_numpy(name, side, photos):
    network = plain.spread_out(Network(made(name, side)))
    images = photos(side)
    centred = images.astype(np.float64) - network.layers[0].mean.double().numpy()
    expected = ANSWERS[name](centred, list(plain.weights_of(network)))
    with torch.no_grad():
        answers = network(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    assert np.ptp(expected, axis=0).min() > 0


def test_the_26_percent_net_bends_by_tanh_where_asked(photos):
    network = plain.spread_out(Network(made("26pct", 24, activation="tanh")))
    centred = photos(24).astype(np.float64) - network.layers[0].mean.double().numpy()
    expected = answers_26(centred, list(plain.weights_of(network)), np.tanh)
    with torch.no_grad():
        answers = network(torch.from_numpy(photos(24))).numpy()
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_macs_are_those_of_the_published_files(name):
    large, small = made(name, 32), made(name, 24)
    found = (cost.parameters(large), cost.macs(large), cost.parameters(small), cost.macs(small))
    assert found == COST[name]
    assert sum(value.numel() for value in Network(small).parameters()) == COST[name][2]


@pytest.mark.parametrize(("side", "pooled"), [(32, [16, 8, 4]), (24, [12, 6, 3])])
def test_the_three_pools_halve_rounding_up(side, pooled):
    steps = [gives[1] for layer, reads, gives in walk(made("18pct", side)) if gives[1:] != reads[1:] and gives[1] > 1]
    assert steps == pooled


@pytest.mark.parametrize("name", NAMES)
def test_weights_start_with_the_published_spreads_and_biases_at_zero(name):
    torch.manual_seed(0)
    values = [value.detach() for value in Network(made(name)).parameters()]
    for weight, expected in zip(values[::2], SPREADS[name], strict=True):
        assert weight.std().item() == pytest.approx(expected, rel=5 / math.sqrt(2 * weight.numel()))
    assert not any(bias.any() for bias in values[1::2])


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_matrix_has_its_published_decay_and_no_bias_has_any(name):
    network = Network(made(name))
    decays, parameters = own_decays(network), list(network.parameters())
    assert tuple(decays[weight] for weight in parameters[::2]) == DECAYS[name]
    assert not any(bias in decays for bias in parameters[1::2])


def test_without_decay_no_weight_of_the_26_percent_net_decays():
    network = Network(made("26pct", decay=False))
    assert set(own_decays(network).values()) == {0.0}
    assert len(own_decays(network)) == 5


def test_tanh_changes_the_nonlinearities_and_nothing_else():
    usual, tanh = made("26pct").layers, made("26pct", activation="tanh").layers
    assert [layer.function for layer in tanh if isinstance(layer, Activation)] == ["tanh"] * 4
    others = [[layer for layer in layers if not isinstance(layer, Activation)] for layers in (usual, tanh)]
    assert others[0] == others[1]
    assert not any(layer.relu for layer in tanh if isinstance(layer, Conv | Dense))


def test_the_11_percent_net_without_its_norms_is_the_13_percent_net_but_for_width_and_decay():
    bare = [layer for layer in made("11pct", lrn=False).layers if isinstance(layer, Weighted)]
    other = [layer for layer in made("13pct").layers if isinstance(layer, Weighted)]
    assert [layer for layer in bare if isinstance(layer, Conv)] == [layer for layer in other if isinstance(layer, Conv)]
    assert [layer.channels for layer in bare if isinstance(layer, Local)] == [64, 32]
    assert [layer.channels for layer in other if isinstance(layer, Local)] == [32, 32]
    assert (bare[-1].decay, other[-1].decay) == (0.01, 0.004)


def test_half_the_width_of_the_11_percent_net_has_half_of_every_layers_channels():
    whole, half = made("11pct"), made("11pct", width=0.5)
    channels = [[layer.channels for layer in net.layers if isinstance(layer, Weighted)] for net in (whole, half)]
    assert channels == [[64, 64, 64, 32, 10], [32, 32, 32, 16, 10]]
    with pytest.raises(UserError, match="--width 0 is out of range"):
        made("11pct", width=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_loss_is_that_of_chance(name, photos):
    torch.manual_seed(0)
    network = Network(made(name, 24)).train()
    network.layers[0].mean.fill_(125.0)
    with torch.no_grad():
        loss = F.cross_entropy(network(torch.from_numpy(photos(24))), torch.tensor([0, 3, 5, 9])).item()
    assert loss == pytest.approx(math.log(10), abs=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_every_net_learns_and_takes_other_classes_and_gray(name):
    torch.manual_seed(0)
    network = plain.spread_out(Network(made(name, 24, channels=1, classes=4))).train()
    logits = network(torch.rand(4, 1, 24, 24) * 255)
    assert logits.shape == (4, 4)
    F.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in network.parameters())
    assert all(module.weight.grad.any() for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear))


@pytest.mark.parametrize(("name", "smallest"), [("26pct", 12), ("18pct", 12), ("13pct", 6), ("11pct", 6)])
def test_images_too_small_are_refused_and_the_next_size_is_not(name, smallest):
    with pytest.raises(UserError, match=rf"image size {smallest - 1} is smaller than cuda_convnet:{name} can take"):
        made(name, smallest - 1)
    assert Network(made(name, smallest))(torch.zeros(1, 3, smallest, smallest)).shape == (1, 10)


@pytest.mark.parametrize(
    ("name", "switches", "text"),
    [
        ("26pct", {"activation": "sigmoid"}, "unknown activation 'sigmoid'"),
        ("26pct", {"decay": "no"}, "decay reads true or false"),
        ("18pct", {"lrn": False}, "has no --lrn"),
    ],
)
def test_a_switch_that_cannot_be_is_refused(name, switches, text):
    with pytest.raises(UserError, match=text):
        made(name, **switches)
