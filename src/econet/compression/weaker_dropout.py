"""Dropout of another strength in a trained network, which answers as before.

A network that was cut has fewer weights left that could tie themselves to each other: dropout made for the wide one
keeps it from learning. Source: Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks",
section 3.2, which lowers it with the root of the share of connections that stay.
"""

import torch
from msgspec.structs import replace

from econet.models.architecture import Dropout
from econet.models.network import Network, reading_weight


def with_dropout(network: Network, p: float) -> Network:
    """A copy of `network` whose dropout layers zero each value with probability `p` in training.

    That of 2012 multiplies by what it keeps in evaluation: the weights that read it are scaled so that the answers stay
    the same, and where a layer without weights reads it, it stays as it is.
    """
    records, factors = list(network.architecture.layers), dict[int, float]()
    for place, record in enumerate(network.architecture.layers):
        if not isinstance(record, Dropout):
            continue
        if not record.inverted:
            if reading_weight(network.layers[place + 1]) is None:
                continue
            factors[place + 1] = (1 - record.p) / (1 - p)
        records[place] = replace(record, p=p)
    made = Network(replace(network.architecture, layers=tuple(records)))
    made.load_state_dict(network.state_dict())
    with torch.no_grad():
        for place, factor in factors.items():
            weight = reading_weight(made.layers[place])
            if weight is not None:
                weight.mul_(factor)
    return made.train(network.training)
