"""The builder's layers compute what their records say."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from econet.models.architecture import Architecture, Conv, Dense, GlobalMean, Residual, Separable
from econet.models.network import DepthwiseConv, GlobalMeanLayer, Network


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


def test_weights_start_with_the_spread_of_he():
    torch.manual_seed(0)
    network = Network(Architecture(name="t", input=(64, 8, 8), classes=2, layers=(Conv(channels=128, norm=False),)))
    weight = network.layers[0].conv.weight.detach().numpy()
    assert abs(weight.std() / np.sqrt(2 / (64 * 9)) - 1) < 0.02
    assert not network.layers[0].conv.bias.any()


@pytest.mark.parametrize(("kernel", "stride", "side"), [(3, 2, 14), (3, 2, 7), (5, 2, 9), (3, 3, 8)])
def test_a_strided_depthwise_convolution_has_the_right_gradients_under_autocast(kernel, stride, side):
    torch.manual_seed(0)
    layer = DepthwiseConv(8, kernel, stride)
    maps = torch.randn(4, 8, side, side).bfloat16().contiguous(memory_format=torch.channels_last)
    exact, weight = maps.double().requires_grad_(), layer.weight.detach().double().requires_grad_()
    expected = F.conv2d(exact, weight, None, stride, kernel // 2, groups=8)
    answer = torch.randn_like(expected)
    maps.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        result = layer(maps)
    found = torch.autograd.grad(result, (maps, layer.weight), answer.to(result.dtype))
    for ours, true in zip(found, torch.autograd.grad(expected, (exact, weight), answer), strict=True):
        # bf16 keeps 8 bits: rounding is some thousandths, a wrong sum would be of order one.
        assert ((ours.double() - true).norm() / true.norm()).item() < 0.01


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_global_mean_hands_back_its_gradient_in_the_layout_of_its_input(layout):
    maps = torch.randn(4, 16, 5, 5).contiguous(memory_format=layout).requires_grad_()
    (gradient,) = torch.autograd.grad(GlobalMeanLayer()(maps).sum(), maps)
    assert gradient.is_contiguous(memory_format=layout)
    assert torch.allclose(gradient, torch.full_like(gradient, 1 / 25))
