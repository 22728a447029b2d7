"""The two networks as stacks of layers, drawn to one scale so that what was taken away is visible."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from econet.deployment.graph import LayerSummary
from econet.report import numbers
from econet.report.charts.svg import element

_TALLEST = 34.0
_LEAST_HEIGHT = 2.5
_LEAST_WIDTH = 1.2


@dataclass(frozen=True, slots=True)
class Block:
    """One layer: the drawn block and what stands beside it."""

    picture: Markup
    kind: str
    output: str
    parameters: str
    macs: str


@dataclass(frozen=True, slots=True)
class Stack:
    """One network from its picture side down to its answer."""

    role: str
    name: str
    blocks: tuple[Block, ...]
    parameters: str
    macs: str


def stacks(networks: Sequence[tuple[str, str, Sequence[LayerSummary]]]) -> list[Stack]:
    """Draw (role, name, layers) of several networks to one scale: width = channels, height = resolution."""
    every = [layer for _, _, layers in networks for layer in layers]
    widest = max((layer.channels for layer in every), default=1)
    tallest = max((layer.height for layer in every), default=1)
    return [
        Stack(
            role=role,
            name=numbers.shown(name),
            blocks=tuple(_block(layer, widest, tallest) for layer in layers),
            parameters=numbers.magnitude(sum(layer.parameters for layer in layers)),
            macs=numbers.magnitude(sum(layer.macs for layer in layers)),
        )
        for role, name, layers in networks
    ]


def _block(layer: LayerSummary, widest: int, tallest: int) -> Block:
    width = max(_LEAST_WIDTH, 100 * layer.channels / widest)
    height = max(_LEAST_HEIGHT, _TALLEST * layer.height / tallest)
    exact = element(
        "title",
        f"{numbers.shown(layer.name)}: {layer.channels} channels of {layer.height} x {layer.width}, "
        f"{layer.parameters:,} parameters, {layer.macs:,} MACs",
    )
    block = element(
        "rect",
        exact,
        x=f"{50 - width / 2:.2f}%",
        width=f"{width:.2f}%",
        height=height,
        class_=f"kind-{layer.kind}",
    )
    picture = element("svg", block, width="100%", height=height, aria_hidden="true", class_="block")
    flat = layer.height == layer.width == 1
    return Block(
        picture=picture,
        kind=layer.kind,
        output=f"{layer.channels}"
        if flat
        else f"{layer.channels}\u2009×\u2009{layer.height}\u2009×\u2009{layer.width}",
        parameters=numbers.magnitude(layer.parameters) if layer.parameters else "",
        macs=numbers.magnitude(layer.macs) if layer.macs else "",
    )
