"""The published network in both presets: its size, geometry, order, values and start."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from published_network import (
    CODE_ORDER,
    PAPER_ORDER,
    PRESETS,
    PUBLISHED,
    SMALL,
    kind_of,
    made,
    narrow,
    of_kind,
    order,
    reaches,
    sides,
)
from torch import nn
from torch.nn import functional as F

import plain_layers as plain
from econet.models import cost
from econet.models.architecture import Conv, Dense, Dropout, Lrn, MapNorm
from econet.models.layers_2012 import MaskDropout
from econet.models.network import Network, own_decays
from econet.models.shapes import walk

WEIGHTS = ("conv1", "conv2", "conv3", "conv4", "conv5", "f6", "f7", "f8")
# Of the paper's figure 2: weights and biases, positions, and sides of every map from the input on.
PARAMETERS = (34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000)
MACS = (105_415_200, 223_948_800, 149_520_384, 112_140_288, 74_760_192, 37_748_736, 16_777_216, 4_096_000)
SIDES = [224, 55, 27, 27, 13, 13, 13, 13, 6]
BIASES = (0, 1, 0, 1, 1, 1, 1, 0)


def convolution(network: Network, number: int) -> nn.Module:
    """conv1 is number 1."""
    convs = [
        module
        for module, layer in zip(network.layers, network.architecture.layers, strict=True)
        if isinstance(layer, Conv)
    ]
    return convs[number - 1]


@pytest.fixture(scope="module", params=PRESETS)
def published(request) -> Network:
    """A preset at full size, as it starts."""
    torch.manual_seed(0)
    return Network(made(request.param))


# Size and geometry


@pytest.mark.parametrize("name", PRESETS)
def test_every_layer_has_the_published_number_of_weights_and_macs(name):
    architecture = made(name)
    with torch.device("meta"):
        network = Network(architecture)
    sizes = [value.numel() for value in network.parameters()]
    assert tuple(weight + bias for weight, bias in zip(sizes[::2], sizes[1::2], strict=True)) == PARAMETERS
    places = [55 * 55, 27 * 27, 13 * 13, 13 * 13, 13 * 13, 1, 1, 1]
    assert tuple(weight * count for weight, count in zip(sizes[::2], places, strict=True)) == MACS
    assert cost.parameters(architecture) == sum(PARAMETERS) == 60_965_224
    assert cost.macs(architecture) == sum(MACS) == 724_406_816


@pytest.mark.parametrize("name", PRESETS)
def test_224_pixels_become_55_27_13_and_6(name):
    """Seen in the modules themselves, and told by the record."""
    architecture = made(name)
    found = [224]
    with torch.device("meta"):
        network, x = Network(architecture), torch.empty(1, *PUBLISHED)
        for module, layer in zip(network.layers, architecture.layers, strict=True):
            x = module(x)
            if kind_of(layer) in ("conv", "max-pool"):
                found.append(x.shape[2])
    assert found == SIDES == sides(architecture)
    assert x.shape == (1, 1000)


def test_without_its_far_padding_the_first_layer_would_give_54():
    architecture = made("alexnet:paper")
    mean, first, *rest = architecture.layers
    assert (first.kernel, first.stride, first.padding, first.far_padding) == (11, 4, 0, (3, 3))
    bare = replace(architecture, layers=(mean, replace(first, far_padding=(0, 0)), *rest))
    assert (sides(architecture)[1], sides(bare)[1]) == (55, 54)


def test_the_first_layers_zeros_lie_beyond_the_far_edges():
    """Padding by 2 on all sides gives 55 windows too, but shifted by two pixels."""
    network = Network(narrow("alexnet:original_code", side=224))
    layer = convolution(network, 1)
    corner, other = torch.zeros(1, 3, 224, 224), torch.zeros(1, 3, 224, 224)
    corner[0, :, 0, 0], other[0, :, 223, 223] = 1, 1
    weight, bias = layer.conv.weight.detach(), layer.conv.bias.detach()
    with torch.no_grad():
        near, far = layer(corner)[0] - bias[:, None, None], layer(other)[0] - bias[:, None, None]
    torch.testing.assert_close(near[:, 0, 0], weight[:, :, 0, 0].sum(1))
    torch.testing.assert_close(far[:, 54, 54], weight[:, :, 7, 7].sum(1))  # the last window begins at 216
    for response, row, column in ((near, 0, 0), (far, 54, 54)):
        response[:, row, column] = 0
        assert not response.any()


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_any_number_of_classes_and_channels(name, channels):
    network = Network(made(name, (channels, SMALL, SMALL), 7, width=0.05)).eval()
    assert network(torch.zeros(2, channels, SMALL, SMALL)).shape == (2, 7)


# Order and values


@pytest.mark.parametrize(("name", "expected"), [(PRESETS[0], PAPER_ORDER), (PRESETS[1], CODE_ORDER)])
def test_the_order_of_the_layers_is_the_presets(name, expected):
    assert order(made(name)) == expected


def test_the_normalisations_are_the_presets():
    paper, code = made("alexnet:paper"), made("alexnet:original_code")
    assert of_kind(paper, Lrn) == [Lrn(size=5, alpha=1e-4, beta=0.75, k=2.0, columns=1)] * 2
    assert of_kind(code, Lrn) == [Lrn(size=5, alpha=1e-4 / 5, beta=0.75, k=2.0, columns=2)] * 2
    assert of_kind(paper, MapNorm) == []
    assert of_kind(code, MapNorm) == [MapNorm(size=5, alpha=1e-3 / 25, beta=0.75)]


def paper_by_hand(x, weights, **first):
    w1, w2, w3, w4, w5, f6, f7, f8 = weights
    x = plain.relu(plain.convolution(x, *w1, **first))
    x = plain.max_pool(plain.cross_map_norm(x, 5, 1e-4, 2))
    x = plain.relu(plain.convolution(x, *w2, padding=2, groups=2))
    x = plain.max_pool(plain.cross_map_norm(x, 5, 1e-4, 2))
    x = plain.relu(plain.convolution(x, *w3, padding=1))
    x = plain.relu(plain.convolution(x, *w4, padding=1, groups=2))
    x = plain.max_pool(plain.relu(plain.convolution(x, *w5, padding=1, groups=2)))
    x = plain.relu(plain.dense(plain.flat(x), *f6)) / 2
    x = plain.relu(plain.dense(x, *f7)) / 2
    return plain.dense(x, *f8)


def code_by_hand(x, weights):
    w1, w2, w3, w4, w5, f6, f7, f8 = weights
    x = plain.convolution(x, *w1, stride=4, far=3)
    assert x.min() < 0
    x = plain.relu(plain.max_pool(plain.cross_map_norm(x, 5, 1e-4 / 5, 2, columns=2)))
    x = plain.relu(plain.convolution(x, *w2, padding=2, groups=2))
    x = plain.same_map_norm(plain.cross_map_norm(x, 5, 1e-4 / 5, 2, columns=2), 5, 1e-3 / 25)
    x = plain.max_pool(x)
    x = plain.relu(plain.convolution(x, *w3, padding=1))
    x = plain.relu(plain.convolution(x, *w4, padding=1, groups=2))
    x = plain.relu(plain.max_pool(plain.convolution(x, *w5, padding=1, groups=2)))
    x = plain.relu(plain.dense(plain.flat(x), *f6)) / 2
    x = plain.relu(plain.dense(x, *f7)) / 2
    return plain.dense(x, *f8)


@pytest.mark.parametrize(
    ("name", "side", "by_hand"),
    [
        ("alexnet:paper", SMALL, partial(paper_by_hand, stride=4, far=3)),
        ("alexnet:original_code", SMALL, code_by_hand),
        ("alexnet:mini", 24, partial(paper_by_hand, padding=2)),
    ],
)
def test_real_photographs_get_the_answers_worked_out_by_plain_numpy(name, side, by_hand, photos):
    network = plain.spread_out(Network(narrow(name, side)))
    images = photos(side)
    centred = images.astype(np.float64) - network.layers[0].mean.double().numpy()
    expected = by_hand(centred, list(plain.weights_of(network)))
    with torch.no_grad():
        answers = network(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    assert np.ptp(expected, axis=0).min() > 0  # every logit tells the photographs apart


# The two columns


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(("of", "by"), [(0, 1), (1, 0)])
def test_the_columns_meet_in_the_third_layer_and_the_dense_ones_alone(name, of, by):
    architecture = narrow(name)
    network = Network(architecture).eval()
    reads = {id(module): shape for module, (_, shape, _) in zip(network.layers, walk(architecture), strict=True)}
    crossing = {}
    for number in (2, 3, 4, 5):
        module = convolution(network, number)
        with torch.no_grad():
            module.conv.bias.fill_(1.0)
        channels, side, _ = reads[id(module)]
        crossing[number] = reaches(module, channels, side, of=of, by=by)
    assert crossing == {2: False, 3: True, 4: False, 5: False}
    where = [kind_of(layer) for layer in architecture.layers].index("flatten")
    dense = nn.Sequential(*network.layers[where : where + 2])
    with torch.no_grad():
        network.layers[where + 1].linear.bias.fill_(1.0)
    channels, side, _ = reads[id(network.layers[where])]
    assert reaches(dense, channels, side, of=of, by=by)


# How it starts


def test_every_preset_starts_with_its_spreads_and_biases(published):
    std = 0.01 if published.architecture.name == "alexnet:paper" else 0.03
    expected = dict(zip(WEIGHTS, (0.01, 0.01, std, std, std, 0.01, 0.01, 0.01), strict=True))
    values = [value.detach() for value in published.parameters()]
    for name, weight in zip(WEIGHTS, values[::2], strict=True):
        # Five standard errors of a sample's deviation, and within 1 % for the largest layers.
        assert weight.std().item() == pytest.approx(expected[name], rel=5 / math.sqrt(2 * weight.numel())), name
        assert abs(weight.mean().item()) < 5 * expected[name] / math.sqrt(weight.numel()), name
    assert tuple(bias.unique().tolist() for bias in values[1::2]) == tuple([float(bias)] for bias in BIASES)


def test_the_first_loss_is_a_little_above_chance(published):
    """Blurred noise of 70 grey levels with dropout on; ln 1000 is 6.91, and so far above it lies another seed too."""
    expected = 7.01 if published.architecture.name == "alexnet:paper" else 7.18
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(16, 3, 28, 28, generator=generator)
    images = F.interpolate(coarse, size=(224, 224), mode="bilinear")
    images *= 70 / images.std()
    labels = torch.randint(1000, (16,), generator=generator)
    torch.manual_seed(0)
    with torch.no_grad():
        loss = F.cross_entropy(published.train()(images), labels).item()
    assert math.log(1000) < loss == pytest.approx(expected, abs=0.1)


def test_dropout_follows_f6_and_f7_alone_and_is_not_inverted():
    for name in (*PRESETS, "alexnet:mini"):
        layers = narrow(name).layers
        places = [number for number, layer in enumerate(layers) if isinstance(layer, Dropout)]
        assert places == [len(layers) - 4, len(layers) - 2]
        assert all(layers[number] == Dropout(p=0.5, inverted=False) for number in places)
        assert all(isinstance(layers[number - 1], Dense) for number in places)
        network = Network(narrow(name))
        assert [type(network.layers[number]) for number in places] == [MaskDropout] * 2


def test_the_last_layer_is_neither_rectified_nor_dropped_out():
    for name in (*PRESETS, "alexnet:mini"):
        assert order(made(name, (3, SMALL, SMALL))).endswith("dropout dense")


@pytest.mark.parametrize("name", PRESETS)
def test_no_layer_has_a_decay_of_its_own(name):
    assert own_decays(Network(narrow(name))) == {}


def test_the_small_plan_starts_with_its_first_layer_scaled_to_grey_levels():
    torch.manual_seed(0)
    network = Network(made("alexnet:mini", (3, 32, 32), 10))
    values = [value.detach() for value in network.parameters()]
    assert values[0].std().item() == pytest.approx(math.sqrt(2 / 75) / 64, rel=0.05)
    for weight in values[2::2]:
        assert weight.std().item() == pytest.approx(math.sqrt(2 / weight[0].numel()), rel=0.05)
    assert not any(bias.any() for bias in values[1::2])
