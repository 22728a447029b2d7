"""Every point of the search's space is a network that can be built, exported and counted."""

import random

import numpy as np
import onnx
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from econet.deployment import graph
from econet.deployment.onnx_export import export_network
from econet.deployment.session import open_session
from econet.images.preprocess import Preprocess
from econet.models import cost
from econet.models.alexnet_small import alexnet_small
from econet.models.architecture import (
    Architecture,
    Bottleneck,
    Conv,
    Dense,
    GlobalMean,
    Residual,
    Separable,
    from_data,
    to_data,
)
from econet.models.econet import econet
from econet.models.network import Network
from econet.models.scaled import scaled
from econet.models.space import (
    KINDS,
    Named,
    Pruning,
    Space,
    chosen,
    in_words,
    smallest,
    starting_points,
    stem_strides,
)

SHAPES = [(1, (28,)), (3, (32,)), (3, (64, 48, 32)), (3, (224, 168)), (3, (8,))]


class Dice:
    """Any choice, as chance has it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def among(self, name, options):
        return self.random.choice(list(options))

    def whole(self, name, low, high, step=1):
        return self.random.choice(range(low, high + 1, step))


def space(channels, sides, subject=True):
    """With the subject pruned evenly, a little wider than the share of its MACs."""
    if not subject:
        return Space(channels, sides, 10)
    own = econet((channels, sides[0], sides[0]), 10)
    return Space(
        channels, sides, 10, own, Pruning(5, lambda percent: scaled(own, min(1, 1.1 * (percent / 100) ** 0.5)))
    )


@pytest.mark.parametrize(("channels", "sides"), SHAPES)
def test_any_point_costs_what_torch_counts(channels, sides):
    for seed in range(12):
        made = chosen(space(channels, sides), Dice(seed))
        with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
            network = Network(made).eval()
            assert network(torch.zeros(1, *made.input)).shape == (1, 10)
        layers = [each for each in network.modules() if isinstance(each, torch.nn.Conv2d | torch.nn.Linear)]
        assert 2 * cost.macs(made) == counter.get_total_flops()
        assert cost.parameters(made) == sum(each.weight.numel() + each.weight.shape[0] for each in layers)
        assert from_data(to_data(made)) == made


@pytest.mark.parametrize(("channels", "sides"), SHAPES)
@pytest.mark.parametrize("subject", [True, False])
def test_no_point_is_below_the_least_ones(channels, sides, subject):
    whole = space(channels, sides, subject)
    least = smallest(whole)
    macs, parameters = min(map(cost.macs, least)), min(map(cost.parameters, least))
    for seed in range(300):
        made = chosen(whole, Dice(seed))
        assert cost.macs(made) >= macs
        assert cost.parameters(made) >= parameters


def test_a_named_point_is_the_network_it_says():
    point = {"stem": 16, "stages": 3, "blocks_0": 1, "kind_0": "dense", "width_0": 16, "kind_1": "dense"}
    point |= {"blocks_1": 2, "width_1": 32, "kind_2": "bottleneck", "blocks_2": 2, "width_2": 96}
    made = chosen(Space(3, (32,), 10), Named(point))
    assert made.layers == (
        Conv(channels=16),
        Conv(channels=16),
        Conv(channels=32, stride=2),
        Conv(channels=32),
        Bottleneck(channels=96, inner=32, stride=2),
        Bottleneck(channels=96, inner=32),
        GlobalMean(),
        Dense(channels=10, relu=False),
    )
    assert in_words(made) == "C16 C16 C32/2 C32 B96:32/2 B96:32"


def test_starting_points_name_every_choice_and_use_each_kind_of_block():
    whole = space(3, (32,))
    points = starting_points(whole)
    words = [in_words(chosen(whole, Named(point))) for point in points]
    assert "C16 C16 C32/2 C32 B96:32/2 B96:32 B96:32" in words
    assert len(set(words)) == len(points)
    for point in points:
        seen = []

        class Strict:
            def among(self, name, options, point=point, seen=seen):
                seen.append(name)
                return point[name]

            def whole(self, name, low, high, step=1, point=point, seen=seen):
                seen.append(name)
                assert point[name] in range(low, high + 1, step)
                return point[name]

        chosen(whole, Strict())
        assert sorted(seen) == sorted(point)
    assert {point[f"kind_{number}"] for point in points for number in range(4) if f"kind_{number}" in point} == {*KINDS}


def test_the_subject_is_scaled_evenly_or_pruned_and_only_pruned_where_it_can_be():
    own = econet((1, 28, 28), 10)
    uneven = scaled(own, 0.3)
    asked = []

    def to(percent):
        asked.append(percent)
        return uneven

    pruned = {"family": "subject", "widths": "pruned", "kept_macs_percent": 25}
    assert chosen(Space(1, (28,), 10, own, Pruning(10, to)), Named(pruned)) == uneven
    assert asked == [25]
    assert chosen(Space(1, (28,), 10, own, Pruning(10, to)), Named(pruned | {"kept_macs_percent": 5})) == uneven
    assert asked == [25, 10]  # no less than what can be reached
    # A search that began before there was a choice of widths goes on with even ones.
    before = {"family": "subject", "kept_percent": 50}
    for pruning in (Pruning(10, to), None):
        assert chosen(Space(1, (28,), 10, own, pruning), Named(before)) == scaled(own, 0.5)
    assert pruned in starting_points(Space(1, (28,), 10, own, Pruning(10, to)))
    assert all("kept_macs_percent" not in point for point in starting_points(Space(1, (28,), 10, own)))


def test_residual_blocks_of_other_inner_widths_have_other_words():
    blocks = [Residual(channels=16, inner=inner) for inner in (None, 8, 12)]
    ends = (GlobalMean(), Dense(channels=2, relu=False))
    words = [
        in_words(Architecture(name="r", input=(1, 8, 8), classes=2, layers=(Conv(channels=16), block, *ends)))
        for block in blocks
    ]
    assert words == ["r: C16 R16", "r: C16 R16:8", "r: C16 R16:12"]


def test_large_pictures_are_shrunk_at_once_and_small_ones_are_not():
    assert stem_strides(28) == [1, 2]
    assert stem_strides(32) == [1, 2, 4]
    assert stem_strides(224) == [4]
    assert stem_strides(8) == [1]


def test_scaling_keeps_the_layers_and_the_logits():
    whole = alexnet_small((1, 28, 28), 10)
    half = scaled(whole, 0.5)
    assert [type(layer) for layer in half.layers] == [type(layer) for layer in whole.layers]
    widths = [layer.channels for layer in half.layers if isinstance(layer, Conv | Dense)]
    assert widths == [16, 32, 64, 64, 32, 320, 320, 10]
    assert scaled(whole, 1.0) == whole


def test_scaled_widths_stay_multiples_that_groups_can_share():
    layers = (Conv(channels=30, groups=3), GlobalMean(), Dense(channels=2))
    narrowed = scaled(Architecture(name="g", input=(3, 8, 8), classes=2, layers=layers), 0.5)
    # 15 of 30 channels: the nearest multiple of four that three groups can share.
    assert narrowed.layers[0].channels == 12
    assert narrowed.layers[-1].channels == 2


def plain(x, weight, norm, *, stride=1, padding=0):
    """A convolution and the folded batch norm behind it, in float64 by loops over the kernel."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    kernel = weight.shape[-1]
    side = (x.shape[-1] - kernel) // stride + 1
    total = np.zeros((len(x), len(weight), side, side))
    for i in range(kernel):
        for j in range(kernel):
            part = x[:, :, i : i + stride * side : stride, j : j + stride * side : stride]
            total += np.einsum("nchw,oc->nohw", part, weight[:, :, i, j])
    gamma, beta, mean, variance = (value[None, :, None, None] for value in norm)
    return (total - mean) / np.sqrt(variance + 1e-5) * gamma + beta


