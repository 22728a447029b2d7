"""A trained network cut to stated widths keeps its largest channels and answers as with the others at zero."""

import msgspec
import numpy as np
import pytest
import torch

from awkward_networks import lively
from econet.compression import fitted_cut as room
from econet.compression.fitted_cut import Cutter
from econet.compression.pruning import prune_channels
from econet.errors import UserError
from econet.models import catalog
from econet.models.network import Network
from econet.models.scaled import scaled

SHAPE = (1, 28, 28)


NETWORKS = [("econet", {}), ("alexnet_small", {}), ("resnet_small", {"width": 0.5})]
# Kinds of layer of their own: groups, inverted residuals, branches joined, halves that pass, unshared weights.
OTHERS = ["alexnet:mini", "mobilenet_v2:x0.5", "squeezenet", "shufflenet_v2:x0.5", "cuda_convnet:13pct", "vgg_small"]


@pytest.mark.parametrize(
    ("name", "switches"),
    [
        *NETWORKS,
        *(
            pytest.param(name, {"lrn": False} if name == "alexnet:mini" else {}, marks=pytest.mark.slow)
            for name in (*OTHERS, "econet:fine", "resnet8", "resnet20", "lenet5", "efficientnet_lite0")
        ),
    ],
    ids=str,
)
def test_it_has_the_stated_widths_and_the_whole_network_is_not_changed(name, switches):
    whole = lively(catalog.build(name, input_shape=SHAPE, **switches)).eval()
    before = {key: value.clone() for key, value in whole.state_dict().items()}
    narrow = Cutter(whole).fitted(scaled(whole.architecture, 0.5))
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
    narrow = Cutter(whole).fitted(scaled(whole.architecture, 0.5))
    kept = np.setdiff1d(np.arange(32), silent)
    torch.testing.assert_close(narrow.layers[0].conv.weight, first.weight[kept])


@pytest.mark.parametrize(("name", "switches"), NETWORKS[1:], ids=str)
def test_widths_by_importance_are_those_of_pruning_and_so_is_the_network_cut_to_them(name, switches, unseen):
    whole = lively(catalog.build(name, input_shape=SHAPE, **switches)).eval()
    images = (torch.from_numpy(unseen[:2].astype(np.float32)) - 73) / 90
    pruned = prune_channels(whole, images, removed_fraction=0.6)
    cutter = Cutter(whole)
    widths = cutter.pruned(0.6)
    assert widths == pruned.network.architecture
    shares = {
        after.channels / before.channels
        for before, after in zip(whole.architecture.layers, widths.layers, strict=True)
        if hasattr(before, "channels") and before.channels > 10
    }
    assert len(shares) > 1  # some layers lose more than others
    narrow = cutter.fitted(widths)
    assert all(torch.equal(value, narrow.state_dict()[key]) for key, value in pruned.network.state_dict().items())


def test_a_network_is_followed_once_for_all_its_cuts(monkeypatch):
    runs = []
    monkeypatch.setattr(room, "traced", lambda *given, follow=room.traced: runs.append(1) or follow(*given))
    whole = catalog.build("alexnet_small", input_shape=SHAPE)
    cutter = Cutter(whole)
    for kept in (0.3, 0.5, 0.7):
        assert cutter.fitted(scaled(whole.architecture, kept)).layers[0].conv.out_channels < 32
        assert cutter.pruned(1 - kept) != whole.architecture
    assert runs == [1]


def test_a_width_that_whole_groups_cannot_give_is_refused_by_its_layer():
    """Two columns lose channels in pairs; a layer of no channels, or of more than there are, is none either."""
    whole = catalog.build("alexnet:mini", input_shape=(3, 32, 32), lrn=False, width=0.25).eval()
    cutter = Cutter(whole)
    layers = list(whole.architecture.layers)
    place = next(number for number, layer in enumerate(layers) if getattr(layer, "groups", 1) == 2)
    wide = layers[place].channels
    for width in (wide + 2, 2 * wide):
        layers[place] = msgspec.structs.replace(layers[place], channels=width)
        wanted = msgspec.structs.replace(whole.architecture, layers=tuple(layers))
        with pytest.raises(UserError, match=rf"(?s)cannot be cut to these widths.*cannot be {width} wide"):
            cutter.fitted(wanted)
    layers[place] = msgspec.structs.replace(layers[place], channels=2)  # the least: one channel a column
    narrowest = cutter.fitted(msgspec.structs.replace(whole.architecture, layers=tuple(layers)))
    assert narrowest.layers[place].conv.out_channels == 2


def test_what_normalises_over_neighbours_is_refused_by_name():
    whole = catalog.build("alexnet:mini", input_shape=(3, 32, 32), width=0.25).eval()
    with pytest.raises(UserError, match="alexnet:mini cannot be cut to these widths"):
        Cutter(whole).fitted(scaled(whole.architecture, 0.5))
