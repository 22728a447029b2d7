"""What flows through a network when it is run on labels: the channels of an activation, or the places of a weight."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from econet.compression.channels import HELD, Atoms, Findings


@dataclass(frozen=True, slots=True)
class Activation:
    """A tensor that depends on the image: the atom of every position along `axis`, the same along all others.

    `nonzero` says where a channel became something else than 0 although all that makes it is 0; None where it did not.
    """

    shape: tuple[int, ...]
    axis: int
    atoms: Atoms
    nonzero: str | None = None

    def labels(self) -> Tensor:
        """The atom of every single value, int64 of `shape`."""
        sides = [1] * len(self.shape)
        sides[self.axis] = len(self.atoms)
        return torch.from_numpy(self.atoms).view(sides).expand(self.shape)

    def along(self, axis: int) -> Atoms | None:
        """The atoms along `axis`; None where the channels lie along another one."""
        axis %= len(self.shape)
        if axis == self.axis:
            return self.atoms
        single = len(set(self.atoms.tolist())) == 1
        return np.full(self.shape[axis], self.atoms[0]) if single else None


@dataclass(frozen=True, slots=True)
class Weights:
    """A parameter or a buffer, perhaps moved about: `places` holds the place in `name` that each value comes from.

    `whole`: nothing was done to it. `computed`: each value went through a function of its own.
    """

    name: str
    shape: tuple[int, ...]
    places: Tensor
    whole: bool = True
    computed: bool = False

    def axis_of(self, axis: int) -> int | None:
        """Which axis of the tensor in the network runs, position by position, along `axis` of this one."""
        axis %= self.places.ndim
        size = self.places.shape[axis]
        rows = self.places.movedim(axis, 0).reshape(size, -1)
        for own, extent in enumerate(self.shape):
            step = int(np.prod(self.shape[own + 1 :], dtype=np.int64))
            coordinates = rows // step % extent
            if extent == size and bool((coordinates == torch.arange(size)[:, None]).all()):
                return own
        return None

    def moved(self, places: Tensor) -> "Weights":
        """The same values elsewhere."""
        return replace(self, places=places, whole=False)


@dataclass(frozen=True, slots=True)
class Plain:
    """A tensor that is neither: a constant of the code, of one single `number` or of many (None)."""

    shape: tuple[int, ...]
    number: float | None = None


Value = Activation | Weights | Plain


def weights_named(name: str, shape: Sequence[int]) -> Weights:
    """A parameter or buffer as it lies in the network."""
    size = int(np.prod(shape, dtype=np.int64))
    return Weights(name, tuple(shape), torch.arange(size).view(tuple(shape)))


def gathered(labels: Tensor, findings: Findings, where: str, nonzero: str | None) -> Activation:
    """An activation of these labels, which after a reshape may vary along several axes.

    A cut takes whole positions along one axis, so what lies at one position there is united: of a view into groups
    the same channel of every group, of pixels shuffled into channels all of them.
    """
    shape = tuple(labels.shape)
    grid = labels.numpy()
    varying = [axis for axis, size in enumerate(shape) if size > 1 and (grid != grid.take([0], axis)).any()]
    usual = 1 if len(shape) > 1 else 0
    if not varying:  # one channel, or none: it may lie along any axis
        return Activation(shape, usual, np.full(shape[usual], grid.flat[0]), nonzero)
    axis = max(varying, key=lambda each: shape[each])
    slabs = np.moveaxis(grid, axis, 0).reshape(shape[axis], -1)
    vector = slabs[:, 0].copy()
    if len(varying) > 1:
        findings.unite(np.repeat(vector, slabs.shape[1]).reshape(slabs.shape), slabs, where)
        vector[(slabs == HELD).any(1)] = HELD
    return Activation(shape, axis, vector, nonzero)
