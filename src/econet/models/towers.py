"""`alexnet_towers`: the columns of a two-column network, each on a device of its own, as in 2012.

Column a's half of every layer's maps lies on the first device, b's on the second. A layer in two groups stays inside
its column; one that reads both (conv3, f6 and f7 of the published network) gets the other's maps over the line while
it works on its own; the classifier, and so the cost, stands on the first device alone. Both see the same images.
Source: Krizhevsky et al. 2012, sections 3.2 and 3.5, and the 2012 code's net 145.
"""

from collections.abc import Iterator
from typing import cast

import torch
from msgspec.structs import replace
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from econet.errors import UserError
from econet.models.architecture import (
    AnyLayer,
    Architecture,
    Bottleneck,
    Conv,
    Dense,
    Fire,
    InvertedResidual,
    Local,
    Lrn,
    MeanImage,
    Residual,
    Separable,
    ShuffleUnit,
)
from econet.models.exchange import Link, Passage
from econet.models.layers_2012 import LrnLayer, MaskDropout, MeanImageLayer
from econet.models.network import ConvLayer, DenseLayer, Network
from econet.models.shapes import walk

State = dict[str, Tensor]
COLUMNS = 2
# What both columns hold whole: the mean image and batch norm's count of steps.
_SHARED = ("mean", "num_batches_tracked")


class CrossingConv(ConvLayer):
    """A convolution that reads both columns: its own half first, while the other column's is on its way."""

    def __init__(self, inputs: int, layer: Conv, link: Link) -> None:
        super().__init__(inputs, layer)
        self.link = link

    def forward(self, x: Tensor) -> Tensor:
        """This column's maps [N, C / 2, H, W] -> this column's [N, channels, ...]."""
        own, other = _halves(self.conv.weight, self.link.column)
        stride, padding = self.conv.stride, self.conv.padding
        passage = Passage(self.link)
        place = passage.begin(x)
        result = F.conv2d(x, own, self.conv.bias, stride, padding)
        result = result + F.conv2d(passage.end(place), other, None, stride, padding)
        result = result if self.norm is None else self.norm(result)
        return F.relu(result, inplace=True) if self.relu else result


class CrossingDense(DenseLayer):
    """A fully connected layer that reads both columns: its own half first, while the other column's is on its way."""

    def __init__(self, inputs: int, layer: Dense, link: Link) -> None:
        super().__init__(inputs, layer)
        self.link = link

    def forward(self, x: Tensor) -> Tensor:
        """This column's vector [N, C / 2] -> this column's [N, channels]."""
        own, other = _halves(self.linear.weight, self.link.column)
        passage = Passage(self.link)
        place = passage.begin(x)
        result = F.linear(x, own, self.linear.bias)
        result = result + F.linear(passage.end(place), other)
        return F.relu(result, inplace=True) if self.relu else result


class Classifier(DenseLayer):
    """The last layer, all of it in column a. Column b sends its vector there, and has no row of it itself.

    What b gives are zeros: its own answer, and the cost of it, mean nothing. Their gradient only calls for the one
    of its vector, which a works out.
    """

    def __init__(self, inputs: int, layer: Dense, link: Link) -> None:
        super().__init__(inputs, layer)
        self.link, self.classes = link, layer.channels
        if link.column != 0:
            self.linear.weight = nn.Parameter(self.linear.weight.detach()[:0].clone())
            self.linear.bias = nn.Parameter(self.linear.bias.detach()[:0].clone())

    def forward(self, x: Tensor) -> Tensor:
        """This column's vector [N, C / 2] -> logits [N, classes]; zeros in column b."""
        own, other = _halves(self.linear.weight, self.link.column)
        first = self.link.column == 0
        passage = Passage(self.link, sends=not first, receives=first)
        place = passage.begin(x)
        result = F.linear(x, own, self.linear.bias)
        arrived = passage.end(place)
        if first:
            return result + F.linear(arrived, other)
        return x.new_zeros(len(x), self.classes) + arrived.sum() + result.sum()  # both sums are over nothing


class ColumnDropout(nn.Module):
    """The dropout of 2012 for both columns on one device: each column's mask from a generator of its own.

    So one device draws what two would, and the same training follows.
    """

    def __init__(self, kept: float, generators: tuple[Generator, Generator]) -> None:
        super().__init__()
        self.kept, self.generators = kept, generators

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, ...] -> the same shape."""
        if not self.training:
            return x * self.kept
        shape = (x.shape[0], x.shape[1] // COLUMNS, *x.shape[2:])
        return x * torch.cat([x.new_empty(shape).bernoulli_(self.kept, generator=one) for one in self.generators], 1)


class Column(nn.Module):
    """One column of `architecture`: its own weights only, under the names that the whole network gives them.

    Both processes build theirs and call them together, training and answering alike. Raises UserError where the
    network is not two columns.
    """

    def __init__(self, architecture: Architecture, link: Link) -> None:
        super().__init__()
        check_columns(architecture)
        self.link = link
        self.layers = nn.ModuleList(_parts(architecture, link))

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes] of images [N, C, H, W] in column a, zeros in column b."""
        for layer in self.layers:
            x = layer(x)
        return x


