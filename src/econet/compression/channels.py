"""Which channels of a network belong together: what must leave at once, and which tensors shrink with it.

Every channel that a layer makes is an atom. Atoms that can only leave together (the two sides of a sum, the groups of
a convolution) are united in classes; a class that something holds whole is fixed, with the reason. `label_run` finds
all of it by running the network's operations on atoms in place of values.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Atoms = NDArray[np.int64]
# What is no channel of the network's own: the image, padding. It stays.
HELD = 0
# Why the logits stay: what every network has, and no reason to speak of.
ANSWERS = "it gives the network's answer"


class Role(StrEnum):
    """What a tensor's positions along an axis are to the channels linked with them."""

    ROW = "row"  # weights that make the channel
    COLUMN = "column"  # weights that read it
    SCALE = "scale"  # gamma of a batch norm
    SHIFT = "shift"  # bias, beta, whatever is added
    FACTOR = "factor"  # whatever multiplies, and what a norm measured


# A channel whose tensors in these roles are 0 is 0 itself, and whoever reads it reads nothing.
MAKES = frozenset({Role.ROW, Role.SCALE, Role.SHIFT})

LinkKey = tuple[str, int]


@dataclass(slots=True)
class Link:
    """The atoms of the positions of one tensor along one axis, and in which roles they are."""

    atoms: Atoms
    roles: set[Role]


@dataclass(frozen=True, slots=True)
class Producer:
    """A layer that makes channels: its name, its atoms in order, and the name of its weight."""

    name: str
    atoms: Atoms


@dataclass(frozen=True, slots=True)
class Work:
    """Multiply-accumulates: every value of `weight` is used `places` times an image; without a weight so many."""

    weight: str | None
    places: int


@dataclass(frozen=True, slots=True)
class Grouping:
    """A convolution that loses whole groups, and how many channels a group reads."""

    module: str
    weight: str
    outputs_a_group: int


@dataclass
class Findings:
    """What the run on labels writes down; `united` is a union-find over atoms."""

    united: list[int] = field(default_factory=lambda: [HELD])
    reasons: dict[int, str] = field(default_factory=dict[int, str])
    links: dict[LinkKey, Link] = field(default_factory=dict[LinkKey, Link])
    producers: dict[str, Producer] = field(default_factory=dict[str, Producer])
    works: list[Work] = field(default_factory=list[Work])
    groupings: dict[str, Grouping] = field(default_factory=dict[str, Grouping])

    def fresh(self, count: int) -> Atoms:
        """`count` new atoms."""
        first = len(self.united)
        self.united.extend(range(first, first + count))
        return np.arange(first, first + count)

    def root(self, atom: int) -> int:
        """The atom that stands for all that `atom` is united with."""
        while self.united[atom] != atom:
            self.united[atom] = self.united[self.united[atom]]
            atom = self.united[atom]
        return atom

    def unite(self, first: Atoms, second: Atoms, where: str) -> None:
        """Position by position these leave together; what meets something held stays, because of `where`."""
        pairs = np.unique(np.stack([first.ravel(), second.ravel()], 1), axis=0)
        for a, b in pairs.tolist():
            if HELD in (a, b):
                self.hold((a, b), f"it meets channels that cannot be cut at {where}")
            else:
                low, high = sorted((self.root(a), self.root(b)))
                self.united[high] = low

    def hold(self, atoms: Iterable[int] | Atoms, why: str) -> None:
        """These stay whatever happens."""
        for atom in np.unique(np.asarray(atoms, dtype=np.int64)).tolist():
            if atom != HELD:
                self.reasons.setdefault(atom, why)

    def link(self, name: str, axis: int, atoms: Atoms, role: Role, where: str) -> None:
        """The positions of tensor `name` along `axis` go with `atoms`; a tensor used again ties both uses."""
        known = self.links.get((name, axis))
        if known is None:
            self.links[name, axis] = Link(atoms.copy(), {role})
            return
        known.roles.add(role)
        both_held = (known.atoms == HELD) & (atoms == HELD)
        self.unite(known.atoms[~both_held], atoms[~both_held], where)


@dataclass(frozen=True, slots=True)
class Region:
    """Layers whose widths hang together: the classes that may leave, and the widest of the layers.

    Each class takes `channels_a_class` channels of that layer; `held` channels of it stay.
    """

    classes: NDArray[np.int64]
    widest: str
    channels_a_class: int
    held: int


@dataclass(frozen=True, slots=True)
class Held:
    """A layer with channels that stay, how many of how many, and why."""

    layer: str
    channels: int
    of: int
    reason: str


@dataclass(frozen=True, slots=True)
class Channels:
    """The classes of a network's channels, numbered from 0; -1 stands for channels that stay.

    `links` gives the class of every position of a tensor along an axis, `layers` of every channel a layer makes.
    """

    count: int
    links: dict[LinkKey, NDArray[np.int64]]
    roles: dict[LinkKey, frozenset[Role]]
    layers: dict[str, NDArray[np.int64]]
    regions: tuple[Region, ...]
    held: tuple[Held, ...]
    works: tuple[Work, ...]
    groupings: tuple[Grouping, ...]


def settled(findings: Findings, kept_whole: dict[str, str] | None = None) -> Channels:
    """Number the classes that may leave. `kept_whole` names layers that must stay, and why."""
    for name, why in (kept_whole or {}).items():
        findings.hold(findings.producers[name].atoms, why)
    roots = np.array([findings.root(atom) for atom in range(len(findings.united))])
    why = {HELD: ""}
    for atom, reason in findings.reasons.items():
        why.setdefault(int(roots[atom]), reason)
    made = [producer.atoms for producer in findings.producers.values()]
    free = np.setdiff1d(np.unique(roots[np.concatenate(made)]) if made else roots[:0], list(why))
    number = np.full(len(roots), -1)
    number[free] = np.arange(len(free))
    layers = {name: number[roots[producer.atoms]] for name, producer in findings.producers.items()}
    held = [
        Held(name, int((classes < 0).sum()), len(classes), _first_reason(roots[findings.producers[name].atoms], why))
        for name, classes in layers.items()
        if (classes < 0).any()
    ]
    return Channels(
        count=len(free),
        links={key: number[roots[link.atoms]] for key, link in findings.links.items()},
        roles={key: frozenset(link.roles) for key, link in findings.links.items()},
        layers=layers,
        regions=_regions(len(free), layers),
        held=tuple(held),
        works=tuple(findings.works),
        groupings=tuple(findings.groupings.values()),
    )


def _first_reason(roots: Atoms, why: dict[int, str]) -> str:
    return next((why[root] for root in roots.tolist() if why.get(root)), "it is held")


def _regions(count: int, layers: dict[str, NDArray[np.int64]]) -> tuple[Region, ...]:
    """Classes that meet in a layer share its region."""
    of_class = np.arange(count)
    free = {name: np.unique(classes[classes >= 0]) for name, classes in layers.items()}
    changed = True
    while changed:
        before = of_class.copy()
        for classes in free.values():
            if len(classes):
                lowest = of_class[classes].min()
                of_class[np.isin(of_class, of_class[classes])] = lowest
        changed = bool((before != of_class).any())
    regions: list[Region] = []
    for number in np.unique(of_class).tolist():
        inside = np.flatnonzero(of_class == number)
        names = [name for name, classes in free.items() if np.isin(classes, inside).any()]
        widest = max(names, key=lambda name: len(layers[name]))
        leaving = int((layers[widest] >= 0).sum())
        each = max(1, round(leaving / len(inside)))
        regions.append(Region(inside, widest, each, len(layers[widest]) - leaving))
    return tuple(regions)
