"""The published network in words and at a narrow width, for the tests that look at it."""

import torch
from torch import nn

from econet.models import catalog
from econet.models.architecture import Architecture, from_data
from econet.models.shapes import walk

PRESETS = ("alexnet:paper", "alexnet:original_code")
PUBLISHED = (3, 224, 224)
# A side at which conv1's last window reaches 3 pixels over the edge, as at 224.
SMALL = 64

PAPER_ORDER = (
    "mean-image conv+relu lrn max-pool conv+relu lrn max-pool conv+relu conv+relu conv+relu max-pool "
    "flatten dense+relu dropout dense+relu dropout dense"
)
CODE_ORDER = (
    "mean-image conv lrn max-pool relu conv+relu lrn map-norm max-pool conv+relu conv+relu conv max-pool relu "
    "flatten dense+relu dropout dense+relu dropout dense"
)


def made(name: str, shape=PUBLISHED, classes=1000, **switches) -> Architecture:
    return from_data(catalog.architecture(name, shape, classes, **switches))


def narrow(name: str, side: int = SMALL, **switches) -> Architecture:
    """At full depth, a twentieth of the width."""
    return made(name, (3, side, side), 10, width=0.05, **switches)


def kind_of(layer: object) -> str:
    """`conv`, `max-pool`: the word of the record."""
    return type(layer).__struct_config__.tag


def order(architecture: Architecture) -> str:
    words = []
    for layer in architecture.layers:
        kind = kind_of(layer)
        words.append(layer.function if kind == "activation" else kind + "+relu" * getattr(layer, "relu", False))
    return " ".join(words)


def of_kind(architecture: Architecture, kind: type) -> list:
    return [layer for layer in architecture.layers if isinstance(layer, kind)]


def sides(architecture: Architecture) -> list[int]:
    """The sides of the maps wherever a convolution or a pool made new ones, the input's first."""
    steps = [gives[1] for layer, _, gives in walk(architecture) if kind_of(layer) in ("conv", "max-pool")]
    return [architecture.input[1], *steps]


def reaches(module: nn.Module, channels: int, side: int, *, of: int, by: int) -> bool:
    """Whether column `of` of what `module` gives has any gradient by column `by` of what it reads."""
    torch.manual_seed(1)
    x = torch.rand(1, channels, side, side, requires_grad=True)
    result = module(x)
    (gradient,) = torch.autograd.grad(result.chunk(2, dim=1)[of].sum(), x)
    halves = gradient.chunk(2, dim=1)
    assert halves[of].any()
    return bool(halves[by].any())