def column_of(network: Network, link: Link) -> Column:
    """The column of a whole network that stands at `link`, with a copy of its share of the weights."""
    with torch.device("meta"):
        column = Column(network.architecture, link)
    own = split(network.state_dict(), network.architecture)[link.column]
    column.load_state_dict({name: value.clone() for name, value in own.items()}, assign=True)
    return column


def split(state: State, architecture: Architecture) -> tuple[State, State]:
    """The whole network's tensors shared out to columns a and b, as views.

    Each gets half the rows of every layer but the last, which is a's; what both hold whole goes to both.
    """
    last = f"layers.{len(architecture.layers) - 1}."
    columns: tuple[State, State] = ({}, {})
    for name, value in state.items():
        if _is_shared(name):
            shares = (value, value)
        else:
            rows = len(value) if name.startswith(last) else len(value) // COLUMNS
            shares = (value[:rows], value[rows:])
        for column, share in zip(columns, shares, strict=True):
            column[name] = share
    return columns


def join(first: State, second: State) -> State:
    """The whole network's tensors from those of columns a and b."""
    return {name: value if _is_shared(name) else torch.cat([value, second[name]]) for name, value in first.items()}


def draw_by_column(network: nn.Module, generators: tuple[Generator, Generator]) -> None:
    """Let the dropout of a whole network on one device draw a mask for each column from its generator."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, MaskDropout):
                setattr(module, name, ColumnDropout(child.kept, generators))


def check_columns(architecture: Architecture) -> None:
    """Raises UserError where `architecture` cannot be cut into two columns, naming the layer that stands against it."""
    for number, layer in enumerate(architecture.layers, 1):
        why = _obstacle(layer, last=number == len(architecture.layers))
        if why is not None:
            raise UserError(
                f"{architecture.name} cannot stand on two devices",
                f"its layer {number} ({type(layer).__name__}) {why}",
                "two columns with normalisation inside them: columns=2 and lrn_extent=column",
            )


def _obstacle(layer: AnyLayer, *, last: bool) -> str | None:
    match layer:
        case Lrn() if layer.columns != COLUMNS:
            return "reaches across the columns"
        case Local() | Separable() | Residual() | Bottleneck() | InvertedResidual() | Fire() | ShuffleUnit():
            return "has no columns"
        case Conv() if layer.groups not in (1, COLUMNS):
            return f"has {layer.groups} groups"
        case Conv() | Dense() if layer.channels % COLUMNS and not last:
            return f"has {layer.channels} channels, which two columns cannot share evenly"
        case _:
            return None


def _parts(architecture: Architecture, link: Link) -> Iterator[nn.Module]:
    """The layers of one column; of those without weights, the whole network's own."""
    with torch.device("meta"):
        whole = Network(architecture)
    picture = True  # what the layer reads is the image, which both columns have whole
    last = len(architecture.layers) - 1
    for number, (layer, shape, _) in enumerate(walk(architecture)):
        reads = shape[0]
        match layer:
            case Conv():
                own = replace(layer, channels=layer.channels // COLUMNS, groups=1)
                if picture:
                    yield ConvLayer(reads, own)
                elif layer.groups == COLUMNS:
                    yield ConvLayer(reads // COLUMNS, own)
                else:
                    yield CrossingConv(reads, own, link)
                picture = False
            case Dense() if number == last:
                yield Classifier(reads, layer, link)
            case Dense():
                yield CrossingDense(reads, replace(layer, channels=layer.channels // COLUMNS), link)
            case Lrn():
                yield LrnLayer(replace(layer, columns=1))
            case MeanImage():
                yield MeanImageLayer(*shape)
            case _:
                yield whole.layers[number]


def _halves(weight: Tensor, column: int) -> tuple[Tensor, Tensor]:
    """The part of a weight [out, in, ...] that reads the column's own inputs, and the part that reads the other's."""
    first, second = cast("tuple[Tensor, Tensor]", weight.chunk(COLUMNS, 1))
    return (first, second) if column == 0 else (second, first)


def _is_shared(name: str) -> bool:
    return name.rpartition(".")[2] in _SHARED
