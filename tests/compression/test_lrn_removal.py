"""Local response normalisation taken out: the constant that comes nearest, folded into the next weights."""

import numpy as np
import pytest
import torch

from econet.compression.lrn_removal import has_lrn, lrn_factors, without_lrn
from econet.errors import UserError
from econet.models import catalog
from econet.models.architecture import Activation, Architecture, Conv, Dense, GlobalMean, Lrn, Residual
from econet.models.layers_2012 import MapNormLayer
from econet.models.network import Network
from plain_layers import cross_map_norm, same_map_norm, spread_out


def network(**switches):
    torch.manual_seed(0)
    return catalog.build("alexnet_small", input_shape=(1, 28, 28), lrn=True, **switches).eval()


def pictures(unseen, level=1.0):
    return torch.from_numpy((unseen[:4].astype(np.float32) - 73) / 90 * level)


def test_the_factor_is_the_constant_nearest_to_the_normalisation(unseen):
    made, images = network(), pictures(unseen, 30.0)
    with torch.no_grad():
        maps = made.layers[0](images).double().numpy()
    normalised = cross_map_norm(maps, 5, 1e-4, 2.0)
    expected = (maps * normalised).sum() / (maps**2).sum()
    assert lrn_factors(made, images)[0] == pytest.approx(expected, rel=1e-5)
    assert expected < 0.99 * 2**-0.75  # large responses: k alone would be wrong


def test_small_responses_have_the_factor_of_k_alone(unseen):
    assert lrn_factors(network(), pictures(unseen, 1e-4))[0] == pytest.approx(2**-0.75, rel=1e-6)


def test_without_it_small_responses_give_the_same_answers(unseen):
    made, images = network(), pictures(unseen, 1e-4)
    plain = without_lrn(made, lrn_factors(made, images))
    assert has_lrn(made)
    assert not has_lrn(plain)
    assert [layer.kind for layer in map(_tagged, plain.architecture.layers) if layer.kind == "lrn"] == []
    with torch.no_grad():
        torch.testing.assert_close(plain(images), made(images), rtol=1e-4, atol=1e-7)


def _tagged(layer):
    return type("Tagged", (), {"kind": layer.__struct_config__.tag})


def test_the_network_itself_keeps_its_weights(unseen):
    made = network()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    without_lrn(made, lrn_factors(made, pictures(unseen)))
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_the_published_network_loses_both_of_its_normalisations():
    torch.manual_seed(0)
    made = catalog.build("alexnet:mini", input_shape=(3, 32, 32)).eval()
    plain = without_lrn(made, (0.5, 0.25))
    convolutions = [[layer for layer in each.layers if hasattr(layer, "conv")] for each in (made, plain)]
    for before, after, factor in zip(*convolutions, (1, 0.5, 0.25, 1, 1), strict=True):
        assert torch.equal(after.conv.weight, before.conv.weight * factor)
        assert torch.equal(after.conv.bias, before.conv.bias)


@pytest.mark.parametrize("factors", [(), (0.6,), (0.6, 0.6, 0.6)])
def test_a_record_with_other_than_one_factor_a_normalisation_is_refused(factors):
    with pytest.raises(UserError, match="cannot be dropped as recorded") as refused:
        without_lrn(network(), factors)
    assert refused.value.why == f"`lrn_factors` has {len(factors)} factors for 2 normalisations"


def test_a_factor_passes_a_normalisation_inside_the_maps(unseen):
    """Of the original code: behind the second LRN each map is normalised by itself before the next weights read it."""
    torch.manual_seed(0)
    made = spread_out(catalog.build("alexnet:original_code", input_shape=(1, 64, 64), width=0.1))
    plain = without_lrn(made, (0.5, 0.25))
    before, after = (next(each for each in net.layers if isinstance(each, MapNormLayer)) for net in (made, plain))
    maps = torch.from_numpy(np.maximum(unseen[:2].astype(np.float32) - 100, 0)).expand(-1, 3, -1, -1)
    expected = same_map_norm(0.25 * maps.double().numpy(), 5, before.layer.alpha)
    assert np.abs(expected / (0.25 * maps.numpy() + 1e-9) - 1).max() > 0.05  # it does something
    np.testing.assert_allclose(0.25 * after(maps.double()).numpy(), expected, rtol=1e-12)
    convolutions = [[layer for layer in net.layers if hasattr(layer, "conv")] for net in (made, plain)]
    for whole, left, factor in zip(*convolutions, (1, 0.5, 0.25, 1, 1), strict=True):
        assert torch.equal(left.conv.weight, whole.conv.weight * factor)


@pytest.mark.parametrize("bent", [Activation(function="tanh"), Residual(channels=8)], ids=str)
def test_one_before_a_layer_that_is_not_linear_in_size_is_refused_by_name(bent):
    layers = (Conv(channels=8, norm=False, relu=False), Lrn(), bent, GlobalMean(), Dense(channels=10, relu=False))
    made = Network(Architecture(name="bent", input=(1, 8, 8), classes=10, layers=layers))
    with pytest.raises(UserError, match=rf"(?s)the LRN of bent cannot be dropped.*{type(bent).__name__} follows it"):
        without_lrn(made, (0.5,))
