"""The networks a search may choose among, as data: a point of the space becomes an Architecture.

A point is a few named choices: how far the stem shrinks the picture, how many stages follow, and for each its blocks,
their width, kind and kernel. Where the search begins at a trained network, that network belongs to the space too, at a
share of all its widths or pruned to a share of its MACs, layer by layer as its weights want it. Widths are multiples of
16, which the runtimes' fast paths want. This file knows no torch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from econet.models.architecture import (
    AnyLayer,
    Architecture,
    Bottleneck,
    Conv,
    Dense,
    Fire,
    GlobalMean,
    InvertedResidual,
    Local,
    Residual,
    Separable,
    ShuffleUnit,
)
from econet.models.scaled import scaled

FOUND = "found"
SUBJECT = "subject"
# How the subject becomes narrower: every layer by the same share, or each by how much its channels matter.
EVEN, PRUNED = "even", "pruned"
KINDS = ("dense", "separable", "bottleneck")
# A bottleneck's dense convolution sees this share of the block's channels.
INNER_SHARE = 3
# (most blocks, widest) of each stage; the first keeps the stem's resolution, every other one halves the map.
STAGES = ((2, 64), (3, 128), (4, 192), (2, 256))
NARROWEST = 16
# The sides that the first map may have: smaller ones leave nothing to halve, larger ones only cost.
SMALLEST_MAP, LARGEST_MAP = 8, 64
LEAST_KEPT_PERCENT = 20

Value = str | int
Point = Mapping[str, Value]


class Chooser(Protocol):
    """Whoever makes the choices of a point: a search, or a test."""

    def among(self, name: str, options: Sequence[str]) -> str:
        """One of `options`."""
        ...

    def whole(self, name: str, low: int, high: int, step: int = 1) -> int:
        """A whole number from `low` to `high` in steps of `step`."""
        ...


@dataclass(frozen=True, slots=True)
class Pruning:
    """The subject pruned: `to` a percentage of its MACs, in fives from `least_percent` on."""

    least_percent: int
    to: Callable[[int], Architecture]


@dataclass(frozen=True, slots=True)
class Space:
    """Networks for pictures of `channels` at one of `sides`, for `classes`.

    `subject` is the trained network that may be scaled down, at the side it was trained for; None where there is none.
    `pruning` is that network pruned; None where nothing can be cut out of it.
    """

    channels: int
    sides: tuple[int, ...]
    classes: int
    subject: Architecture | None = None
    pruning: Pruning | None = None


def chosen(space: Space, chooser: Chooser) -> Architecture:
    """The network of the point that `chooser` names, choice by choice; only what matters is asked for."""
    if space.subject is not None and chooser.among("family", (FOUND, SUBJECT)) == SUBJECT:
        if space.pruning is not None and chooser.among("widths", (EVEN, PRUNED)) == PRUNED:
            return space.pruning.to(chooser.whole("kept_macs_percent", space.pruning.least_percent, 95, 5))
        return scaled(space.subject, chooser.whole("kept_percent", LEAST_KEPT_PERCENT, 100, 5) / 100)
    sides = [str(side) for side in space.sides]
    side = int(chooser.among("side", sides)) if len(sides) > 1 else space.sides[0]
    stride = int(chooser.among("stem_stride", [str(each) for each in stem_strides(side)]))
    layers: list[AnyLayer] = [
        Conv(channels=chooser.whole("stem", 8, 32, 8), stride=stride, kernel=3 if stride < 4 else 7)
    ]
    for number in range(chooser.whole("stages", 2, most_stages(side, stride))):
        layers += _stage(number, chooser)
    layers += [GlobalMean(), Dense(channels=space.classes, relu=False)]
    return Architecture(name=FOUND, input=(space.channels, side, side), classes=space.classes, layers=tuple(layers))


def stem_strides(side: int) -> list[int]:
    """How far the stem may shrink pictures of `side` pixels."""
    fitting = [stride for stride in (1, 2, 4) if SMALLEST_MAP <= -(-side // stride) <= LARGEST_MAP]
    return fitting or [4 if side > LARGEST_MAP else 1]


def most_stages(side: int, stride: int) -> int:
    """As many stages as leave a map of at least 2 x 2 after the last halving."""
    return next(count for count in (4, 3, 2) if count == 2 or -(-side // stride) >= 2**count)


def _stage(number: int, chooser: Chooser) -> list[AnyLayer]:
    """The blocks of one stage; the first of them halves the map, but for the first stage."""
    most, widest = STAGES[number]
    count = chooser.whole(f"blocks_{number}", 0 if number == 0 else 1, most)
    if count == 0:
        return []
    kind = chooser.among(f"kind_{number}", KINDS)
    kernel = 3 if kind == "bottleneck" else int(chooser.among(f"kernel_{number}", ("3", "5")))
    channels = chooser.whole(f"width_{number}", NARROWEST, widest, 16)
    return [_block(kind, kernel, channels, 2 if index == 0 and number > 0 else 1) for index in range(count)]


def _block(kind: str, kernel: int, channels: int, stride: int) -> AnyLayer:
    if kind == "dense":
        return Conv(channels=channels, kernel=kernel, stride=stride)
    if kind == "separable":
        return Separable(channels=channels, kernel=kernel, stride=stride)
    inner = max(8, 8 * round(channels / INNER_SHARE / 8))
    return Bottleneck(channels=channels, inner=inner, stride=stride)


def in_words(architecture: Architecture) -> str:
    """A network in one line, its classifier left out.

    C16 is a convolution to 16 channels (3x3; C16k5: 5x5), P96/2 a depthwise pair of stride 2, B96:32 a bottleneck of
    32 inner channels, I an inverted residual, S a shuffle unit, E a fire module, R a residual block (R96:32 of 32 inner
    channels), L a local layer, F a dense one. What was not put together here has its name.
    """
    words = [word for layer in architecture.layers[:-1] if (word := _word(layer))]
    return " ".join(words if architecture.name == FOUND else [f"{architecture.name}:", *words])


def _word(layer: AnyLayer) -> str:
    match layer:
        case Conv() | Separable() | Local():
            letter = {Conv: "C", Separable: "P", Local: "L"}[type(layer)]
            word = f"{letter}{layer.channels}" + (f"k{layer.kernel}" if layer.kernel != 3 else "")
        case Bottleneck():
            word = f"B{layer.channels}:{layer.inner}"
        case Residual():
            word = f"R{layer.channels}" + ("" if layer.inner is None else f":{layer.inner}")
        case InvertedResidual():
            word = f"I{layer.channels}" + ("" if layer.expanded is None else f":{layer.expanded}")
        case ShuffleUnit():
            word = f"S{layer.channels}:{layer.inner}"
        case Fire():
            return f"E{layer.squeeze}:{layer.expand1}+{layer.expand3}"
        case Dense():
            return f"F{layer.channels}"
        case _:
            return ""
    stride = 1 if isinstance(layer, Local) else layer.stride
    return word if stride == 1 else f"{word}/{stride}"


@dataclass(frozen=True, slots=True)
class Named:
    """A chooser that takes each choice from `point`; what it does not name is the least, or the first."""

    point: Point

    def among(self, name: str, options: Sequence[str]) -> str:
        """The option that the point names where it is one of `options`, else the first."""
        value = str(self.point.get(name, options[0]))
        return value if value in options else options[0]

    def whole(self, name: str, low: int, high: int, step: int = 1) -> int:
        """The number that the point names, no less than `low` and no more than `high`, else `low`."""
        return min(max(int(self.point.get(name, low)), low), low + (high - low) // step * step)


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Passes every choice on to `named` and keeps what was chosen."""

    named: Named
    kept: dict[str, Value]

    def among(self, name: str, options: Sequence[str]) -> str:
        """As the point says."""
        self.kept[name] = chosen_option = self.named.among(name, options)
        return chosen_option

    def whole(self, name: str, low: int, high: int, step: int = 1) -> int:
        """As the point says."""
        self.kept[name] = number = self.named.whole(name, low, high, step)
        return number


