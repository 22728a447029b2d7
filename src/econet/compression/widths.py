"""How wide every layer stays: by importance over the whole network at widths that machines like, or as asked by name.

Runtimes compute in blocks of 16 channels, in 8 bits of 4: a width of 30 is slower than one of 32. So a width that
shrinks becomes a multiple of 16, in narrow layers of 8 or of 4, chosen so that the MACs taken away come as near to
what was asked as these steps allow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from econet.compression.channels import ANSWERS, Channels, Region
from econet.errors import UserError

Kept = NDArray[np.bool_]
# How far the MACs that go are from what was asked, where each region keeps so many classes.
Miss = Callable[[list[int]], float]
# (from this width on, a multiple of this).
STEPS = ((96, 16), (32, 8), (8, 4), (0, 1))
SMALL_WIDTHS = (4, 8)
# No layer keeps less than this share of its channels, unless the ratio leaves no more to go round.
LEAST_SHARE = 0.1
# A ratio further than this beyond what can go at most is refused.
SLACK = 0.01


@dataclass(frozen=True, slots=True)
class Costs:
    """MACs and parameters of the network as functions of the classes kept."""

    channels: Channels
    shapes: dict[str, tuple[int, ...]]

    def macs(self, kept: Kept) -> int:
        """Multiply-accumulates of one image."""
        return sum(work.places * (self.size(work.weight, kept) if work.weight else 1) for work in self.channels.works)

    def size(self, name: str, kept: Kept) -> int:
        """Values of tensor `name` that stay."""
        size = 1
        for axis, extent in enumerate(self.shapes[name]):
            classes = self.channels.links.get((name, axis))
            size *= extent if classes is None else int(stays(classes, kept).sum())
        return size


def stays(classes: NDArray[np.int64], kept: Kept) -> Kept:
    """Which positions stay where each is of a class, or held (-1)."""
    return np.append(kept, True)[classes]


def chosen(
    costs: Costs, scores: NDArray[np.float64], ratio: float, asked: Mapping[str, int] = MappingProxyType({})
) -> Kept:
    """The classes to keep so that about `ratio` of the MACs go: in each region those with the highest scores.

    Layers in `asked` get so many channels, by name, whatever the ratio. For the others one threshold over all regions,
    each width then at the nearest step, and single steps until no other one comes nearer; a ratio of 0 leaves them
    whole. Raises UserError where so much cannot go, and for a width that cannot be had.
    """
    channels = costs.channels
    settled = _settled(channels, asked)
    plans = [
        _Plan(region, scores[region.classes], [settled[place]] if place in settled else _allowed(region, ratio))
        for place, region in enumerate(channels.regions)
    ]
    whole = costs.macs(np.ones(channels.count, bool))
    counts = [plan.allowed[0] for plan in plans]
    most = 1 - costs.macs(_kept(channels, plans, counts)) / whole
    if ratio > most + SLACK:
        raise _too_much(channels, ratio, most)

    def miss(counts: list[int]) -> float:
        return abs(1 - costs.macs(_kept(channels, plans, counts)) / whole - ratio)

    thresholds = np.concatenate([[-np.inf], np.unique(scores), [np.inf]])
    low, high = 0, len(thresholds) - 1
    while high - low > 1:  # the higher the threshold, the more goes
        middle = (low + high) // 2
        counts = [plan.at(thresholds[middle]) for plan in plans]
        gone = 1 - costs.macs(_kept(channels, plans, counts)) / whole
        low, high = (middle, high) if gone <= ratio else (low, middle)
    tries = [[plan.at(thresholds[index]) for plan in plans] for index in (low, high)]
    counts = _nearer(min(tries, key=miss), plans, miss) if ratio else [plan.allowed[-1] for plan in plans]
    return _kept(channels, plans, counts)


class _Plan:
    """One region: its classes from the most important down, and how many of them may be kept."""

    def __init__(self, region: Region, scores: NDArray[np.float64], allowed: list[int]) -> None:
        order = np.argsort(-scores, kind="stable")
        self.ranked, self.scores = region.classes[order], scores[order]
        self.allowed = allowed

    def at(self, threshold: float) -> int:
        """How many stay where a score above `threshold` is wanted: the nearest allowed number."""
        wanted = int((self.scores > threshold).sum())
        return min(self.allowed, key=lambda count: (abs(count - wanted), -count))


def _allowed(region: Region, ratio: float) -> list[int]:
    """Ascending numbers of classes that give the region's widest layer a width that machines like; last of all all."""
    count, each, held = len(region.classes), region.channels_a_class, region.held
    width = held + count * each
    step = next(step for start, step in STEPS if width >= start)
    least = max(1, int(np.ceil(min(LEAST_SHARE, (1 - ratio) / 2) * count)))
    good = [
        number
        for number in range(least, count)
        if (held + number * each) % step == 0 or (held + number * each) in SMALL_WIDTHS
    ]
    return [*good, count]


