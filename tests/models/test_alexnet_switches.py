"""What each switch of the published network changes, and what it refuses."""

import pytest
import torch
from published_network import CODE_ORDER, PAPER_ORDER, PRESETS, made, narrow, of_kind, order, reaches, sides
from torch import nn
from torch.nn import functional as F

from econet.errors import UserError
from econet.models import cost
from econet.models.architecture import Conv, Dense, Lrn
from econet.models.network import Network
from econet.models.shapes import walk

BIASES = (0, 1, 0, 1, 1, 1, 1, 0)


def test_one_column_has_half_the_kernels_but_for_the_last_convolution():
    architecture = made("alexnet:paper", columns=1)
    assert cost.parameters(architecture) == 59_798_312
    assert cost.macs(architecture) == 391_514_384
    assert [layer.channels for layer in of_kind(architecture, Conv)] == [48, 128, 192, 192, 256]
    assert {layer.groups for layer in of_kind(architecture, Conv)} == {1}
    assert [layer.channels for layer in of_kind(architecture, Dense)] == [4096, 4096, 1000]


@pytest.mark.parametrize("name", PRESETS)
def test_pools_that_do_not_overlap_keep_the_sizes_of_net_147(name):
    architecture = made(name, overlap=False)
    assert sides(architecture) == [224, 55, 28, 26, 13, 13, 13, 11, 6]
    assert cost.parameters(architecture) == 60_965_224
    assert cost.macs(architecture) == 686_891_552


def test_columns_that_do_not_communicate_are_net_150():
    architecture = made("alexnet:original_code", communicate=False)
    assert cost.parameters(architecture) == 60_714_408
    grouped = [layer.groups for layer in of_kind(architecture, Conv)]
    assert grouped == [1, 2, 2, 2, 2, 2, 2]  # the dense layers of a column are grouped convolutions
    assert [layer.channels for layer in of_kind(architecture, Conv)] == [96, 320, 384, 384, 256, 8192, 4096]


def test_columns_that_do_not_communicate_do_not_meet_before_the_last_layer():
    network = Network(narrow("alexnet:original_code", communicate=False)).eval()
    apart = nn.Sequential(*network.layers[2:-2])
    for module in apart.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.bias, 1.0)
    channels, side = [(gives[0], gives[1]) for _, _, gives in walk(network.architecture)][1]
    assert not reaches(apart, channels, side, of=0, by=1)
    assert not reaches(apart, channels, side, of=1, by=0)


def test_a_sixth_convolution_keeps_six_pixels_and_reads_both_columns():
    architecture = made("alexnet:original_code", conv6=True)
    assert cost.parameters(architecture) == 61_555_304
    steps = [(layer, reads, gives) for layer, reads, gives in walk(architecture) if isinstance(layer, Conv)]
    sixth, reads, gives = steps[-1]
    assert (reads, gives, sixth.groups) == ((256, 6, 6), (256, 6, 6), 1)
    assert (sixth.init_std, sixth.init_bias, sixth.relu) == (0.03, 1.0, True)


@pytest.mark.parametrize(("name", "left_out"), [("conv3", 0), ("conv4", 1), ("conv5", 2)])
def test_a_middle_layer_left_out_leaves_the_others_and_the_last_pool(name, left_out):
    whole, without = made("alexnet:paper"), made("alexnet:paper", without_layer=name)
    middle = [layer.channels for layer in of_kind(whole, Conv)[2:]]
    assert [layer.channels for layer in of_kind(without, Conv)[2:]] == middle[:left_out] + middle[left_out + 1 :]
    assert sides(without) == [224, 55, 27, 27, 13, 13, 13, 6]


def test_each_switch_changes_what_it_names():
    def paper(**switches) -> str:
        return order(made("alexnet:paper", **switches))

    def code(**switches) -> str:
        return order(made("alexnet:original_code", **switches))

    assert paper(lrn=False) == PAPER_ORDER.replace(" lrn", "")
    assert code(lrn=False) == CODE_ORDER.replace(" lrn", "").replace(" map-norm", "")
    assert paper(dropout=False) == PAPER_ORDER.replace(" dropout", "")
    assert paper(activation="tanh") == PAPER_ORDER.replace("+relu", " tanh")
    assert code(activation="tanh") == CODE_ORDER.replace("+relu", " tanh").replace(" relu", " tanh")
    assert paper(batch_norm=True) == paper(lrn=False)
    assert paper(dense_layers=False) == PAPER_ORDER.split(" flatten")[0] + " global-mean dense"
    assert paper(overlap=False) == PAPER_ORDER


