"""What breaks pruning tools without an error, one test each: cut rightly here, or left whole and named."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from awkward_networks import AWKWARD, Branching, Plain, lively
from econet.compression.pruning import prune_channels
from econet.data.load import load_data
from econet.errors import UserError
from silenced import relative_difference, silenced

PHOTOS = "tests/fixtures/clothing"


@pytest.fixture(scope="module")
def photos(request) -> torch.Tensor:
    """Three real photographs, float32 [3, 3, 16, 16]."""
    pixels = load_data(str(request.config.rootpath / PHOTOS), image_size=16).test.pixels[:3]
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32) / 128 - 1)


@pytest.fixture
def pruned(photos):
    """Prune an awkward network and hold the cut against the whole one with the same channels at zero."""

    def make(network, ratio, also=None, **more):
        network = lively(network if isinstance(network, nn.Module) else network())
        result = prune_channels(network, photos, removed_fraction=ratio, **more)
        assert relative_difference(silenced(network, result.cut.keep, also), result.network, photos) <= 1e-12
        with torch.no_grad():
            assert result.network(photos).shape == network(photos).shape == (3, 10)
            assert result.network(photos[:1]).shape == (1, 10)  # a batch of one
        assert result.parameters[1] < result.parameters[0]
        assert result.macs[1] < result.macs[0]
        return result

    return make


def widths(result) -> dict[str, tuple[int, int]]:
    return {each.layer: (each.before, each.after) for each in result.widths}


def reasons(result) -> dict[str, str]:
    return {each.layer: each.reason for each in result.held}


def test_a_reshape_with_a_number_typed_in_keeps_its_layer_whole_and_is_named(pruned):
    result = pruned(AWKWARD["typed reshape"], 0.5)
    assert widths(result)["body.0"] == (32, 32)
    assert "x.view(-1, 512)" in reasons(result)["body.0"]
    assert re.search(r"awkward_networks\.py line \d+", reasons(result)["body.0"])
    assert widths(result)["stem.0"][1] < 32


def test_a_channel_shuffle_is_cut_and_leads_to_the_right_filters(pruned):
    result = pruned(AWKWARD["shuffle"], 0.7)
    before, after = widths(result)["grouped.0"]
    assert after < before
    assert widths(result)["depthwise.0"] == (before, after)
    assert result.network.depthwise[0].groups == after
    assert result.network.grouped[0].groups == 2


def test_a_channel_shuffle_with_numbers_typed_in_stays_whole_and_is_named(pruned):
    result = pruned(AWKWARD["typed shuffle"], 0.6)
    assert widths(result)["grouped.0"] == (64, 64)
    assert "x.view(-1, 2, 32, 16, 16)" in reasons(result)["grouped.0"]


@pytest.mark.parametrize("way", ["chunk", *(pytest.param(way, marks=pytest.mark.slow) for way in ("split", "slice"))])
def test_units_of_shufflenet_are_cut_however_they_halve_their_channels(pruned, way):
    result = pruned(AWKWARD[f"shuffle units, {way}"], 0.7)
    assert result.held == ()
    assert widths(result)["stem.0"][1] < 32
    assert widths(result)["branches.0.2.0"][1] < 16


@pytest.mark.parametrize(
    ("way", "line"),
    [
        ("typed split", "x.split(16, dim=1)"),
        pytest.param("typed slice", "x[:, :16]", marks=pytest.mark.slow),
    ],
)
def test_units_of_shufflenet_with_a_typed_half_lose_inner_channels_alone(pruned, way, line):
    result = pruned(AWKWARD[f"shuffle units, {way}"], 0.5)
    assert widths(result)["branches.0.2.0"] == (16, 16)
    assert line in reasons(result)["branches.0.2.0"]
    assert widths(result)["branches.0.0.0"][1] < 24


def test_a_shortcut_padded_with_zeros_keeps_the_channels_it_adds(pruned):
    """Residual option A: 16 zeros, 32 channels, 16 zeros; only the 32 may leave, on both sides alike."""
    result = pruned(AWKWARD["padded shortcut"], 0.6)
    stem, second = widths(result)["stem.0"], widths(result)["second.0"]
    assert stem[1] < 32
    assert second == (64, 32 + stem[1])
    kept = [each for each in result.held if each.layer == "second.0"]
    assert [(each.channels, each.of) for each in kept] == [(32, 64)]


def test_buffers_of_a_value_a_channel_are_cut_too(pruned):
    result = pruned(AWKWARD["buffer"], 0.6, {"shift": 1})
    after = widths(result)["stem.0"][1]
    assert after < 32
    assert result.network.scale.shape == (after,)
    assert result.network.shift.shape == (1, after, 1, 1)


def test_a_functional_convolution_is_cut(pruned):
    result = pruned(AWKWARD["functional"], 0.6, {"kernels": 0, "offsets": 0})
    assert widths(result)["kernels"][1] < 48
    assert len(result.network.offsets) == widths(result)["kernels"][1]


def test_local_response_norm_keeps_the_channels_it_sees_and_is_named(pruned):
    result = pruned(AWKWARD["local response norm"], 0.5)
    assert widths(result)["stem.0"] == (32, 32)
    assert "module `norm`" in reasons(result)["stem.0"]
    assert widths(result)["body.0"][1] < 32


def test_a_module_used_twice_and_a_tensor_under_two_names_stay_shared(pruned):
    result = pruned(AWKWARD["twice"], 0.6)
    assert widths(result)["shared.0"][1] < 32
    assert result.network.second.weight is result.network.first.weight


def test_frozen_parameters_are_cut_and_stay_frozen(pruned):
    network = AWKWARD["functional"]().requires_grad_(False)
    result = pruned(network, 0.5, {"kernels": 0, "offsets": 0})
    assert result.parameters[1] < result.parameters[0]
    assert not any(value.requires_grad for value in result.network.parameters())


@pytest.mark.parametrize("importance", ["taylor", pytest.param("norm-scale", marks=pytest.mark.slow)])
def test_frozen_parameters_have_every_importance(pruned, photos, importance):
    network = AWKWARD["buffer"]().requires_grad_(False)
    labels = torch.tensor([0, 1, 2])
    result = pruned(network, 0.5, {"shift": 1}, importance=importance, batches=[(photos, labels)])
    assert min(after for _, after in (widths(result)[layer] for layer in ("stem.0", "body.0"))) < 32
    assert not any(value.requires_grad for value in result.network.parameters())


def test_the_classifier_keeps_its_classes(pruned):
    result = pruned(AWKWARD["dense connections"], 0.7)
    assert result.network.last.out_features == 10
    assert widths(result)["last"] == (10, 10)


def test_grouped_convolutions_stay_even(pruned):
    result = pruned(AWKWARD["groups"], 0.7)
    columns, cardinal, multiplied = result.network.columns[0], result.network.cardinal[0], result.network.multiplied[0]
    assert columns.groups == 2
    assert columns.out_channels % 2 == 0
    assert cardinal.in_channels == 4 * cardinal.groups < 64
    assert (multiplied.in_channels, multiplied.out_channels) == (multiplied.groups, 2 * multiplied.groups)


def test_a_gate_that_is_a_half_at_rest_is_no_obstacle_but_a_sigmoid_before_weights_is(pruned):
    assert widths(pruned(AWKWARD["squeeze and excitation"], 0.6))["stem.0"][1] < 32
    result = pruned(AWKWARD["sigmoid"], 0.5)
    assert widths(result)["stem.0"] == (32, 32)
    assert "leave a constant behind" in reasons(result)["stem.0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "narrower", "held"),
    [
        ("odds", {"stem.0", "up", "body"}, {}),
        ("dense connections", {"stem.0", "one.0"}, {}),
        ("layer norm", {"body.0"}, {"stem.0": "`layer_norm` mixes channels"}),
    ],
)
def test_other_layers_of_torch_are_cut_or_named(pruned, name, narrower, held):
    result = pruned(AWKWARD[name], 0.5)
    assert {layer for layer, (before, after) in widths(result).items() if after < before} >= narrower
    assert reasons(result).keys() == held.keys()
    assert all(why in reasons(result)[layer] for layer, why in held.items())


def test_a_network_torch_cannot_follow_is_refused_by_name(photos):
    with pytest.raises(UserError, match="Branching cannot be pruned"):
        prune_channels(Branching(), photos, removed_fraction=0.5)


def test_a_ratio_out_of_reach_names_what_stands_in_the_way(photos):
    with pytest.raises(UserError, match=r"(?s)--ratio 0\.9 cannot be reached.*`stem\.0` cannot be cut.*module `norm`"):
        prune_channels(lively(AWKWARD["local response norm"]()), photos, removed_fraction=0.9)


class Neighbours(Plain):
    """Every channel takes something from the next one: shapes say nothing of it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.after = nn.Conv2d(32, 32, 1), nn.Conv2d(32, 32, 1)

    def middle(self, x):
        return self.after(self.body(F.relu(x - 0.5 * x.roll(1, dims=1))))


def test_channels_that_look_at_their_neighbours_all_leave_together_or_stay(pruned):
    """Every channel is tied to the next, so that all of them are one: none can leave without all."""
    result = pruned(Neighbours, 0.2)
    assert widths(result)["stem.0"] == (32, 32)


class Insisting(Plain):
    """Float32 inside, whatever comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(32, 32, 1)

    def middle(self, x):
        return self.body(x.float())


def test_a_network_that_insists_on_float32_is_proven_in_float32(photos):
    result = prune_channels(lively(Insisting()), photos, removed_fraction=0.5)
    assert result.proof.number_type == "float32"
    assert result.proof.difference < 1e-5


class Softly(nn.Module):
    """A linear network without maps, and a softmax over channels in it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(768, 64), nn.Linear(64, 64), nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.first(x.flatten(1)))
        return self.last(torch.softmax(self.second(x), 1))


def test_a_softmax_over_channels_holds_them(pruned):
    result = pruned(Softly, 0.5)
    assert widths(result)["second"] == (64, 64)
    assert "softmax" in reasons(result)["second"]
    assert widths(result)["first"][1] < 64
