"""What a record says a network costs is what torch counts."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from econet.models import architecture, catalog, cost
from econet.models.layers_2012 import LocalLayer

SHAPES = ((1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 224, 224))
NETWORKS = [
    *((name, {}) for name in catalog.CATALOG),
    ("econet", {"width": 0.4}),
    ("alexnet_small", {"lrn": True}),
    ("alexnet:paper", {"columns": 1}),
    ("alexnet:original_code", {"communicate": False, "conv6": True}),
]
# The full-size plan has nothing left of smaller pictures.
FULL_SIZE = (":paper", ":original_code")
SMALLEST = 52
SIZED = [
    (*each, shape) for each in NETWORKS for shape in SHAPES if shape[1] >= SMALLEST or not each[0].endswith(FULL_SIZE)
]


def folded_parameters(network: nn.Module) -> int:
    """Weights of convolutions and dense layers with a bias each: batch norm folds into that bias."""
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    unshared = [module for module in network.modules() if isinstance(module, LocalLayer)]
    shared = sum(layer.weight.numel() + layer.weight.shape[0] for layer in layers)
    return shared + sum(layer.weight.numel() + layer.bias.numel() for layer in unshared)


@pytest.mark.parametrize(("name", "switches", "shape"), SIZED)
def test_macs_and_parameters_are_those_that_torch_counts(name, switches, shape):
    """On torch's meta device, which counts but holds nothing: the full-size networks cost no memory here."""
    recorded = catalog.architecture(name, shape, 10, **switches)
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        network = catalog.network(recorded).eval()
        network(torch.zeros(1, *shape))
    made = architecture.from_data(recorded)
    assert 2 * cost.macs(made) == counter.get_total_flops()
    assert cost.parameters(made) == folded_parameters(network)


def test_the_baseline_has_the_size_that_was_promised():
    made = architecture.from_data(catalog.architecture("alexnet_small", (1, 28, 28), 10))
    assert 1.0e6 <= cost.parameters(made) <= 1.2e6
    assert 18e6 <= cost.macs(made) <= 21e6
    assert not any(isinstance(layer, architecture.Lrn) for layer in made.layers)


def test_a_small_network_costs_what_pencil_and_paper_say():
    made = architecture.Architecture(
        name="by hand",
        input=(3, 9, 9),
        classes=2,
        layers=(
            architecture.Conv(channels=4, stride=2),  # to 5x5: 3*4*9*25 = 2700 MACs, 108 + 4 weights
            architecture.Separable(channels=6),  # 4*9*25 + 4*6*25 = 1500 MACs, 36 + 4 + 24 + 6 weights
            architecture.MaxPool(kernel=3, stride=2),  # to 2x2
            architecture.Flatten(),
            architecture.Dense(channels=2, relu=False),  # 24*2 = 48 MACs, 48 + 2 weights
        ),
    )
    assert cost.macs(made) == 2700 + 1500 + 48
    assert cost.parameters(made) == 112 + 70 + 50
