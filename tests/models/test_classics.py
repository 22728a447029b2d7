"""The rivals are the published networks: their sizes as published, their blocks as their papers print them."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from econet.errors import UserError
from econet.models import architecture, catalog, cost
from econet.models.architecture import (
    Architecture,
    Conv,
    Dense,
    Fire,
    GlobalMean,
    InvertedResidual,
    ShuffleUnit,
)
from econet.models.classics.small_images import strides
from econet.models.network import Network
from econet.models.shapes import walk
from plain_layers import convolution, dense, flat, relu

IMAGENET = (3, 224, 224)
CIFAR = (3, 32, 32)


def built(name, shape, classes, **switches):
    """On torch's meta device, which counts but holds nothing."""
    with torch.device("meta"):
        return catalog.build(name, input_shape=shape, classes=classes, **switches)


def recorded(name, shape, classes, **switches) -> Architecture:
    return architecture.from_data(catalog.architecture(name, shape, classes, **switches))


# Trainable parameters. ImageNet: the model pages of torchvision (SqueezeNet 1.1 without batch norm) and, for
# EfficientNet-Lite 0, of timm. CIFAR: 0.27 M (He et al. 2016) with projections, 272,474 in github.com/osmr/imgclsmob;
# 0.70 M and 0.35 M in github.com/chenyaofo/pytorch-cifar-models; VGG-Small 4.6 M (Cai et al. 2017).
PUBLISHED = [
    ("mobilenet_v2", IMAGENET, 1000, {}, 3_504_872),
    ("shufflenet_v2:x0.5", IMAGENET, 1000, {}, 1_366_792),
    ("squeezenet", IMAGENET, 1000, {"norm": False}, 1_235_496),
    ("efficientnet_lite0", IMAGENET, 1000, {}, 4_652_008),
    ("resnet20", CIFAR, 10, {}, 272_474),
    ("mobilenet_v2:x0.5", CIFAR, 10, {}, 700_490),
    ("shufflenet_v2:x0.5", CIFAR, 10, {}, 352_042),
    ("lenet5", (1, 32, 32), 10, {}, 156 + 2_416 + 48_120 + 10_164 + 850),
]


@pytest.mark.parametrize(("name", "shape", "classes", "switches", "parameters"), PUBLISHED)
def test_a_rival_has_the_published_number_of_parameters(name, shape, classes, switches, parameters):
    network = built(name, shape, classes, **switches)
    assert sum(each.numel() for each in network.parameters()) == parameters


# Multiply-accumulates in millions as the same pages and papers round them.
COMPUTATION = [
    ("mobilenet_v2", IMAGENET, 1000, 300, 1),
    ("shufflenet_v2:x0.5", IMAGENET, 1000, 41, 1),
    ("mobilenet_v2:x0.5", CIFAR, 10, 28, 0.5),
    ("shufflenet_v2:x0.5", CIFAR, 10, 10.9, 0.05),
    ("resnet20", CIFAR, 10, 40.8, 0.05),
    ("resnet8", CIFAR, 10, 12.50, 0.005),
]


@pytest.mark.parametrize(("name", "shape", "classes", "macs", "rounding"), COMPUTATION)
def test_a_rival_costs_the_published_computation(name, shape, classes, macs, rounding):
    assert abs(cost.macs(recorded(name, shape, classes)) / 1e6 - macs) <= rounding