def starting_points(space: Space) -> list[dict[str, Value]]:
    """Where a search begins: forms that are known to be good for their size, and the subject at a few shares.

    The three forms are those that fared best in trials of 16 epochs on CIFAR-10 at equal cost: mostly dense with a
    depthwise end, depthwise throughout, and dense with bottlenecks at the smallest maps.
    """
    dense = {"stages": 3, "kind_0": "dense", "blocks_0": 1, "width_0": 16, "kind_1": "dense", "blocks_1": 2}
    dense |= {"width_1": 32, "stem": 16}
    points: list[dict[str, Value]] = [
        dense | {"kind_2": "separable", "blocks_2": 3, "width_2": 96},
        dense | {"kind_2": "bottleneck", "blocks_2": 3, "width_2": 96},
        {"stem_stride": "2", "stem": 32, "stages": 4, "blocks_0": 1, "width_0": 48, "blocks_1": 2, "width_1": 96}
        | {"blocks_2": 2, "width_2": 160, "blocks_3": 1, "width_3": 256}
        | {f"kind_{number}": "separable" for number in range(4)},
        {"stem_stride": "2", "stem": 8, "stages": 3, "kind_1": "separable", "width_1": 32, "kind_2": "separable"}
        | {"width_2": 64},
    ]
    if space.subject is not None:
        # Half of all widths is about a quarter of the MACs.
        quarter: dict[str, Value] = {"widths": PRUNED, "kept_macs_percent": 25}
        narrow: dict[str, Value] = {"widths": EVEN, "kept_percent": 25}
        second = narrow if space.pruning is None else quarter
        points = [{"family": SUBJECT, "widths": EVEN, "kept_percent": 50}, {"family": SUBJECT, **second}, *points]
    return [_whole(space, point) for point in points]


def _whole(space: Space, point: Point) -> dict[str, Value]:
    """`point` with every choice that it leaves open."""
    recorder = _Recorder(Named(point), {})
    chosen(space, recorder)
    return recorder.kept


def smallest(space: Space) -> list[Architecture]:
    """The least networks of the space: no point of it costs less than the least of these."""
    side = min(space.sides)
    forms = [(kind, str(stride)) for kind in KINDS for stride in stem_strides(side)]
    least = [chosen(space, Named({"side": str(side), "stem_stride": stride, "kind_1": kind})) for kind, stride in forms]
    if space.subject is not None:
        least.append(scaled(space.subject, LEAST_KEPT_PERCENT / 100))
    if space.pruning is not None:
        least.append(space.pruning.to(space.pruning.least_percent))
    return least
