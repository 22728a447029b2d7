"""A trained network cut to stated widths keeps its largest channels and answers as with the others at zero."""

import numpy as np
import pytest
import torch

from awkward_networks import lively
from econet.compression.fitted_cut import fitted_cut
from econet.errors import UserError
from econet.models import catalog
from econet.models.network import Network
from econet.models.scaled import scaled

SHAPE = (1, 28, 28)


@pytest.mark.parametrize(
    ("name", "switches"), [("econet", {}), ("alexnet_small", {}), ("resnet_small", {"width": 0.5})]
)
def test_it_has_the_stated_widths_and_the_whole_network_is_not_changed(name, switches):
    whole = lively(catalog.build(name, input_shape=SHAPE, **switches)).eval()
    before = {key: value.clone() for key, value in whole.state_dict().items()}
    narrow = fitted_cut(whole, scaled(whole.architecture, 0.5))
    wanted = Network(scaled(whole.architecture, 0.5)).state_dict()
    assert {key: value.shape for key, value in narrow.state_dict().items()} == {
        key: value.shape for key, value in wanted.items()
    }
    assert all(torch.equal(value, before[key]) for key, value in whole.state_dict().items())


def test_the_channels_that_stay_are_those_with_weights():
    whole = lively(catalog.build("alexnet_small", input_shape=SHAPE)).eval()
    first, second = (whole.layers[0].conv, whole.layers[2].conv)
    silent = np.random.default_rng(0).permutation(32)[:16]
    with torch.no_grad():
        first.weight[silent], first.bias[silent] = 0, 0
        second.weight[:, silent] = 0
    narrow = fitted_cut(whole, scaled(whole.architecture, 0.5))
    kept = np.setdiff1d(np.arange(32), silent)
    torch.testing.assert_close(narrow.layers[0].conv.weight, first.weight[kept])


def test_what_normalises_over_neighbours_is_refused_by_name():
    whole = catalog.build("alexnet:mini", input_shape=(3, 32, 32), width=0.25).eval()
    with pytest.raises(UserError, match="alexnet:mini cannot be cut to these widths"):
        fitted_cut(whole, scaled(whole.architecture, 0.5))
