"""Each layer of 2012 gives what the paper's or the code's formula gives by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import plain_layers as plain
from econet.models.architecture import (
    Activation,
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Local,
    Lrn,
    MapNorm,
    MaxPool,
    MeanImage,
)
from econet.models.layers_2012 import LocalLayer, LrnLayer, MapNormLayer, MaskDropout, MeanImageLayer
from econet.models.network import Network

PAPER = Lrn(size=5, alpha=1e-4, beta=0.75, k=2.0)
CODE = Lrn(size=5, alpha=1e-4 / 5, beta=0.75, k=2.0)
CAFFE = Lrn(size=5, alpha=1e-4 / 5, beta=0.75, k=1.0)
CIFAR_11 = Lrn(size=9, alpha=1e-3 / 9, beta=0.75, k=1.0)
# Seven maps at one pixel hold 10, 20, ... 70; worked out with a calculator's precision.
ROWS = {
    "paper": (PAPER, (5.651838, 10.708635, 14.866753, 17.999544, 20.192328, 24.730793, 29.962412)),
    "code": (CODE, (5.884357, 11.631335, 17.135998, 22.295521, 27.036509, 32.638107, 38.488706)),
    "caffe": (CAFFE, (9.795016, 19.144790, 27.741441, 35.330394, 41.794315, 50.693001, 60.301507)),
    "cifar 11 %": (CIFAR_11, (6.992877, 11.842761, 14.842507, 19.790009, 24.737512, 29.782183, 35.208136)),
}
PAPER_GRADIENT = (0.5454931, 0.4774303, 0.3814322, 0.2681498, 0.1389779, 0.1468083, 0.1836051)


def one_pixel(*values: float) -> Tensor:
    """[1, maps, 1, 1]."""
    return torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1)


def tens(count: int) -> Tensor:
    return one_pixel(*(10.0 * n for n in range(1, count + 1)))


def random(*shape: int, seed: int = 0, spread: float = 60.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, shape).astype(np.float32)


def network_of(*layers, shape=(3, 8, 8)) -> nn.Module:
    torch.manual_seed(0)
    return Network(Architecture(name="test", input=shape, classes=2, layers=layers))


# Local response normalisation


@pytest.mark.parametrize(("layer", "expected"), ROWS.values(), ids=ROWS)
def test_lrn_gives_the_row_of_its_formula(layer, expected):
    np.testing.assert_allclose(LrnLayer(layer)(tens(7)).flatten().numpy(), expected, rtol=1e-6, atol=1e-5)


def test_torchs_lrn_is_the_codes_formula_and_not_the_papers():
    theirs = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0)(tens(7)).flatten()
    np.testing.assert_allclose(theirs.numpy(), ROWS["code"][1], atol=1e-5)
    assert (LrnLayer(PAPER)(tens(7)).flatten() - theirs).abs().min() > 0.1


def test_the_gradient_of_lrn_is_that_of_the_printed_formula():
    a = tens(7).requires_grad_()
    (gradient,) = torch.autograd.grad(LrnLayer(PAPER)(a).sum(), a)
    np.testing.assert_allclose(gradient.flatten().numpy(), PAPER_GRADIENT, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        PAPER,
        Lrn(size=5, alpha=1e-4, beta=0.75, k=2.0, columns=2),
        CIFAR_11,
        Lrn(size=3, alpha=1e-3, beta=0.5, k=1.0),
        Lrn(size=4, alpha=1e-3, beta=0.75, k=2.0),
    ],
    ids=["paper", "columns", "nine maps", "another power", "an even window"],
)
def test_the_gradient_of_lrn_is_the_one_autograd_finds(layer):
    values, answer = random(2, 12, 3, 4), torch.from_numpy(random(2, 12, 3, 4, seed=1))
    x = torch.from_numpy(values).requires_grad_()
    (ours,) = torch.autograd.grad(LrnLayer(layer)(x), x, answer)

    exact = torch.from_numpy(values).double().requires_grad_()
    width = 12 // layer.columns
    normed = []
    for number in range(12):
        first = number // width * width
        low, high = max(first, number - layer.size // 2), min(first + width - 1, number + (layer.size - 1) // 2)
        base = layer.k + layer.alpha * exact[:, low : high + 1].square().sum(1)
        normed.append(exact[:, number] / base**layer.beta)
    (true,) = torch.autograd.grad(torch.stack(normed, 1), exact, answer.double())
    torch.testing.assert_close(ours.double(), true, rtol=1e-4, atol=1e-4 * true.abs().max().item())


@pytest.mark.parametrize(("maps", "border"), [(96, 48), (256, 128)])
def test_a_column_s_windows_stop_at_its_border_and_elsewhere_change_nothing(maps, border):
    x = torch.from_numpy(random(1, maps, 2, 2))
    whole, cut = LrnLayer(CODE)(x), LrnLayer(Lrn(size=5, alpha=1e-4 / 5, k=2.0, columns=2))(x)
    differs = (whole != cut).any(dim=(0, 2, 3)).nonzero().flatten().tolist()
    assert differs == list(range(border - 2, border + 2))
    each = torch.cat([LrnLayer(CODE)(half) for half in x.chunk(2, dim=1)], dim=1)
    torch.testing.assert_close(cut, each, rtol=0, atol=0)


def test_whether_negative_responses_enter_the_norm_is_seen_in_the_answer():
    a = one_pixel(-40, 30, -20, 10, 50)
    paper = LrnLayer(PAPER)(torch.relu(a))
    code = torch.relu(LrnLayer(CODE)(a))
    np.testing.assert_allclose(paper.flatten().numpy(), [0, 17.197162, 0, 5.268647, 27.126182], atol=1e-5)
    np.testing.assert_allclose(code.flatten().numpy(), [0, 17.447003, 0, 5.777844, 29.078339], atol=1e-5)


def test_lrn_is_computed_in_float32_whatever_number_type_is_around_it():
    x = torch.from_numpy(random(1, 8, 2, 2)).bfloat16()
    result = LrnLayer(PAPER)(x)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result, LrnLayer(PAPER)(x.float()).bfloat16(), rtol=0, atol=0)


# Normalisation inside a map


def test_the_same_map_norm_of_the_18_percent_net_at_centre_and_corner():
    layer = MapNormLayer(MapNorm(size=3, alpha=5e-5 / 9, beta=0.75))
    result = layer(torch.arange(10.0, 100.0, 10.0).reshape(1, 1, 3, 3))[0, 0]
    assert result[1, 1].item() == pytest.approx(44.781108, abs=1e-5)
    assert result[0, 0].item() == pytest.approx(9.812521, abs=1e-5)


def test_the_second_norm_of_the_original_codes_layer_two_at_centre_and_corner():
    layer = MapNormLayer(MapNorm(size=5, alpha=4e-5, beta=0.75))
    result = layer(torch.arange(10.0, 260.0, 10.0).reshape(1, 1, 5, 5))[0, 0]
    assert result[2, 2].item() == pytest.approx(12.337705, abs=1e-5)
    assert result[0, 0].item() == pytest.approx(4.004446, abs=1e-5)


@pytest.mark.parametrize("layer", [MapNorm(size=3, alpha=5e-5 / 9), MapNorm(size=5, alpha=4e-5, beta=0.5)])
def test_the_same_map_norm_never_looks_into_another_map(layer):
    x = random(2, 4, 6, 5)
    result = MapNormLayer(layer)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(result, plain.same_map_norm(x, layer.size, layer.alpha, layer.beta), rtol=1e-4)
    x[:, 1:] = 0
    alone = MapNormLayer(layer)(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(alone[:, 0], result[:, 0])


# Layers whose weights are not shared


def test_an_unshared_layer_gives_at_every_place_what_its_own_filters_give():
    network = plain.spread_out(network_of(Local(channels=4), shape=(3, 5, 6)))
    x = random(2, 3, 5, 6)
    ((weight, bias),) = plain.weights_of(network)
    expected = plain.relu(plain.local(x.astype(np.float64), weight, bias))
    np.testing.assert_allclose(network(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-4, atol=1e-3)


def test_moving_an_image_moves_the_answers_of_shared_weights_alone():
    """A patch far from the edges, and the same patch two pixels further right."""
    x = torch.zeros(2, 3, 9, 9)
    patch = torch.from_numpy(random(3, 3, 3))
    x[0, :, 3:6, 2:5] = patch
    x[1, :, 3:6, 4:7] = patch
    shared = network_of(Conv(channels=4, norm=False), shape=(3, 9, 9))(x)
    torch.testing.assert_close(shared[0, :, :, 1:6], shared[1, :, :, 3:8], rtol=1e-5, atol=1e-4)
    own = network_of(Local(channels=4), shape=(3, 9, 9))(x)
    assert (own[0, :, :, 1:6] - own[1, :, :, 3:8]).abs().max() > 1


def test_an_unshared_layers_biases_are_not_shared_either():
    network = network_of(Local(channels=2), shape=(1, 3, 3))
    with torch.no_grad():
        network.layers[0].bias.copy_(torch.arange(18.0).reshape(9, 1, 2))
    blank = network(torch.zeros(1, 1, 3, 3))[0]
    assert blank.permute(1, 2, 0).reshape(9, 2).tolist() == torch.arange(18.0).reshape(9, 2).tolist()


def test_an_unshared_layer_with_one_filter_everywhere_is_a_convolution():
    network = network_of(Local(channels=4), shape=(3, 5, 6))
    layer = network.layers[0]
    assert isinstance(layer, LocalLayer)
    kernel = torch.randn(4, 3, 3, 3)
    with torch.no_grad():
        layer.weight.copy_(kernel.reshape(4, 27).T.expand(30, 27, 4))
    x = torch.from_numpy(random(2, 3, 5, 6, spread=1))
    torch.testing.assert_close(layer(x), torch.relu(nn.functional.conv2d(x, kernel, padding=1)), rtol=1e-4, atol=1e-5)


def test_unshared_weights_start_with_their_own_spread_and_bias():
    layer = network_of(Local(channels=32, init_std=0.04, init_bias=0.5), shape=(32, 8, 8)).layers[0]
    assert layer.weight.std().item() == pytest.approx(0.04, rel=0.01)
    assert (layer.bias == 0.5).all()


# Dropout, mean image, pools


def test_dropout_of_2012_masks_in_training_and_halves_afterwards():
    layer, x = MaskDropout(Dropout(p=0.5, inverted=False)), torch.full((100, 200), 3.0)
    torch.manual_seed(0)
    trained = layer.train()(x)
    assert trained.unique().tolist() == [0, 3]  # never twice the value
    assert (trained == 3).float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert not torch.equal(trained, layer(x))
    assert (layer.eval()(x) == 1.5).all()


def test_dropout_keeps_what_it_does_not_drop():
    torch.manual_seed(0)
    layer, x = MaskDropout(Dropout(p=0.2, inverted=False)).train(), torch.ones(100, 200)
    assert layer(x).mean().item() == pytest.approx(0.8, abs=0.02)
    torch.testing.assert_close(layer.eval()(x), torch.full((100, 200), 0.8))


def test_the_gradient_passes_where_the_mask_let_through():
    torch.manual_seed(0)
    x = torch.ones(1000, requires_grad=True)
    result = MaskDropout(Dropout(inverted=False)).train()(x)
    (gradient,) = torch.autograd.grad(result.sum(), x)
    assert torch.equal(gradient, result.detach())


def test_which_dropout_is_built_is_in_the_record():
    plain_mask, inverted = network_of(Dropout(inverted=False), Dropout()).layers
    assert isinstance(plain_mask, MaskDropout)
    assert isinstance(inverted, nn.Dropout)


def test_the_mean_image_lies_in_the_weights_and_is_subtracted_without_any_scaling():
    """The extremes of ImageNet's mean image, 92.76 and 135.87, bound what the network can see."""
    network = network_of(MeanImage(), shape=(3, 4, 4))
    layer = network.layers[0]
    assert isinstance(layer, MeanImageLayer)
    assert not list(network.parameters())
    assert list(network.state_dict()) == ["layers.0.mean"]
    layer.mean[0], layer.mean[1] = 135.87, 92.76
    black, white = network(torch.zeros(1, 3, 4, 4)), network(torch.full((1, 3, 4, 4), 255.0))
    assert black.min().item() == pytest.approx(-135.87, abs=1e-4)
    assert white[:, :2].max().item() == pytest.approx(162.24, abs=1e-4)


