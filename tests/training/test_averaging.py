"""The average of the weights follows the formula, batch norm's statistics included."""

import numpy as np
import pytest
import torch
from torch import nn

from econet.training.averaging import Average


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9])
def test_the_average_is_that_of_plain_numpy(decay):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)).train()
    average = Average(network, decay)
    expected = {name: value.double().numpy().copy() for name, value in network.state_dict().items()}
    for update in range(12):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))
        network(torch.randn(4, 1, 6, 6))
        average.update(update)
        kept = min(decay, (1 + update) / (10 + update))
        for name, value in network.state_dict().items():
            new = value.double().numpy()
            expected[name] = new if "num_batches" in name else kept * expected[name] + (1 - kept) * new
    for name, value in average.network.state_dict().items():
        np.testing.assert_allclose(value.double().numpy(), expected[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_the_average_is_a_network_of_its_own_that_does_not_learn():
    network = nn.Linear(2, 2).train()
    average = Average(network, 0.9)
    with torch.no_grad():
        network.weight.add_(1)
    assert not torch.equal(average.network.weight, network.weight)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
