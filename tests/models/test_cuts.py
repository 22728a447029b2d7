"""A cut as data: what it says, what it does to modules, and what of it is refused."""

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from econet.errors import UserError
from econet.models import catalog, cost
from econet.models.architecture import (
    Architecture,
    Bottleneck,
    Conv,
    Dense,
    GlobalMean,
    Residual,
    Separable,
    ShuffleUnit,
    from_data,
    to_data,
)
from econet.models.as_built import architecture_as_built
from econet.models.cuts import Cut, cut_network, cuts_from_data, positions, ranges, shapes_after
from econet.models.network import Network
from econet.models.scaled import scaled


@given(st.sets(st.integers(0, 300), min_size=1))
def test_positions_survive_being_written(chosen):
    assert positions(ranges(sorted(chosen))) == sorted(chosen)


def test_positions_read_as_a_person_would_write_them():
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"
    assert positions("0-2,5,7-8") == [0, 1, 2, 5, 7, 8]


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,1", "5,2", "0-4,3", "1-2-3"])
def test_what_is_no_ascending_list_is_refused(text):
    with pytest.raises(ValueError):
        positions(text)


def layers() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.PReLU(8), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(32, 5)
    )


CUT = Cut(
    keep={
        "0.weight": ("1,3", None, None, None),
        "0.bias": ("1,3",),
        **{f"1.{name}": ("1,3",) for name in ("weight", "bias", "running_mean", "running_var")},
        "2.weight": ("1,3",),
        "3.weight": ("1,3", None, None, None),
        "3.bias": ("1,3",),
        "5.weight": (None, "4-7,12-15"),
    },
    groups={"3": 2},
)


def test_a_cut_leaves_the_named_positions_and_the_modules_say_so():
    network, before = layers(), layers()
    before.load_state_dict(network.state_dict())
    network[0].weight.requires_grad_(False)
    cut_network(network, CUT)
    assert torch.equal(network[0].weight, before[0].weight[[1, 3]])
    assert torch.equal(network[5].weight, before[5].weight[:, [4, 5, 6, 7, 12, 13, 14, 15]])
    assert not network[0].weight.requires_grad
    assert network[5].weight.requires_grad
    assert str(network[0]) == "Conv2d(3, 2, kernel_size=(3, 3), stride=(1, 1))"
    assert "Conv2d(2, 2, kernel_size=(3, 3), stride=(1, 1), groups=2)" in str(network[3])
    assert (network[1].num_features, network[2].num_parameters) == (2, 2)
    assert (network[5].in_features, network[5].out_features) == (8, 5)
    assert network(torch.rand(2, 3, 6, 6)).shape == (2, 5)


def test_a_cut_survives_json():
    data = msgspec.json.decode(msgspec.json.encode([CUT]))
    assert cuts_from_data(data) == (CUT,)


def test_shapes_behind_a_cut_are_told_without_the_network():
    network = layers()
    shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
    cut_network(network, CUT)
    assert shapes_after(shapes, (CUT,)) == {name: list(value.shape) for name, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"keep": {"9.weight": ("0",)}}, "no `9.weight`"),
        ({"keep": {"0.weight": ("0",)}}, "has 4 axes"),
        ({"keep": {"0.bias": ("0-8",)}}, "does not fit its 8 positions"),
        ({"keep": {"0.bias": ("one",)}}, "cannot be read"),
        ({"keep": {}, "groups": {"5": 2}}, "`5` is no convolution"),
    ],
)
def test_a_cut_that_does_not_fit_is_refused_and_changes_nothing(wrong, words):
    network = layers()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(UserError, match=words):
        cut_network(network, Cut(**wrong))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("wrong", [3, [{"keep": 1}], [{"kept": {}}], [{"keep": {"a": [1]}}]])
def test_recorded_cuts_of_another_shape_are_refused(wrong):
    with pytest.raises(UserError, match="cut does not fit"):
        cuts_from_data(wrong)