@pytest.mark.parametrize(("side", "sides"), [(32, [16, 8, 4]), (24, [12, 6, 3]), (55, [27, 13, 6])])
@pytest.mark.parametrize("pool", [MaxPool(kernel=3, stride=2, ceil=True), AvgPool()])
def test_pools_that_reach_over_the_edge_halve_rounding_up(pool, side, sides):
    x, found = torch.from_numpy(random(1, 2, side, side)), []
    for layer in network_of(pool, pool, pool, shape=(2, side, side)).layers:
        expected = (plain.max_pool if isinstance(pool, MaxPool) else plain.average_pool)(x.double().numpy())
        x = layer(x)
        np.testing.assert_allclose(x.numpy(), expected, rtol=1e-4, atol=1e-4)
        found.append(x.shape[-1])
    assert found == sides


def test_an_average_over_ones_is_one_at_the_corner_that_is_cut_off():
    result = network_of(AvgPool(), shape=(1, 32, 32))(torch.ones(1, 1, 32, 32))
    assert (result == 1).all()


def test_rectifying_before_or_behind_a_max_pool_is_the_same():
    x = torch.from_numpy(random(2, 4, 13, 13))
    pool = MaxPool(kernel=3, stride=2, ceil=True)
    late = network_of(pool, Activation(function="relu"), shape=(4, 13, 13))(x.clone())
    early = network_of(Activation(function="relu"), pool, shape=(4, 13, 13))(x.clone())
    assert torch.equal(late, early)