def _settled(channels: Channels, asked: Mapping[str, int]) -> dict[int, int]:
    """By the number of a region how many of its classes stay, so that each layer in `asked` has the width asked."""
    found: dict[int, int] = {}
    for name, width in asked.items():
        if name not in channels.layers:
            raise UserError(
                f"--keep {name}={width} names no layer",
                f"those of the network that is cut are: {', '.join(channels.layers)}",
                "one of them",
            )
        classes = channels.layers[name]
        free, uses = np.unique(classes[classes >= 0], return_counts=True)
        if not len(free):
            raise _unreachable(name, width, next(each.reason for each in channels.held if each.layer == name))
        place, region = next(
            (place, region) for place, region in enumerate(channels.regions) if free[0] in region.classes
        )
        each = int(uses[0])
        if len(free) < len(region.classes) or (uses != each).any():
            raise _unreachable(name, width, f"its channels leave with others of `{region.widest}`, not evenly")
        held = int((classes < 0).sum())
        count, rest = divmod(width - held, each)
        if rest or not 1 <= count <= len(free):
            steps = f" in steps of {each}" if each > 1 else ""
            raise _unreachable(name, width, f"it can have {held + each} to {len(classes)} channels{steps}")
        if found.setdefault(place, count) != count:
            raise _unreachable(name, width, "another layer that is asked for by name shares its channels")
    return found


def _unreachable(name: str, width: int, why: str) -> UserError:
    return UserError(f"--keep {name}={width} cannot be reached", why, "another width, or leave the layer out")


def _kept(channels: Channels, plans: list[_Plan], counts: list[int]) -> Kept:
    kept = np.zeros(channels.count, bool)
    for plan, count in zip(plans, counts, strict=True):
        kept[plan.ranked[:count]] = True
    return kept


def _nearer(counts: list[int], plans: list[_Plan], miss: Miss) -> list[int]:
    """Move single regions by one step as long as that comes nearer to what was asked."""
    best = miss(counts)
    while True:
        tries: list[tuple[float, list[int]]] = []
        for index, plan in enumerate(plans):
            place = plan.allowed.index(counts[index])
            for other in plan.allowed[max(0, place - 1) : place + 2]:
                changed = [*counts[:index], other, *counts[index + 1 :]]
                tries.append((miss(changed), changed))
        nearest, changed = min(tries, default=(best, counts))
        if nearest >= best:
            return counts
        best, counts = nearest, changed


def _too_much(channels: Channels, ratio: float, most: float) -> UserError:
    because: dict[str, list[str]] = {}
    for each in channels.held:
        if each.reason != ANSWERS:
            because.setdefault(each.reason, []).append(f"`{each.layer}`")
    held = [f"; {', '.join(names)} cannot be cut: {reason}" for reason, names in because.items()]
    return UserError(
        f"--ratio {ratio:g} cannot be reached",
        f"at most {max(0.0, most):.1%} of the MACs can go{''.join(held)}",
        f"--ratio {np.floor(max(0.0, most) * 100) / 100:g} or less",
    )