def test_resnet8_has_the_parameters_of_the_reference_counted_as_there():
    network = built("resnet8", CIFAR, 10)
    ours = sum(each.numel() for each in network.parameters())
    norms = sum(module.num_features for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    assert ours + norms == 78_186  # the reference has a bias before every batch norm, where it changes nothing
    assert cost.parameters(network.architecture) == 77_706
    by_hand = 1024 * 27 * 16 + 2 * 1024 * 144 * 16 + 256 * (144 + 288 + 16) * 32 + 64 * (288 + 576 + 32) * 64 + 640
    assert cost.macs(network.architecture) == by_hand


def test_squeezenet_has_the_parameters_of_its_published_form_with_its_batch_norm_folded():
    assert cost.parameters(recorded("squeezenet", IMAGENET, 1000)) == 1_235_496


@pytest.mark.parametrize(
    ("side", "kept"), [(8, 1), (12, 1), (13, 2), (28, 3), (32, 3), (63, 4), (64, 4), (96, 4), (97, 5), (224, 5)]
)
def test_small_pictures_are_halved_as_often_as_leaves_four_pixels(side, kept):
    found = strides("rival", (3, side, side + 9))
    assert found == [1] * (5 - kept) + [2] * kept
    for name in ("mobilenet_v2", "efficientnet_lite0", "shufflenet_v2:x0.5"):
        shapes = [given for _, _, given in walked(name, side)]
        last = [shape for shape in shapes if shape[1] > 1][-1]
        assert last[1] == math.ceil(side / 2**kept) >= 4


def walked(name, side):
    return walk(recorded(name, (3, side, side), 10))


SMALLEST = {
    "lenet5": 28,
    "vgg_small": 8,
    "squeezenet": 8,
    "mobilenet_v2": 8,
    "efficientnet_lite0": 8,
    "shufflenet_v2:x0.5": 8,
}


@pytest.mark.parametrize(("name", "side"), SMALLEST.items())
def test_a_picture_too_small_is_refused_by_name_and_the_smallest_is_taken(name, side):
    with pytest.raises(UserError, match=f"image size {side - 1} is smaller than {name} can take"):
        catalog.architecture(name, (3, side - 1, side + 20), 10)
    network = catalog.build(name, input_shape=(3, side, side + 3), classes=3).eval()
    assert network(torch.zeros(1, 3, side, side + 3)).shape == (1, 3)


@pytest.mark.parametrize("name", [*SMALLEST, "resnet8", "resnet20", "mobilenet_v2:x0.5"])
def test_a_width_scales_what_a_rival_costs(name):
    if "width" not in catalog.switches_of(name):
        assert name in ("lenet5", "shufflenet_v2:x0.5")
        return
    narrow, wide = (cost.macs(recorded(name, CIFAR, 10, width=width)) for width in (0.5, 1.5))
    assert narrow < wide / 4


def test_lenet_has_another_nonlinearity_where_asked_and_no_third():
    kinds = {
        layer.function for layer in recorded("lenet5", CIFAR, 10, activation="relu").layers if "Activ" in str(layer)
    }
    assert kinds == {"relu"}
    with pytest.raises(UserError, match="unknown activation 'gelu'"):
        catalog.architecture("lenet5", CIFAR, 10, activation="gelu")


@pytest.mark.parametrize(("activation", "bent"), [("tanh", np.tanh), ("relu", relu)])
def test_lenet_is_figure_2_of_its_paper(activation, bent, photos):
    torch.manual_seed(0)
    network = catalog.build("lenet5", input_shape=(3, 32, 32), activation=activation).eval()
    images = photos(32) / 128 - 1
    weights = [each.detach().double().numpy() for each in network.parameters()]
    x = images.astype(np.float64)
    for stage in range(3):
        x = bent(convolution(x, weights[2 * stage], weights[2 * stage + 1]))
        if stage < 2:
            x = x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).mean((3, 5))
    x = bent(dense(flat(x), weights[6], weights[7]))
    expected = dense(x, weights[8], weights[9])
    np.testing.assert_allclose(network(torch.from_numpy(images)).detach().numpy(), expected, rtol=1e-4, atol=1e-4)


def test_lenet_surrounds_pictures_of_28_pixels_as_its_paper_does():
    small, published = (recorded("lenet5", (1, side, side), 10) for side in (28, 32))
    assert (small.layers[0].padding, published.layers[0].padding) == (2, 0)
    assert cost.parameters(small) == cost.parameters(published) == 61_706


# Blocks


def one_layer(layer, shape):
    torch.manual_seed(1)
    network = Network(Architecture(name="t", input=shape, classes=2, layers=(layer, GlobalMean(), Dense(channels=2))))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    return network.eval().layers[0]


def normed(x, unit, **options):
    norm = unit.norm
    x = F.conv2d(x, unit.conv.weight, unit.conv.bias, **options)
    if norm is None:
        return x
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)


@pytest.mark.parametrize(("stride", "adds"), [(1, True), (1, False), (2, False)])
def test_an_inverted_residual_widens_filters_and_narrows_without_relu(stride, adds):
    x = torch.randn(2, 6, 9, 9) * 4
    layer = one_layer(InvertedResidual(expanded=20, channels=6, kernel=5, stride=stride, adds_input=adds), (6, 9, 9))
    inner = normed(x, layer.expand).clamp(0, 6)
    inner = normed(inner, layer.depthwise, stride=stride, padding=2, groups=20).clamp(0, 6)
    expected = normed(inner, layer.project) + (x if adds else 0)
    torch.testing.assert_close(layer(x), expected)
    assert (inner == 6).any()