@pytest.mark.parametrize(("channels", "stride"), [(6, 1), (10, 2)])
def test_a_bottleneck_is_down_across_and_up_with_its_input_added_where_it_fits(channels, stride):
    torch.manual_seed(0)
    made = Architecture(
        name="b",
        input=(6, 8, 8),
        classes=2,
        layers=(Bottleneck(channels=channels, inner=4, stride=stride), GlobalMean(), Dense(channels=2, relu=False)),
    )
    network = Network(made).eval()
    for norm in (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        torch.nn.init.normal_(norm.bias)
    x = np.random.default_rng(0).normal(size=(2, 6, 8, 8))
    layer = network.layers[0].double()

    def part(conv, norm):
        values = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        return conv.weight.detach().numpy(), [value.detach().numpy() for value in values]

    inner = np.maximum(plain(x, *part(layer.down, layer.down_norm)), 0)
    inner = np.maximum(plain(inner, *part(layer.conv, layer.norm), stride=stride, padding=1), 0)
    expected = plain(inner, *part(layer.up, layer.up_norm))
    expected = np.maximum(expected + x if channels == 6 else expected, 0)
    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-10)


def test_the_file_of_a_network_with_every_kind_of_block_answers_as_torch_does_and_is_counted_alike():
    preprocess = Preprocess(image_size=(16, 16), channels=3, resize_size=(16, 16), offset=128, scale=1 / 64)
    made = Architecture(
        name="found",
        input=(3, 16, 16),
        classes=4,
        layers=(
            Conv(channels=8),
            Separable(channels=16, kernel=5, stride=2),
            Bottleneck(channels=16, inner=8),
            Bottleneck(channels=24, inner=8, stride=2),
            GlobalMean(),
            Dense(channels=4, relu=False),
        ),
    )
    torch.manual_seed(0)
    network = Network(made).eval()
    model = export_network(network, preprocess, tuple("abcd"), "found")
    onnx.checker.check_model(model, full_check=True)
    assert (graph.macs(model), graph.parameters(model)) == (cost.macs(made), cost.parameters(made))
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16)).astype(np.uint8)
    (answered,) = open_session(model.SerializeToString()).run(None, {"image": pixels})
    with torch.no_grad():
        expected = network((torch.from_numpy(pixels).float() - 128) / 64).numpy()
    np.testing.assert_allclose(answered, expected, atol=1e-4)