def small(*body) -> Architecture:
    layers = (*body, GlobalMean(), Dense(channels=10, relu=False))
    return Architecture(name="econet", input=(1, 8, 8), classes=10, layers=layers)


def test_widths_that_agree_by_chance_add_nothing():
    """A block that read 8 channels and gave 16 did not add its input; cut to 8 and 8 it must not begin to."""
    plain = small(Conv(channels=8), Separable(channels=8, adds_input=False))
    assert not Network(plain).layers[1].adds_input
    assert Network(small(Conv(channels=8), Separable(channels=8))).layers[1].adds_input
    assert architecture_as_built(Network(plain)) == plain


def test_a_residual_block_may_be_narrower_inside_and_keep_its_projection():
    block = Residual(channels=16, inner=4, projects=True)
    network = Network(small(Conv(channels=16), block))
    assert network.layers[1].conv1.out_channels == 4
    assert network.layers[1].shortcut is not None
    assert architecture_as_built(network).layers[1] == block
    # stem 9 * 16 weights and 16 shifts; 3x3 to 4 and back, 1x1; classifier
    expected = 9 * 16 + 16 + (9 * 16 * 4 + 4) + (9 * 4 * 16 + 16) + (16 * 16 + 16) + 170
    assert cost.parameters(network.architecture) == expected
    macs = 64 * (9 * 16 + 9 * 16 * 4 + 9 * 4 * 16 + 16 * 16) + 160
    assert cost.macs(network.architecture) == macs


def test_a_shuffle_unit_that_read_other_widths_does_not_begin_to_split():
    """Both its halves came from all of 8 channels; cut to 12 and then 8 wide, one half would pass by chance."""
    cut_down = small(Conv(channels=8), ShuffleUnit(channels=8, inner=4, splits=False))
    network = Network(cut_down)
    assert network.layers[1].left_pointwise is not None
    assert architecture_as_built(network) == cut_down
    by_shape = Network(small(Conv(channels=8), ShuffleUnit(channels=8, inner=4)))
    assert by_shape.layers[1].left_pointwise is None
    assert architecture_as_built(by_shape).layers[1].splits
    # stem; left: 3x3 depthwise, 1x1 to half; right: 1x1 to 4, depthwise, 1x1 to half; classifier
    left, right = 8 * 9 + 8 * 4, 8 * 4 + 4 * 9 + 4 * 4
    assert cost.macs(cut_down) == 64 * (9 * 8 + left + right) + 80
    assert cost.macs(by_shape.architecture) == 64 * (9 * 8 + right - 4 * 4) + 80


def test_scaled_widths_that_agree_by_chance_change_no_layer():
    """At a fifth of their widths all of these read as many channels as they give."""
    body = (Conv(channels=16), Separable(channels=24), Residual(channels=16), Bottleneck(channels=24, inner=8))
    whole = small(*body, ShuffleUnit(channels=32, inner=16), ShuffleUnit(channels=32, inner=16))
    narrow = Network(scaled(whole, 0.2))
    assert [layer.channels for layer in narrow.architecture.layers[:6]] == [4, 4, 4, 4, 8, 8]
    for before, after in zip(Network(whole).layers, narrow.layers, strict=True):
        assert [name for name, _ in before.named_parameters()] == [name for name, _ in after.named_parameters()]
        assert getattr(before, "adds_input", None) == getattr(after, "adds_input", None)


def test_architectures_recorded_before_these_fields_still_read():
    data = to_data(
        small(Conv(channels=8), Separable(channels=8), Residual(channels=8), ShuffleUnit(channels=8, inner=4))
    )
    for layer in data["layers"]:
        for field in ("adds_input", "projects", "splits", *(["inner"] if layer["kind"] == "residual" else [])):
            layer.pop(field, None)
    network = catalog.network(data)
    assert network.layers[1].adds_input
    assert network.layers[2].shortcut is None
    assert network.layers[3].left_pointwise is None
    assert from_data(data).layers[2].inner is None
