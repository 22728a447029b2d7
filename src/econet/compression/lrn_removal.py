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
from econet.models.architecture import Activation, AnyLayer, Lrn, MapNorm
from econet.models.layers_2012 import LrnLayer
from econet.models.network import Network, reading_weight


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

    A normalisation inside single maps that lies in between takes the factor into its alpha and lets it pass.
    Raises UserError where something in between is not linear in the size of the responses, and where the factors are
    not as many as the normalisations.
    """
    normalisations = sum(isinstance(layer, Lrn) for layer in network.architecture.layers)
    if len(factors) != normalisations:
        raise UserError(
            f"the LRN of {network.architecture.name} cannot be dropped as recorded",
            f"`lrn_factors` has {len(factors)} factors for {normalisations} normalisations",
            "restore the record from a copy",
        )
    kept: list[tuple[nn.Module, AnyLayer]] = []
    remaining, factor = iter(factors), 1.0
    carried: list[float] = []
    for layer, record in zip(network.layers, network.architecture.layers, strict=True):
        if isinstance(record, Lrn):
            factor *= next(remaining)
            continue
        reads = reading_weight(layer) is not None
        if factor != 1.0 and not reads and (_bends(record) or any(True for _ in layer.parameters())):
            raise _stuck(network, type(record).__name__)
        # c a / (1 + alpha sum (c a)^2)^beta is c times the same with alpha c^2 on a.
        kept.append((layer, replace(record, alpha=record.alpha * factor**2) if isinstance(record, MapNorm) else record))
        carried.append(factor)
        factor = 1.0 if reads else factor
    made = Network(replace(network.architecture, layers=tuple(record for _, record in kept)))
    for own, (layer, _), factor in zip(made.layers, kept, carried, strict=True):
        own.load_state_dict(layer.state_dict())
        weight = reading_weight(own)
        if weight is not None:
            with torch.no_grad():
                weight.mul_(factor)
    return made.train(network.training)


def _bends(record: AnyLayer) -> bool:
    """Whether a layer without weights answers otherwise than in proportion to what it reads."""
    return isinstance(record, Activation) and record.function == "tanh"


def _stuck(network: Network, kind: str) -> UserError:
    return UserError(
        f"the LRN of {network.architecture.name} cannot be dropped",
        f"a layer of kind {kind} follows it, which a constant factor cannot pass through",
        "train the network without it: --switch lrn=false",
    )