def test_a_layer_keeps_what_it_is_told_of_spread_and_bias():
    conv, dense = (
        network_of(Conv(channels=64, norm=False, init_std=0.03, init_bias=1.0), shape=(64, 8, 8)),
        network_of(Flatten(), Dense(channels=300, init_std=0.005, init_bias=-7.0), shape=(4, 8, 8)),
    )
    for network, std, bias in ((conv, 0.03, 1.0), (dense, 0.005, -7.0)):
        weight, biases = network.parameters()
        assert weight.std().item() == pytest.approx(std, rel=0.02)
        assert (biases == bias).all()


def test_zeros_beyond_the_far_edges_are_right_and_below_alone():
    layer = Conv(channels=1, kernel=3, stride=2, padding=0, far_padding=(1, 1), norm=False, relu=False)
    network = network_of(layer, shape=(1, 4, 4))
    weight, bias = network.parameters()
    with torch.no_grad():
        weight.copy_(torch.arange(1.0, 10.0).reshape(1, 1, 3, 3))
        bias.zero_()
    seen = network(torch.ones(1, 1, 4, 4))[0, 0]
    # 1..9 in a row: the second window of a row sees two of its columns, that of a column two of its rows.
    assert seen.tolist() == [[45, 1 + 2 + 4 + 5 + 7 + 8], [1 + 2 + 3 + 4 + 5 + 6, 1 + 2 + 4 + 5]]
