"""Local response normalisation out of a trained network: a constant factor takes its place.

It keeps a network from being cut, since every channel looks at its neighbours, and costs most of the latency of what
is left. With small sums it is nearly a constant, k^-beta; with larger ones a smaller one, so the factor is measured:
the c for which c * a comes nearest, in squares, to the normalised responses a on real images. The next layer with
weights takes it in. What is lost is for fine-tuning to bring back.
"""

from collections.abc import Sequence

import torch
from msgspec.structs import replace
from torch import Tensor, nn

from econet.errors import UserError
from econet.models.architecture import Lrn
from econet.models.layers_2012 import LocalLayer, LrnLayer, MapNormLayer
from econet.models.network import ConvLayer, DenseLayer, Network, SeparableLayer


def has_lrn(network: nn.Module) -> bool:
    """Whether a catalog network normalises over its maps."""
    return any(isinstance(module, LrnLayer) for module in network.modules())


def lrn_factors(network: Network, images: Tensor) -> tuple[float, ...]:
    """The constant nearest to each normalisation, in order, on `images` [N, C, H, W]."""
    found: list[float] = []
    x = images
    with torch.no_grad():
        for layer in network.eval().layers:
            before = x.clone()  # a rectifier works in place
            x = layer(x)
            if isinstance(layer, LrnLayer):
                plain, normalised = before.double(), x.double()
                found.append(float((plain * normalised).sum() / plain.square().sum().clamp(min=1e-300)))
    return tuple(found)


def without_lrn(network: Network, factors: Sequence[float]) -> Network:
    """A copy of `network` without its normalisations, each `factor` folded into the next layer with weights.

    Raises UserError where something in between is not linear in the size of the responses, and where the factors are
    not as many as the normalisations.
    """
    normalisations = sum(isinstance(layer, LrnLayer) for layer in network.layers)
    if len(factors) != normalisations:
        raise UserError(
            f"the LRN of {network.architecture.name} cannot be dropped as recorded",
            f"`lrn_factors` has {len(factors)} factors for {normalisations} normalisations",
            "restore the record from a copy",
        )
    kept = [index for index, layer in enumerate(network.architecture.layers) if not isinstance(layer, Lrn)]
    layers = tuple(network.architecture.layers[index] for index in kept)
    made = Network(replace(network.architecture, layers=layers))
    remaining, factor = iter(factors), 1.0
    for index, layer in enumerate(network.layers):
        if isinstance(layer, LrnLayer):
            factor *= next(remaining)
            continue
        own = made.layers[kept.index(index)]
        own.load_state_dict(layer.state_dict())
        if factor == 1.0:
            continue
        weight = _reading_weight(own)
        if weight is not None:
            with torch.no_grad():
                weight.mul_(factor)
            factor = 1.0
        elif isinstance(own, (MapNormLayer, nn.Tanh)):
            raise UserError(
                f"the LRN of {network.architecture.name} cannot be dropped",
                f"a {type(own).__name__} follows it, which a constant factor cannot pass through",
                "train the network without it: --switch lrn=false",
            )
    return made.train(network.training)


def _reading_weight(layer: nn.Module) -> Tensor | None:
    """The weights that read what comes in, where there are any."""
    match layer:
        case ConvLayer():
            return layer.conv.weight
        case SeparableLayer():
            return layer.depthwise.weight
        case LocalLayer():
            return layer.weight
        case DenseLayer():
            return layer.linear.weight
        case _:
            return None