def test_batch_norm_stands_where_the_normalisation_was():
    convs = of_kind(made("alexnet:paper", batch_norm=True), Conv)
    assert [layer.norm for layer in convs] == [True, True, False, False, False]
    assert not any(layer.norm for layer in of_kind(made("alexnet:paper"), Conv))


@pytest.mark.parametrize(("name", "usual"), [("alexnet:paper", BIASES), ("alexnet:mini", (0,) * 8)])
def test_biases_of_one_are_a_switch(name, usual):
    def biases(**switches) -> tuple[float, ...]:
        return tuple(layer.init_bias for layer in narrow(name, **switches).layers if isinstance(layer, Conv | Dense))

    assert biases() == usual
    assert biases(bias_one=True) == BIASES
    assert biases(bias_one=False) == (0,) * 8


@pytest.mark.parametrize(("name", "usual", "other"), [("alexnet:paper", 1, "column"), (PRESETS[1], 2, "layer")])
def test_the_extent_of_the_normalisation_is_a_switch(name, usual, other):
    assert [layer.columns for layer in of_kind(made(name), Lrn)] == [usual] * 2
    assert [layer.columns for layer in of_kind(made(name, lrn_extent=other), Lrn)] == [3 - usual] * 2
    assert [layer.columns for layer in of_kind(made(name, lrn_extent="column", columns=1), Lrn)] == [1] * 2


VARIANTS = [
    {"activation": "tanh"},
    {"lrn": False},
    {"batch_norm": True},
    {"overlap": False},
    {"dropout": False},
    {"without_layer": "conv4"},
    {"columns": 1},
    {"communicate": False},
    {"conv6": True},
    {"dense_layers": False},
    {"communicate": False, "dense_layers": False, "activation": "tanh", "conv6": True},
]


@pytest.mark.parametrize("name", [*PRESETS, "alexnet:mini"])
@pytest.mark.parametrize("switches", VARIANTS, ids=str)
def test_every_variant_learns(name, switches):
    side = 24 if name == "alexnet:mini" else 96  # net 147 has nothing left of 64 pixels
    torch.manual_seed(0)
    network = Network(narrow(name, side, **switches))
    loss = F.cross_entropy(network(torch.randn(4, 3, side, side) * 60), torch.tensor([0, 1, 2, 3]))
    loss.backward()
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in network.parameters())
    assert any(value.grad.any() for value in network.parameters())


# What is refused


@pytest.mark.parametrize(
    ("switches", "text"),
    [
        ({"activation": "sigmoid"}, "unknown activation 'sigmoid'"),
        ({"lrn_extent": "colunm"}, "did you mean column"),
        ({"without_layer": "conv2"}, "unknown without_layer 'conv2'"),
        ({"columns": 3}, "cannot have 3 columns"),
        ({"columns": 1, "communicate": False}, "cannot be cut apart"),
        ({"width": 0.01}, "--width 0.01"),
        ({"width": float("nan")}, "--width nan"),
        ({"lrn": "False"}, "lrn reads true or false"),
        ({"bias_one": "yes"}, "bias_one reads true or false"),
        ({"dropout": 0}, "dropout reads true or false"),
        ({"columns": "two"}, "columns reads a whole number"),
        ({"width": "wide"}, "width reads a number"),
        ({"tower": 2}, "has no --tower"),
    ],
)
def test_a_switch_out_of_range_is_refused_by_name(switches, text):
    with pytest.raises(UserError, match=text):
        made("alexnet:paper", **switches)


@pytest.mark.parametrize(
    ("name", "smallest"), [("alexnet:paper", 52), ("alexnet:original_code", 52), ("alexnet:mini", 12)]
)
def test_images_too_small_are_refused_and_the_next_size_is_not(name, smallest):
    with pytest.raises(UserError) as caught:
        made(name, (3, smallest - 1, smallest - 1), width=0.05)
    assert caught.value.what == f"image size {smallest - 1} is smaller than {name} can take"
    assert "MaxPool" in caught.value.why
    network = Network(made(name, (3, smallest, smallest), 5, width=0.05)).eval()
    assert network(torch.zeros(1, 3, smallest, smallest)).shape == (1, 5)
