"""What a cut cost where: a place that was cut too deep is told apart from one that was not missed."""

import pytest
import torch
from torch import nn

from econet.compression.cut_costs import cut_costs
from econet.compression.pruning import prune_channels
from econet.models.cuts import Cut
from econet.runs.sensitivity_records import Cost


class TwoPaths(nn.Module):
    """Its answer hangs on `needed` alone; what `idle` makes is multiplied by nothing."""

    def __init__(self):
        super().__init__()
        self.needed, self.idle = nn.Conv2d(1, 8, 3), nn.Conv2d(1, 8, 3)
        self.joined = nn.Linear(16, 2)

    def forward(self, x):
        means = [torch.relu(layer(x)).mean((2, 3)) for layer in (self.needed, self.idle)]
        return self.joined(torch.cat(means, 1))


@pytest.fixture
def network():
    torch.manual_seed(1)
    made = TwoPaths().eval()
    with torch.no_grad():
        made.joined.weight[:, 8:] = 0
    return made


def distance(network, images):
    expected = network(images).detach()

    def score(changed):
        with torch.no_grad():
            return Cost(accuracy=0.0, cross_entropy=float((changed(images) - expected).abs().max()))

    return score


def test_each_place_is_told_by_its_layer_and_only_the_needed_one_costs(network):
    images = torch.rand(4, 1, 9, 9)
    half = "0-3"
    cut = Cut(
        keep={
            "needed.weight": (half, None, None, None),
            "needed.bias": (half,),
            "idle.weight": (half, None, None, None),
            "idle.bias": (half,),
            "joined.weight": (None, "0-3,8-11"),
        }
    )
    costs = dict(cut_costs(network, cut, images, distance(network, images)))
    assert set(costs) == {"needed", "idle"}
    assert costs["idle"].cross_entropy == 0
    with torch.no_grad():
        silent = TwoPaths()
        silent.load_state_dict(network.state_dict())
        silent.needed.weight[4:], silent.needed.bias[4:] = 0, 0
        expected = float((silent(images) - network(images)).abs().max())
    assert costs["needed"].cross_entropy == pytest.approx(expected, rel=1e-5)
    assert expected > 0


def test_the_cut_that_pruning_made_is_read_as_it_was_made(network):
    images = torch.rand(4, 1, 9, 9)
    pruned = prune_channels(network, images, removed_fraction=0.4)
    narrowed = [width.layer for width in pruned.widths if width.after < width.before]
    costs = cut_costs(network, pruned.cut, images, distance(network, images))
    assert [name for name, _ in costs] == narrowed
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_cut_that_took_nothing_cost_nothing(network):
    images = torch.rand(2, 1, 9, 9)
    assert cut_costs(network, Cut(keep={}), images, distance(network, images)) == []
