"""The builder's layers compute what their records say."""

import numpy as np
import torch
from torch.nn import functional as F

from econet.models.architecture import Architecture, Conv, Dense, GlobalMean, Residual, Separable
from econet.models.network import DepthwiseConv, Network


def network_of(*layers, shape=(4, 6, 6)):
    torch.manual_seed(0)
    return Network(Architecture(name="test", input=shape, classes=4, layers=layers)).eval()


def test_a_separable_layer_adds_its_input_where_the_shapes_agree():
    x = torch.rand(2, 4, 6, 6)
    same = network_of(Separable(channels=4)).layers[0]
    inner = F.relu(same.depthwise_norm(F.conv2d(x, same.depthwise.weight, padding=1, groups=4)))
    expected = x + F.relu(same.pointwise_norm(F.conv2d(inner, same.pointwise.weight)))
    torch.testing.assert_close(same(x), expected)
    for other in (Separable(channels=8), Separable(channels=4, stride=2)):
        assert not network_of(other).layers[0].adds_input


def test_without_inner_norm_nothing_stands_between_the_two_convolutions():
    layer = network_of(Separable(channels=8, inner_norm=False)).layers[0]
    x = torch.rand(1, 4, 6, 6) - 0.5
    inner = F.conv2d(x, layer.depthwise.weight, padding=1, groups=4)
    expected = F.relu(layer.pointwise_norm(F.conv2d(inner, layer.pointwise.weight)))
    torch.testing.assert_close(layer(x), expected)


def test_a_residual_layer_goes_around_by_identity_or_by_a_projection():
    x = torch.rand(1, 4, 6, 6)
    same = network_of(Residual(channels=4)).layers[0]
    torch.nn.init.zeros_(same.conv2.weight)
    torch.testing.assert_close(same(x), x)  # the branch gives nothing, the input is positive
    wider = network_of(Residual(channels=8, stride=2)).layers[0]
    assert wider(x).shape == (1, 8, 3, 3)
    assert wider.shortcut.weight.shape == (8, 4, 1, 1)


def test_a_convolution_has_a_bias_exactly_where_it_has_no_norm():
    plain, normed = network_of(Conv(channels=3, norm=False)).layers[0], network_of(Conv(channels=3)).layers[0]
    assert plain.conv.bias is not None
    assert plain.norm is None
    assert normed.conv.bias is None
    assert normed.norm is not None


def test_the_global_mean_is_the_mean_over_positions():
    x = np.random.default_rng(0).random((2, 4, 6, 6), np.float32)
    network = network_of(GlobalMean(), Dense(channels=4, relu=False))
    dense = network.layers[1].linear
    expected = x.mean((2, 3)) @ dense.weight.detach().numpy().T + dense.bias.detach().numpy()
    np.testing.assert_allclose(network(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_a_strided_depthwise_convolution_stays_in_float32_under_autocast():
    x = torch.rand(1, 4, 6, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        strided, plain = (DepthwiseConv(4, 3, stride)(x) for stride in (2, 1))
    assert strided.dtype == torch.float32
    assert plain.dtype == torch.bfloat16


def test_weights_start_with_the_spread_of_he():
    torch.manual_seed(0)
    network = Network(Architecture(name="t", input=(64, 8, 8), classes=2, layers=(Conv(channels=128, norm=False),)))
    weight = network.layers[0].conv.weight.detach().numpy()
    assert abs(weight.std() / np.sqrt(2 / (64 * 9)) - 1) < 0.02
    assert not network.layers[0].conv.bias.any()