def test_an_inverted_residual_may_have_no_widening_and_no_limit():
    x = torch.randn(2, 6, 5, 5) * 9
    layer = one_layer(InvertedResidual(expanded=None, channels=4, limit=None), (6, 5, 5))
    inner = normed(x, layer.depthwise, padding=1, groups=6).clamp(0)
    torch.testing.assert_close(layer(x), normed(inner, layer.project))


@pytest.mark.parametrize("norm", [False, True])
def test_a_fire_module_squeezes_and_expands_side_by_side(norm):
    x = torch.randn(2, 6, 5, 5)
    layer = one_layer(Fire(squeeze=3, expand1=5, expand3=7, norm=norm), (6, 5, 5))
    squeezed = F.relu(normed(x, layer.squeeze))
    both = (normed(squeezed, layer.expand1), normed(squeezed, layer.expand3, padding=1))
    torch.testing.assert_close(layer(x), F.relu(torch.cat(both, 1)))


def test_a_shuffle_unit_passes_half_of_the_channels_and_deals_out_in_turn():
    x = torch.randn(2, 8, 5, 5)
    layer = one_layer(ShuffleUnit(channels=8, inner=6), (8, 5, 5))
    right = F.relu(normed(x[:, 4:], layer.first))
    right = F.relu(normed(normed(right, layer.depthwise, padding=1, groups=6), layer.second))
    found = layer(x)
    torch.testing.assert_close(found[:, 0::2], x[:, :4])
    torch.testing.assert_close(found[:, 1::2], right)


@pytest.mark.parametrize(("inputs", "stride"), [(8, 2), (4, 2), (4, 1)])
def test_a_shuffle_unit_that_changes_shapes_reads_everything_twice(inputs, stride):
    x = torch.randn(2, inputs, 5, 5)
    layer = one_layer(ShuffleUnit(channels=8, inner=6, stride=stride), (inputs, 5, 5))
    options = {"stride": stride, "padding": 1}
    left = normed(x, layer.left_depthwise, groups=inputs, **options)
    left = F.relu(normed(left, layer.left_pointwise))
    right = F.relu(normed(x, layer.first))
    right = F.relu(normed(normed(right, layer.depthwise, groups=6, **options), layer.second))
    torch.testing.assert_close(layer(x), torch.stack((left, right), 2).reshape(2, 8, *left.shape[2:]))


def test_relu6_cuts_at_six():
    layer = one_layer(Conv(channels=4, limit=6.0), (3, 5, 5))
    x = torch.randn(2, 3, 5, 5) * 20
    found = layer(x)
    torch.testing.assert_close(found, normed(x, layer, padding=1).clamp(0, 6))
    assert found.max() == 6


def test_widths_that_a_cut_left_are_built_and_counted():
    made = Architecture(
        name="cut",
        input=(3, 12, 12),
        classes=4,
        layers=(
            Conv(channels=7, limit=6.0),
            InvertedResidual(expanded=19, channels=7, adds_input=True),
            InvertedResidual(expanded=5, channels=9, kernel=5, stride=2),
            Fire(squeeze=3, expand1=2, expand3=8, norm=True),
            ShuffleUnit(channels=14, inner=3, stride=2),
            ShuffleUnit(channels=14, inner=11),
            GlobalMean(),
            Dense(channels=4, relu=False),
        ),
    )
    network = Network(made).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *made.input))
    assert 2 * cost.macs(made) == counter.get_total_flops()
    weights = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert cost.parameters(made) == sum(each.weight.numel() + each.weight.shape[0] for each in weights)
    assert architecture.from_data(architecture.to_data(made)) == made


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (InvertedResidual(expanded=8, channels=8, adds_input=True), "cannot be added"),
        (InvertedResidual(expanded=8, channels=6, stride=2, adds_input=True), "cannot be added"),
        (ShuffleUnit(channels=7, inner=4), "have no halves"),
    ],
)
def test_a_record_that_contradicts_itself_is_no_network(layer, words):
    with pytest.raises(ValueError, match=words):
        one_layer(layer, (6, 8, 8))
